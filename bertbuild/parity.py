"""The gate: does a target answer like its source? Tolerances are named here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    """

    max_abs: float
    cosine: float | None = None


TOLERANCES: dict[str, dict[str, Tolerance]] = {
    # Same weights, same operators, other kernels: only the order of float32 sums differs. The pooled output and
    # probabilities lie in [-1, 1]; the hidden states reach 10 and more, so that one unit in their last place is that
    # much larger.
    "fp32": {
        "pooled_output": Tolerance(max_abs=1e-5),
        "probabilities": Tolerance(max_abs=1e-5),
        "hidden": Tolerance(max_abs=1e-4),
    },
    # Weights rounded to 11 bits (relative 2^-11 each), computed in float32.
    "fp16": {
        "pooled_output": Tolerance(max_abs=5e-3, cosine=0.9999),
        "probabilities": Tolerance(max_abs=5e-3, cosine=0.9999),
        "hidden": Tolerance(max_abs=5e-2, cosine=0.9999),
    },
}


def tolerance(precision: str, output: str) -> Tolerance:
    """The tolerance of one output: pooled_output and probabilities have their own, all else is a hidden state."""
    table = TOLERANCES[precision]
    return table.get(output, table["hidden"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        probe: which input, e.g. "b4_s128"; "… rows alone" compares a batch with its rows run one by one.
        output: which output.
        max_abs: largest absolute difference over all positions that are no padding.
        cosine: smallest cosine over those positions.
        argmax: share of positions with the same largest element.
        limit: the allowed max_abs; `cosine_limit` likewise.
    """

    probe: str
    output: str
    max_abs: float
    cosine: float
    argmax: float
    limit: float
    cosine_limit: float | None
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All comparisons of one target with its source."""

    precision: str
    rows: tuple[Row, ...]
    skipped: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """True when every comparison is within tolerance, and there was one."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def worst(self) -> Row:
        """The comparison nearest to its limit or farthest beyond it."""
        return max(self.rows, key=lambda row: (not row.passed, row.max_abs / row.limit))

    def as_json(self) -> dict[str, Any]:
        """The verdict as it is stored and printed; floats as JSON floats."""
        return {
            "passed": self.passed,
            "precision": self.precision,
            "rows": [asdict(row) for row in self.rows],
            "skipped": list(self.skipped),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Verdict:
        """The verdict a store holds."""
        rows = tuple(Row(**row) for row in value["rows"])
        return cls(precision=value["precision"], rows=rows, skipped=tuple(value["skipped"]))


def compare(reference: Path, target: Path, probes: list[dict[str, Any]], precision: str) -> Verdict:
    """Compare two answers.npz files: arrays named "<probe>/<output>", and "<probe>/alone/<output>" for rows run alone.

    Three questions: does the target answer like the source; does every row of a batch get the answer it gets alone; and,
    where the source has a published graph of its own ("published/<probe>/<output>"), does the source agree with it.
    """
    import numpy as np  # noqa: PLC0415 - not needed when nothing is compared

    rows: list[Row] = []
    skipped: list[str] = []
    masks = {probe["name"]: np.asarray(probe["input_mask"], dtype=bool) for probe in probes}
    with np.load(reference) as expected, np.load(target) as answered:
        for name in expected.files:
            *prefix, probe, output = name.split("/")
            if prefix == ["published"]:
                rows.append(
                    _row(f"{probe} published graph", output, expected[name], expected[f"{probe}/{output}"], masks[probe], "fp32")
                )
            elif not prefix:
                if name not in answered.files:
                    skipped.append(name)
                    continue
                rows.append(_row(probe, output, expected[name], answered[name], masks[probe], precision))
        for name in answered.files:
            parts = name.split("/")
            if len(parts) == 3 and parts[1] == "alone":
                probe, _, output = parts
                together = answered[f"{probe}/{output}"]
                rows.append(_row(f"{probe} rows alone", output, together, answered[name], masks[probe], "fp32"))
    return Verdict(precision=precision, rows=tuple(rows), skipped=tuple(skipped))


def _row(
    probe: str, output: str, expected: NDArray[Any], answered: NDArray[Any], mask: NDArray[np.bool_], precision: str
) -> Row:
    import numpy as np  # noqa: PLC0415

    limit = tolerance(precision, output)
    if expected.shape != answered.shape:
        raise ValueError(f"{probe}/{output}: shapes {expected.shape} and {answered.shape}")
    # [B, …, N] → one vector per row, or per position that is no padding.
    a = expected[mask] if expected.ndim == 3 else expected
    b = answered[mask] if answered.ndim == 3 else answered
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = float(np.min(np.sum(a * b, axis=-1) / np.where(norms == 0, 1, norms)))
    max_abs = float(np.max(np.abs(a - b)))
    passed = bool(np.isfinite(b).all()) and max_abs <= limit.max_abs
    return Row(
        probe=probe,
        output=output,
        max_abs=max_abs,
        cosine=cosine,
        argmax=float(np.mean(np.argmax(a, axis=-1) == np.argmax(b, axis=-1))),
        limit=limit.max_abs,
        cosine_limit=limit.cosine,
        passed=passed and (limit.cosine is None or cosine >= limit.cosine),
    )
