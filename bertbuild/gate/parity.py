"""The gate: does a target answer like its source? Kinds (`kinds/`) name the tolerances, each in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bertbuild.gate.answered import Answered, in_words
from bertbuild.plans.tolerance import Limits, Tolerance, Tolerances, allowed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


ALONE = " rows alone"
"""Follows the name of a probe whose rows were run one by one too."""

CLASSES = Tolerance(max_abs=0.5)
"""Of whole numbers, the number of a class or of a position: the same, in every precision."""

FEW = 16
"""Vectors of fewer elements have no cosine of their own. A row of two logits is a short vector wherever the classes are
near to each other, and then points anywhere after the least rounding: of sound models' short rows cosines of 0.91 (8
bits) and -0.99 (4 bits) were measured. So all of such an output, over all probes, is one vector: its cosine says how
large the difference is beside what was answered, not how it falls on the nearest decision.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        probe: which input, e.g. "b4_s128"; "… rows alone" compares a batch with its rows run one by one.
        output: which output.
        max_abs: largest absolute difference over all positions that are not padding.
        cosine: smallest cosine over those positions; of vectors of fewer than `FEW` elements the cosine of all of this
            output, over all probes, as one vector.
        argmax: share of rows, or positions, with the same largest element; of positions those count too that the source
            leaves undecided.
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
        answered_by: what of the source answered: its own graph, or who in its place.
    """

    precision: str
    rows: tuple[Row, ...]
    skipped: tuple[str, ...]
    references: tuple[str, ...] = ()
    one_tensorflow: bool = False
    instructions: str = ""
    default_precision: str = ""
    by_default: tuple[Row, ...] = ()
    answered_by: tuple[Answered, ...] = ()

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
            "answered_by": [one.as_json() for one in self.answered_by],
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
            answered_by=tuple(map(Answered.from_json, value.get("answered_by", ()))),
        )

    def and_also(self, second: Verdict, name: str) -> Verdict:
        """The verdict with the comparisons of a second one, in which `name` answered where another did in this."""
        known = {row for row in self.rows if row.probe.endswith(ALONE)}  # of answers that take part in both
        more = [replace(row, probe=f"{row.probe} with {name}") for row in second.rows if row not in known]
        return replace(self, rows=(*self.rows, *more))


def reference_in_words(verdict: Mapping[str, Any]) -> str:
    """Who answered for a source, by a verdict as JSON; "" where that is not known.

    "the checkpoint's own graph (bert_model.ckpt.meta), TensorFlow 1.15.5; both sides ran on one TensorFlow".
    """
    what = in_words([Answered.from_json(one) for one in verdict.get("answered_by", ())])
    names = " and ".join(verdict["references"])
    told = ", ".join(filter(None, (what, names)))
    return f"{told}; both sides ran on one TensorFlow" if names and verdict["one_tensorflow"] else told


def compare(reference: Path, target: Path, probes: list[dict[str, Any]], precision: str, limits: Limits) -> Verdict:
    """Compare two answers.npz files: arrays named "<probe>/<output>", and "<probe>/alone/<output>" for rows run alone.

    Two questions: does the target answer like the source; does every row of a batch get the answer it gets alone.

    Probes that the target answered nothing of are skipped: they are longer than it takes. An output it left out of a
    probe that it did answer is a failure, and so is a target that answered no probe at all.

    What it answered under its processor's defaults ("default/<probe>/<output>") is compared with the source too, and
    decides nothing (`compare_under`).

    Args:
        reference: the source's answers.
        target: the target's.
        probes: what both were asked.
        precision: the name of the row of tolerances.
        limits: what the comparisons are held to.
    """
    import numpy as np

    found: list[_Compared] = []
    skipped: list[str] = []
    masks = {probe["name"]: np.asarray(probe["input_mask"], dtype=bool) for probe in probes}
    with np.load(reference) as expected, np.load(target) as answered:
        for name in expected.files:
            *prefix, probe, output = name.split("/")
            if not prefix:
                if name in answered.files:
                    found.append(_row(probe, output, expected[name], answered[name], masks[probe], limits.target))
                elif any(answer.startswith(f"{probe}/") for answer in answered.files):
                    why = "the target gave no such output"
                    found.append(_Compared(_failed(probe, output, limits.target, why)))
                else:
                    skipped.append(name)
        rows = _settled(found)
        alone: list[_Compared] = []
        for name in answered.files:
            parts = name.split("/")
            if len(parts) == 3 and parts[1] == "alone":
                probe, _, output = parts
                together = answered[f"{probe}/{output}"]
                alone.append(_row(probe + ALONE, output, together, answered[name], masks[probe], limits.alone))
        rows += _settled(alone)
    if not any(row.probe in masks for row in rows):
        rows.append(_failed(", ".join(masks), "every output", limits.target, "the target answered none"))
    by_default = compare_under("default", reference, target, probes, limits)
    return Verdict(precision=precision, rows=tuple(rows), skipped=tuple(skipped), by_default=tuple(by_default))


def compare_under(
    prefix: str, reference: Path, target: Path, probes: list[dict[str, Any]], limits: Limits
) -> list[Row]:
    """Compare what a target answered in another way, "<prefix>/<probe>/<output>", with the source's answers.

    The arguments are those of `compare`.
    """
    import numpy as np

    found = []
    masks = {probe["name"]: np.asarray(probe["input_mask"], dtype=bool) for probe in probes}
    with np.load(reference) as expected, np.load(target) as answered:
        for name in answered.files:
            first, _, source = name.partition("/")
            if first == prefix and source in expected.files:
                probe, output = source.split("/")
                found.append(_row(probe, output, expected[source], answered[name], masks[probe], limits.target))
    return _settled(found)


class _Sums(NamedTuple):
    """Sums over the elements of two answers: of their product, and of each one's square."""

    product: float
    expected: float
    answered: float


