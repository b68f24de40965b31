"""The gate: does a target answer like its source? Tolerances are named here and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a target may be from its source.

    Attributes:
        max_abs: largest absolute difference of any element.
        cosine: smallest cosine between the vectors of one position; None where it is not asked.
        argmax: smallest share of positions with the same largest element (the same class); None where it is not asked.
    """

    max_abs: float
    cosine: float | None = None
    argmax: float | None = None


# Same weights, same operators, other kernels: only the order of float32 sums differs. The pooled output and
# probabilities lie in [-1, 1]; the hidden states reach 10 and more, so that one unit in their last place is that
# much larger.
_FLOAT32 = {
    "pooled_output": Tolerance(max_abs=1e-5),
    "probabilities": Tolerance(max_abs=1e-5),
    "hidden": Tolerance(max_abs=1e-4),
}
# Gelu by sigmoid: each activation is up to 2.07e-2 off. Measured on MiniLM: 1.8e-2 on the pooled output, 0.34 and a
# cosine of 0.978 on the last layer. A classifier's answer survives that, the neighbours of an embedding may not.
_SIGMOID = {
    "pooled_output": Tolerance(max_abs=1e-1, cosine=0.99),
    "probabilities": Tolerance(max_abs=1e-1, argmax=1.0),
    "hidden": Tolerance(max_abs=1.0, cosine=0.95),
}

TOLERANCES: dict[str, dict[str, Tolerance]] = {
    "fp32": _FLOAT32,
    # Weights rounded to 11 bits (relative 2^-11 each), computed in float32.
    "fp16": {
        "pooled_output": Tolerance(max_abs=5e-3, cosine=0.9999),
        "probabilities": Tolerance(max_abs=5e-3, cosine=0.9999),
        "hidden": Tolerance(max_abs=5e-2, cosine=0.9999),
    },
    # Weights and activations rounded to 8 bits. The probes are harder than text: their ids are random, and activations
    # beyond those of the calibration are cut. Smallest cosines of the pooled output and the last layer, largest
    # difference of the probabilities of a head fitted to it, measured on MiniLM: calibrated on 300 examples of MRPC
    # 0.991, 0.917, 0.11; on 300 of CoLA, which have no second segment as the probes do, 0.934, 0.587, 0.16; on one full
    # stop 0.66, 0.04, 0.45. A single element on tanh's slope may move far while the vector stays: 0.40 at a cosine of
    # 0.985, on 2 random layers. No class changes here that leads by 0.4; what int8 costs on a task `evaluate` tells.
    "int8": {
        "pooled_output": Tolerance(max_abs=5e-1, cosine=0.9),
        "probabilities": Tolerance(max_abs=2e-1),
        "hidden": Tolerance(max_abs=3.0, cosine=0.5),
    },
    # Neuron: float32 throughout, the operators arranged anew. The same limits as for any float32 target.
    "float32": _FLOAT32,
    # Computed in float16, not only stored: every activation is rounded to 11 bits between two operators. Measured: 3e-3
    # on the pooled output of 12 random layers. A class may not change.
    "float16": {
        "pooled_output": Tolerance(max_abs=1e-2),
        "probabilities": Tolerance(max_abs=1e-2, argmax=1.0),
        "hidden": Tolerance(max_abs=1e-1, cosine=0.999),
    },
    # Another gelu than the source's. By tanh each activation is up to 4.7e-4 off, which Google itself took for the same
    # model when it went from one form to the other; measured: 2e-3 on the pooled output of 12 random layers.
    "float32-tanh": {
        "pooled_output": Tolerance(max_abs=1e-2),
        "probabilities": Tolerance(max_abs=1e-2, argmax=1.0),
        "hidden": Tolerance(max_abs=5e-2, cosine=0.999),
    },
    "float16-tanh": {
        "pooled_output": Tolerance(max_abs=2e-2),
        "probabilities": Tolerance(max_abs=2e-2, argmax=1.0),
        "hidden": Tolerance(max_abs=1.5e-1, cosine=0.999),
    },
    "float32-sigmoid": _SIGMOID,
    "float16-sigmoid": _SIGMOID,
}


ALONE = " rows alone"
"""Follows the name of a probe whose rows were run one by one too."""

CLASSES = Tolerance(max_abs=0.5)
"""Of whole numbers, the number of a class or of a position: the same, in every precision."""


