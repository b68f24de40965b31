"""What went wrong in a run: each failure once, with its words, its next step, and what was skipped because of it."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.plural import number_of
from bertbuild.report.html import words
from bertbuild.report.html.evidence import Evidence
from bertbuild.report.html.run import FAILED, INTERRUPTED, SKIPPED, TAIL, UNFINISHED, Job, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure; `tail` are last words of a log or of the error itself, `caption` says whose."""

    sign: str
    title: str
    message: str = ""
    next_step: str = ""
    skipped: tuple[str, ...] = ()
    tail: str = ""
    caption: str = ""


def failures(run: Run, evidence: Evidence) -> list[Failure]:
    """Of jobs first, then of targets that no failed job stands for, then the run's own words where no log has them."""
    found = [_of_job(run, job, evidence) for job in run.jobs.values() if job.state in (FAILED, INTERRUPTED, UNFINISHED)]
    told = {target for job in run.jobs.values() if job.state == FAILED for target in job.targets}
    found += [
        Failure(sign=words.sign(FAILED), title=f"{target.model} {target.name} failed", message=target.message)
        for target in run.targets.values()
        if target.state == FAILED and (target.model, target.name) not in told
    ]
    details = str((run.error or {}).get("details") or "")
    if details and not any(failure.tail for failure in found):  # else they are the same lines
        tail = "\n".join(words.log_lines(details)[-TAIL:])
        found.append(Failure(sign=words.sign(FAILED), title="Last words", tail=tail, caption="As the run said them:"))
    return found


def _of_job(run: Run, job: Job, evidence: Evidence) -> Failure:
    message = job.message or next(
        (
            target.message
            for target in run.targets.values()
            if job.state == FAILED and (target.model, target.name) in job.targets and target.message
        ),
        "",
    )
    tail = evidence.tails.get(job.id, "")
    caption = f"The last {number_of(tail.count(chr(10)) + 1, 'line')} of {job.log or 'what it said'}:" if tail else ""
    skipped = tuple(other.id for other in run.jobs.values() if other.state == SKIPPED and other.because == job.id)
    if job.state == UNFINISHED:
        title = f"{job.id} had run for {words.seconds(job.seconds)} when the log stops"
    else:
        title = f"{job.id} {job.state}" + (f" after {words.seconds(job.seconds)}" if job.ran else "")
    return Failure(
        sign=words.sign(job.state),
        title=title,
        message=message,
        next_step=job.next_step,
        skipped=skipped,
        tail=tail,
        caption=caption,
    )
