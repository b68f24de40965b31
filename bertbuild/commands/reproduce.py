"""build --verify-reproducible: every stage run once more, and what it wrote compared with its result."""

from __future__ import annotations

from collections.abc import Sequence

from bertbuild.commands.session import Session
from bertbuild.engine.events import Asked
from bertbuild.engine.jobs import StageJob
from bertbuild.errors import NotReproducibleError
from bertbuild.plural import are, number_of
from bertbuild.stages import STAGES


def verify_reproducible(session: Session, done: Sequence[StageJob], asked: Asked) -> None:
    """Run stages that are done once more; trainings, whose results are inputs of the others, are left out.

    Raises:
        NotReproducibleError: a file that must be the same is another.
        BertbuildError: a stage failed the second time.
    """
    again = [session.engine.again(job) for job in done if not STAGES[job.step.stage].resumable]
    failures = session.engine.execute(again, asked, keep_going=True)
    if failures:
        raise failures[0]
    different = [job for job in again if job.comparison is not None and not job.comparison.reproducible]
    if different:
        raise NotReproducibleError(
            f"{len(different)} of {number_of(len(again), 'stage')} wrote something else the second time: "
            f"{different[0].model}, "
            f"{different[0].step.id}.",
            next_step="See the lines above; docs/provenance.md tells which files may differ.",
            details="\n".join(line for job in different if job.comparison for line in job.comparison.lines()),
        )
    left_out = len(done) - len(again)
    trainings = f"; {number_of(left_out, 'training')} {are(left_out, 'was', 'were')} not run again" if left_out else ""
    text = f"{number_of(len(again), 'stage')} {are(len(again), 'was', 'were')} run again and wrote the same{trainings}"
    session.report({"event": "note", "text": text})
