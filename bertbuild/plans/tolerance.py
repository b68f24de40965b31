"""How far a target's answers may be from its source's. Each kind says which rows its targets are held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bertbuild.heads.answers import tolerance_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a target may be from its source.

    Attributes:
        max_abs: largest absolute difference of any element.
        cosine: smallest cosine between the vectors of one position; None where it is not asked.
        argmax: smallest share of positions with the same largest element (the same class); None where it is not asked.
        relative: where the source's answer has large elements, the difference may be this share of the largest.
    """

    max_abs: float
    cosine: float | None = None
    argmax: float | None = None
    relative: float = 0.0

    def __str__(self) -> str:
        """It in a line."""
        return f"{self.max_abs!r} {self.cosine!r} {self.argmax!r}" + (f" {self.relative!r}" if self.relative else "")

    def most(self, largest: float) -> float:
        """The largest absolute difference from an answer whose largest element is `largest`."""
        return max(self.max_abs, self.relative * largest)


Tolerances = Mapping[str, Tolerance]
"""A row: output → how far it may be off. "hidden" is for all outputs that the row does not name."""


def allowed(row: Tolerances, output: str) -> Tolerance:
    """How far one output may be off: by what its head says; all that no head gives is hidden."""
    return row.get(tolerance_of(output), row["hidden"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the comparisons of one target are held to.

    Attributes:
        target: the target's answers against the source's.
        alone: the target's own answers, to a batch and to its rows one by one: by what it computes in.
    """

    target: Tolerances
    alone: Tolerances

    def __str__(self) -> str:
        """It as a part of a verdict's key."""
        rows = (self.target, self.alone)
        return " | ".join("; ".join(f"{output} {row[output]}" for output in sorted(row)) for row in rows)


# Same weights, same operators, other kernels: only the order of float32 sums differs. The pooled output and
# probabilities lie in [-1, 1]; the hidden states reach 10 and more, so that one unit in their last place is that
# much larger.
# A logit is a sum of hidden states, rounded once for each: what it may be off is a share of it (5e-6 are 42 units in
# the last place), and a score likewise, which has the range of its task. Measured on six random layers of MiniLM's
# size, all heads: 8.4e-6 on masked-LM logits that reach 4.4, 4.7e-6 on those of tokens, 4.3e-6 of a span; 1.5e-6 on a
# score; 7e-7 on probabilities. On 80 questions of SQuAD, with a span head whose logits reach some tens: 2.1e-5.
FLOAT32: Tolerances = {
    "pooled_output": Tolerance(max_abs=1e-5),
    "probabilities": Tolerance(max_abs=1e-5),
    "score": Tolerance(max_abs=1e-5, relative=2e-6),
    "logits": Tolerance(max_abs=2e-5, relative=5e-6),
    "hidden": Tolerance(max_abs=1e-4),
}

# Computed in float16, not only stored: every activation is rounded to 11 bits between two operators. Measured: 3e-3
# on the pooled output of 12 random layers. A class may not change.
FLOAT16: Tolerances = {
    "pooled_output": Tolerance(max_abs=1e-2),
    "probabilities": Tolerance(max_abs=1e-2, argmax=1.0),
    "score": Tolerance(max_abs=5e-2),
    "logits": Tolerance(max_abs=1e-1, cosine=0.999),
    "hidden": Tolerance(max_abs=1e-1, cosine=0.999),
}
