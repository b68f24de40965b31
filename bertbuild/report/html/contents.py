"""What the page's template needs, worked out of a run and what the store has of it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bertbuild.plural import number_of
from bertbuild.report.html import words
from bertbuild.report.html.evidence import Evidence
from bertbuild.report.html.failures import failures
from bertbuild.report.html.graph import model_graph
from bertbuild.report.html.parity_plots import strip_scale
from bertbuild.report.html.run import CACHED, DONE, FAILED, Job, Run, number
from bertbuild.report.html.schedule import WAIT, critical_path, passages
from bertbuild.report.html.target_rows import TargetRow, target_rows
from bertbuild.report.html.timeline import timeline
from bertbuild.report.html.training_plots import loss_plot, losses

TARGET_ORDER = ("built", "up to date", "not verified", "failed", "skipped", "not finished")
JOB_ORDER = ("done", "cached", "not verified", "failed", "skipped", "interrupted", "unfinished", "not begun")
FEW = 3
"""Models up to which all of them are unfolded."""
STOPPED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the run ended; `style` is "good", "bad" or "odd"."""

    word: str
    sentence: str
    style: str
    sign: str
    next_step: str = ""


def contents(run: Run, evidence: Evidence) -> dict[str, Any]:
    """The template's variables."""
    slots = number(run.head.get("jobs"))
    ran = passages(run)
    failed = failures(run, evidence)
    chain = critical_path(run)
    rows = target_rows(run, evidence)
    strips = timeline(run, ran)
    found = {
        "run": run,
        "asked": asked(run),
        "ending": ending(run),
        "oddities": _oddities(run),
        "slots": "not told" if slots is None else f"{slots:g}",
        "memory": number(run.head.get("memory")),
        "target_counts": _counts((target.state for target in run.targets.values()), TARGET_ORDER),
        "job_counts": _counts((_state(job) for job in run.jobs.values()), JOB_ORDER),
        "chain": chain,
        "chain_seconds": sum(job.seconds for job in chain),
        "failures": failed,
        "failures_title": "Failures" if any(failure.sign == words.sign(FAILED) for failure in failed) else "Unfinished",
        "rows": rows,
        "any_layers": any(row.layers for row in rows),
        "strips": strips,
        "passages": ran,
        "least_wait": WAIT,
        "lanes": 1 + max((passage.lane for passage in ran), default=-1),
        "any_expected": any(passage.job.memory for passage in ran),
        "all_jobs": len(run.jobs),
        "cached": sum(_state(job) == CACHED for job in run.jobs.values()),
        "models": _models(run, rows),
        "strip_scale": strip_scale(),
        "trainings": _trainings(run),
        "versions": _versions(run),
        "environments": _environments(run, evidence),
    }
    return {**found, "sections": list(_sections(found))}


def asked(run: Run) -> str:
    """The command as it was typed."""
    command = run.head.get("command")
    if not isinstance(command, list):
        return "a run whose log does not say what was asked"
    return shlex.join([str(run.head.get("program") or "invoke"), *map(str, command)])


def ending(run: Run) -> Ending:
    """How the run ended, in a sentence."""
    if run.error is not None:
        message, next_step = str(run.error.get("message") or ""), str(run.error.get("next_step") or "")
        code = run.error.get("exit_code")
        if code == STOPPED:
            return Ending(word="Stopped", sentence=message, next_step=next_step, style="odd", sign="‖")
        sentence = f"{message} (exit code {code})"
        return Ending(word="Failed", sentence=sentence, next_step=next_step, style="bad", sign="✗")
    if run.result is not None:
        return Ending(word="Finished", sentence=f"It took {words.seconds(run.wall)}.", style="good", sign="✓")
    return Ending(
        word="No result",
        sentence="The log stops without one: the run was killed, or it was still going when this page was made.",
        next_step="Run the same command again: what is finished will be used.",
        style="odd",
        sign="…",
    )


