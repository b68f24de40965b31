"""A row for each target of a run: its figures, and every comparison with its source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bertbuild.gate.answered import reasons
from bertbuild.gate.parity import Row, Verdict, reference_in_words
from bertbuild.report.html.evidence import Evidence
from bertbuild.report.html.parity_plots import layer_plot, layers_plot, probe_plot, ratio, readable_verdict, row_strip
from bertbuild.report.html.run import Run, Target
from bertbuild.report.verdicts import judged_on, told_of_default


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """What the page says of one target.

    Attributes:
        anchor: the id of its comparisons on the page; empty where there are none.
        peak_memory: bytes, the largest of its jobs, None where none is known.
        worst: its figure nearest to the limit or farthest beyond it, in words.
        share: error ÷ limit of that, to sort by; -1 where there is none.
        sentence: which comparison that is.
        probes, layers, layers_plot: drawings, None where there is nothing to draw.
        lines: the table of comparisons.
        not_compared: outputs of probes that the target cannot take.
        by_default: what the processor does with the target unless told otherwise, or "".
    """

    target: Target
    anchor: str
    peak_memory: float | None
    worst: str
    share: float
    sentence: str
    probes: Markup | None
    layers: Markup | None
    layers_plot: Markup | None
    lines: list[dict[str, Any]]
    not_compared: tuple[str, ...]
    by_default: str


def target_rows(run: Run, evidence: Evidence) -> list[TargetRow]:
    """One for each target, in the order of the run."""
    peaks = _peaks(run, evidence)
    found = []
    for order, target in enumerate(run.targets.values(), start=1):
        event = target.verdict or evidence.verdicts.get((target.model, target.name))
        found.append(_row(target, readable_verdict(event), order, peaks.get((target.model, target.name))))
    return found


def _row(target: Target, verdict: Verdict | None, order: int, peak_memory: float | None) -> TargetRow:
    worst, share, sentence = _worst(target, verdict)
    return TargetRow(
        target=target,
        anchor=f"figures-{order}" if verdict else "",
        peak_memory=peak_memory,
        worst=worst,
        share=share,
        sentence=sentence,
        probes=probe_plot(verdict) if verdict else None,
        layers=layer_plot(verdict) if verdict else None,
        layers_plot=layers_plot(verdict) if verdict else None,
        lines=[_line(row) for row in verdict.rows] if verdict else [],
        not_compared=verdict.skipped if verdict else (),
        by_default=told_of_default(verdict.as_json()) if verdict else "",
    )


def _worst(target: Target, verdict: Verdict | None) -> tuple[str, float, str]:
    if verdict is not None:
        row = verdict.worst
        share = min(ratio(row), 1e9)
        told = reference_in_words(verdict.as_json())
        by = "; ".join(["", f"reference: {told}", *reasons(verdict.answered_by)]) if told else ""
        if row.reason:
            return f"no figure of {row.limit:.0e}", share, f"worst: {row.sentence}{by}"
        figure = f"{row.max_abs:.1e} of {row.limit:.0e}"
        where = judged_on(verdict.as_json())
        return figure, share, f"worst: {figure}, {row.output} of probe {row.probe}{where}{by}"
    if target.max_abs is not None and target.allowed:
        return f"{target.max_abs:.1e} of {target.allowed:.0e}", target.max_abs / target.allowed, ""
    return "–", -1.0, ""


def _line(row: Row) -> dict[str, Any]:
    asked = "" if row.cosine_limit is None else f" (≥ {row.cosine_limit:g})"
    wanted = "" if row.argmax_limit is None else f" (≥ {row.argmax_limit:.0%})"
    return {
        "probe": row.probe,
        "output": row.output,
        "max_abs": row.max_abs if math.isfinite(row.max_abs) else None,
        "limit": row.limit,
        "cosine": f"{row.cosine:.7f}{asked}",
        "argmax": f"{row.argmax:.0%}{wanted}",
        "strip": row_strip(row),
        "passed": row.passed,
        "reason": row.reason,
    }


def _peaks(run: Run, evidence: Evidence) -> Mapping[tuple[str, str], float]:
    peaks: dict[tuple[str, str], float] = {}
    for job in run.jobs.values():
        facts = evidence.facts.get(job.id)
        peak = job.peak_memory if job.peak_memory is not None else facts.peak_memory if facts else None
        for target in job.targets if peak is not None else ():
            peaks[target] = max(peaks.get(target, 0.0), peak or 0.0)
    return peaks