class _Compared(NamedTuple):
    """A comparison, and of vectors of `FEW` elements what their common cosine is made of."""

    row: Row
    few: _Sums | None = None


def _settled(found: list[_Compared]) -> list[Row]:
    """The comparisons, those of few elements with the cosine of all that are of one output."""
    sums: dict[str, _Sums] = {}
    for row, few in found:
        if few is not None:
            before = sums.get(row.output, _Sums(0.0, 0.0, 0.0))
            sums[row.output] = _Sums(*map(sum, zip(before, few, strict=True)))
    return [row if few is None else _with_cosine(row, sums[row.output]) for row, few in found]


def _with_cosine(row: Row, sums: _Sums) -> Row:
    cosine = sums.product / (math.sqrt(sums.expected * sums.answered) or 1.0)
    return replace(row, cosine=cosine, passed=row.passed and (row.cosine_limit is None or cosine >= row.cosine_limit))


def _row(
    probe: str, output: str, expected: NDArray[Any], answered: NDArray[Any], mask: NDArray[np.bool_], row: Tolerances
) -> _Compared:
    import numpy as np

    limit = CLASSES if expected.dtype.kind in "iu" else allowed(row, output)
    if expected.shape != answered.shape:
        shapes = f"shape {list(answered.shape)}, where the source's is {list(expected.shape)}"
        return _Compared(_failed(probe, output, row, shapes))
    if not np.isfinite(expected).all() or not np.isfinite(answered).all():
        whose = "the source's answer" if not np.isfinite(expected).all() else "the answer"
        return _Compared(_failed(probe, output, row, f"{whose} is not finite (NaN or infinity)"))
    # [B, …, N] → one vector per row, or per position that is not a padding.
    a = expected[mask] if expected.ndim == 3 else expected
    b = answered[mask] if answered.ndim == 3 else answered
    a, b = a.astype(np.float64), b.astype(np.float64)
    is_few = a.shape[-1] < FEW
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = 1.0 if is_few else float(np.min(np.sum(a * b, axis=-1) / np.where(norms == 0, 1, norms)))
    max_abs, most = float(np.max(np.abs(a - b))), limit.most(float(np.max(np.abs(a))))
    argmax = float(np.mean(_same_largest(a, b, undecided=most if expected.ndim == 3 else 0.0)))
    compared = Row(
        probe=probe,
        output=output,
        max_abs=max_abs,
        cosine=cosine,
        argmax=argmax,
        limit=most,
        cosine_limit=limit.cosine,
        argmax_limit=limit.argmax,
        passed=max_abs <= most
        and (limit.cosine is None or cosine >= limit.cosine)
        and (limit.argmax is None or argmax >= limit.argmax),
    )
    few = _Sums(float(np.sum(a * b)), float(np.sum(a * a)), float(np.sum(b * b))) if is_few else None
    return _Compared(compared, few)


def _same_largest(expected: NDArray[Any], answered: NDArray[Any], *, undecided: float) -> NDArray[np.bool_]:
    """Whether the largest elements of each vector are in one place.

    A sequence has a class for each position, and of so many some lie as near to another as rounding goes: a place
    whose element is by no more than `undecided` smaller than the source's largest counts as the same.
    """
    import numpy as np

    places = np.argmax(answered, axis=-1)
    taken = np.take_along_axis(expected, places[..., None], axis=-1)[..., 0]
    same: NDArray[np.bool_] = (np.argmax(expected, axis=-1) == places) | (
        np.max(expected, axis=-1) - taken <= undecided
    )
    return same


def _failed(probe: str, output: str, row: Tolerances, reason: str) -> Row:
    limit = allowed(row, output)
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