def _oddities(run: Run) -> list[str]:
    """What is strange about the log itself."""
    found = []
    if not run.head:
        found.append("The log has no first line, so that neither the command nor the machine is known.")
    if run.unreadable == 1:
        found.append("One line of the log cannot be read; a run that is killed leaves its last one torn.")
    elif run.unreadable:
        found.append(f"{run.unreadable} lines of the log cannot be read.")
    if run.set_back:
        found.append(
            f"The clock was set back by {words.seconds(run.set_back)} during the run; later times are moved along."
        )
    return found


def _state(job: Job) -> str:
    """The state of a job as it is counted: of one that was done without being begun nothing was left to do."""
    return CACHED if job.state == DONE and job.began is None else job.state


def _counts(states: Iterable[str], order: Sequence[str]) -> list[tuple[str, int]]:
    """How many there are of each state, in the usual order, those of other versions last."""
    counted = Counter(states)
    names = [*(name for name in order if name in counted), *sorted(set(counted) - set(order))]
    return [("up to date" if name == CACHED else name, counted[name]) for name in names]


def _models(run: Run, rows: Sequence[TargetRow]) -> list[dict[str, Any]]:
    found = []
    for model in run.models:
        own = [row for row in rows if row.target.model == model]
        states = [job.state for job in run.jobs.values() if job.model == model]
        bad = any(row.target.state == "failed" for row in own) or "failed" in states
        found.append(
            {
                "name": model,
                "open": bad or len(run.models) <= FEW,
                "targets": _counts((row.target.state for row in own), TARGET_ORDER),
                "jobs": _counts(states, JOB_ORDER),
                "graph": model_graph(run, model),
                "rows": [row for row in own if row.anchor],
            }
        )
    return found


def _trainings(run: Run) -> list[dict[str, Any]]:
    found = []
    for job, events in run.training.items():
        course = losses(events)
        left_out = len(events) - len(course)
        sentence = f"{number_of(len(course), 'loss', 'losses')} told"
        if course:
            sentence += f", the last {course[-1][1]:.4g} at step {course[-1][0]:g} of {events[-1].get('steps', '?')}"
        if left_out:
            sentence += f"; {left_out} more had no finite loss"
        found.append({"job": job, "sentence": f"{sentence}.", "plot": loss_plot(events, job)})
    return found


def _versions(run: Run) -> list[tuple[str, str]]:
    host = run.head.get("host")
    host = host if isinstance(host, dict) else {}
    memory = number(host.get("memory"))
    found = [
        ("bertbuild", run.head.get("version")),
        ("isolation", run.head.get("isolation")),
        ("machine", host.get("machine")),
        ("processors", host.get("cpus")),
        ("memory of the machine", words.size(memory) if memory else None),
        ("Python", host.get("python")),
        ("system", host.get("system")),
    ]
    return [(name, str(value)) for name, value in found if value]


def _environments(run: Run, evidence: Evidence) -> list[dict[str, Any]]:
    """A row for each environment that results of the run were made in."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, Any]] = {}
    for job_id, facts in evidence.facts.items():
        if not facts.environment:
            continue
        pinned = tuple(sorted(facts.environment.items()))
        backend = run.jobs[job_id].backend or "?"
        row = found.setdefault((backend, pinned), {"backend": backend, "pinned": pinned, "results": 0, "used": {}})
        row["results"] += 1
        row["used"].update(facts.packages)
        if facts.python:
            row["used"]["Python"] = facts.python
    for row in found.values():
        row["packages"] = [f"{name} {version}" for name, version in sorted(row["used"].items())]
    return [row for _, row in sorted(found.items())]


def _sections(found: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if found["failures"]:
        yield "failures", f"{found['failures_title']} ({len(found['failures'])})"
    yield "targets", f"Targets ({len(found['rows'])})"
    yield "timeline", "Timeline"
    if found["models"]:
        yield "models", f"Models ({len(found['models'])})"
    if found["trainings"]:
        yield "training", "Training"
    yield "environments", "Environments"
    if found["run"].remarks:
        yield "remarks", "Notes"