def tolerance(precision: str, output: str, *, whole: bool = False) -> Tolerance:
    """The tolerance of one output: pooled_output and probabilities have their own, as have whole numbers; all else is a
    hidden state.
    """
    table = TOLERANCES[precision]
    return CLASSES if whole else table.get(output, table["hidden"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        probe: which input, e.g. "b4_s128"; "… rows alone" compares a batch with its rows run one by one.
        output: which output.
        max_abs: largest absolute difference over all positions that are no padding.
        cosine: smallest cosine over those positions.
        argmax: share of positions with the same largest element.
        limit: the allowed max_abs; `cosine_limit` and `argmax_limit` likewise.
        reason: why nothing could be compared, or empty; the figures are then max_abs infinite, cosine and argmax 0.
    """

    probe: str
    output: str
    max_abs: float
    cosine: float
    argmax: float
    limit: float
    cosine_limit: float | None
    passed: bool
    argmax_limit: float | None = None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong with it, for an error message."""
        if self.reason:
            return f"{self.output} of probe {self.probe}: {self.reason}"
        if self.max_abs > self.limit:
            return f"{self.output} of probe {self.probe} differs by {self.max_abs:.2g}, and {self.limit:.0e} is allowed"
        if self.argmax_limit is not None and self.argmax < self.argmax_limit:
            return f"{self.output} of probe {self.probe} has another class in {1 - self.argmax:.0%} of the rows"
        figures = f"a cosine of {self.cosine:.6f}, and {self.cosine_limit} is asked"
        return f"{self.output} of probe {self.probe} has {figures}"

    def as_json(self) -> dict[str, Any]:
        """For stores and programs; JSON knows no infinity, so an infinite max_abs is null."""
        return {
            "probe": self.probe,
            "output": self.output,
            "max_abs": self.max_abs if math.isfinite(self.max_abs) else None,
            "cosine": self.cosine,
            "argmax": self.argmax,
            "limit": self.limit,
            "cosine_limit": self.cosine_limit,
            "passed": self.passed,
            "argmax_limit": self.argmax_limit,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Row:
        """The row a store holds."""
        return cls(**{**value, "max_abs": math.inf if value["max_abs"] is None else value["max_abs"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All comparisons of one target with its source: one or more.

    Attributes:
        precision: the row of the table of tolerances.
        rows: the comparisons.
        skipped: answers of the source that a target of fixed shape cannot be asked for.
        references: who answered for the source, "TensorFlow 1.15.5"; two where it was judged by both.
        one_tensorflow: whether source and target ran on one and the same TensorFlow.
        instructions: the instruction set of the processor that the target was asked on; "" where that was not told.
        default_precision: what that processor computes in unless told otherwise; "" likewise.
        by_default: comparisons of answers given so, where that is not float32: told, and not gated.
    """

    precision: str
    rows: tuple[Row, ...]
    skipped: tuple[str, ...]
    references: tuple[str, ...] = ()
    one_tensorflow: bool = False
    instructions: str = ""
    default_precision: str = ""
    by_default: tuple[Row, ...] = ()

    @property
    def passed(self) -> bool:
        """True when every comparison is within tolerance."""
        return all(row.passed for row in self.rows)

    @property
    def worst(self) -> Row:
        """The comparison nearest to its limit or farthest beyond it."""
        return max(self.rows, key=lambda row: (not row.passed, row.max_abs / row.limit))

    def as_json(self) -> dict[str, Any]:
        """The verdict as it is stored and printed; floats as JSON floats."""
        return {
            "passed": self.passed,
            "precision": self.precision,
            "rows": [row.as_json() for row in self.rows],
            "skipped": list(self.skipped),
            "references": list(self.references),
            "one_tensorflow": self.one_tensorflow,
            "instructions": self.instructions,
            "default_precision": self.default_precision,
            "by_default": [row.as_json() for row in self.by_default],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Verdict:
        """The verdict a store holds."""
        return cls(
            precision=value["precision"],
            rows=tuple(map(Row.from_json, value["rows"])),
            skipped=tuple(value["skipped"]),
            references=tuple(value.get("references", ())),  # older ones do not tell this, nor what follows
            one_tensorflow=value.get("one_tensorflow", False),
            instructions=value.get("instructions", ""),
            default_precision=value.get("default_precision", ""),
            by_default=tuple(map(Row.from_json, value.get("by_default", ()))),
        )

    @property
    def judges(self) -> str:
        """Who answered for the source, in words; "" where that is not known."""
        return judges_in_words(self.references, one_tensorflow=self.one_tensorflow)

    def and_also(self, second: Verdict, name: str) -> Verdict:
        """The verdict with the comparisons of a second one, in which `name` answered where another did in this."""
        known = {row for row in self.rows if row.probe.endswith(ALONE)}  # of answers that take part in both
        more = [replace(row, probe=f"{row.probe} with {name}") for row in second.rows if row not in known]
        return replace(self, rows=(*self.rows, *more))


def judges_in_words(references: Iterable[str], *, one_tensorflow: bool) -> str:
    """Who answered for a source, as "TensorFlow 1.15.5", and whether the target ran on that one too."""
    names = " and ".join(references)
    return f"{names}; both sides ran on one TensorFlow" if names and one_tensorflow else names


def compare(reference: Path, target: Path, probes: list[dict[str, Any]], precision: str) -> Verdict:
    """Compare two answers.npz files: arrays named "<probe>/<output>", and "<probe>/alone/<output>" for rows run alone.

    Three questions: does the target answer like the source; does every row of a batch get the answer it gets alone;
    and, where the source has a published graph of its own ("published/<probe>/<output>"), does it agree with that.

    Probes that the target answered nothing of are skipped: they are longer than it takes. An output it left out of a
    probe that it did answer is a failure, and so is a target that answered no probe at all.

    What it answered under its processor's defaults ("default/<probe>/<output>") is compared with the source too, and
    decides nothing.
    """
    import numpy as np

    rows: list[Row] = []
    by_default: list[Row] = []
    skipped: list[str] = []
    arithmetic = _arithmetic(precision)
    masks = {probe["name"]: np.asarray(probe["input_mask"], dtype=bool) for probe in probes}
    with np.load(reference) as expected, np.load(target) as answered:
        for name in expected.files:
            *prefix, probe, output = name.split("/")
            if prefix == ["published"]:
                ours = expected[f"{probe}/{output}"]
                rows.append(_row(f"{probe} published graph", output, expected[name], ours, masks[probe], "fp32"))
            elif not prefix:
                if name in answered.files:
                    rows.append(_row(probe, output, expected[name], answered[name], masks[probe], precision))
                elif any(answer.startswith(f"{probe}/") for answer in answered.files):
                    rows.append(_failed(probe, output, precision, "the target gave no such output"))
                else:
                    skipped.append(name)
        for name in answered.files:
            parts = name.split("/")
            if len(parts) == 3 and parts[1] == "alone":
                probe, _, output = parts
                together = answered[f"{probe}/{output}"]
                alone = _row(probe + ALONE, output, together, answered[name], masks[probe], arithmetic)
                rows.append(alone)
            elif parts[0] == "default" and name.removeprefix("default/") in expected.files:
                _, probe, output = parts
                source = expected[f"{probe}/{output}"]
                by_default.append(_row(probe, output, source, answered[name], masks[probe], precision))
    if not any(row.probe in masks for row in rows):
        rows.append(_failed(", ".join(masks), "every output", precision, "the target answered none"))
    return Verdict(precision=precision, rows=tuple(rows), skipped=tuple(skipped), by_default=tuple(by_default))


def _arithmetic(precision: str) -> str:
    """The tolerances for what a target computes twice: weights of fp16 are computed with in float32."""
    if precision.startswith("float16"):
        return "float16"
    return precision if precision == "int8" else "fp32"


def _row(
    probe: str, output: str, expected: NDArray[Any], answered: NDArray[Any], mask: NDArray[np.bool_], precision: str
) -> Row:
    import numpy as np

    limit = tolerance(precision, output, whole=expected.dtype.kind in "iu")
    if expected.shape != answered.shape:
        shapes = f"shape {list(answered.shape)}, where the source's is {list(expected.shape)}"
        return _failed(probe, output, precision, shapes)
    if not np.isfinite(expected).all() or not np.isfinite(answered).all():
        whose = "the source's answer" if not np.isfinite(expected).all() else "the answer"
        return _failed(probe, output, precision, f"{whose} is not finite (NaN or infinity)")
    # [B, …, N] → one vector per row, or per position that is no padding.
    a = expected[mask] if expected.ndim == 3 else expected
    b = answered[mask] if answered.ndim == 3 else answered
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = float(np.min(np.sum(a * b, axis=-1) / np.where(norms == 0, 1, norms)))
    max_abs = float(np.max(np.abs(a - b)))
    argmax = float(np.mean(np.argmax(a, axis=-1) == np.argmax(b, axis=-1)))
    return Row(
        probe=probe,
        output=output,
        max_abs=max_abs,
        cosine=cosine,
        argmax=argmax,
        limit=limit.max_abs,
        cosine_limit=limit.cosine,
        argmax_limit=limit.argmax,
        passed=max_abs <= limit.max_abs
        and (limit.cosine is None or cosine >= limit.cosine)
        and (limit.argmax is None or argmax >= limit.argmax),
    )


def _failed(probe: str, output: str, precision: str, reason: str) -> Row:
    limit = tolerance(precision, output)
    return Row(
        probe=probe,
        output=output,
        max_abs=math.inf,
        cosine=0.0,
        argmax=0.0,
        limit=limit.max_abs,
        cosine_limit=limit.cosine,
        argmax_limit=limit.argmax,
        passed=False,
        reason=reason,
    )
