"""What a build file says to measure, measured once its targets are built; one model after another, alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bertbuild.buildfile.entries import EvaluateEntry, ModelEntry, Recipe
from bertbuild.commands.evaluate import measure
from bertbuild.commands.session import Session
from bertbuild.commands.training_jobs import TrainingJobs
from bertbuild.errors import AccuracyError, BuildFailedError
from bertbuild.kinds.evaluated_data import Data
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import number_of


def evaluations(session: Session, jobs: TrainingJobs) -> dict[str, Path]:
    """Measure what the file says: model → the file that has its figures.

    Raises:
        AccuracyError: a target of one model is too far below its source.
        BuildFailedError: of several.
    """
    found: dict[str, Path] = {}
    failures: list[AccuracyError] = []
    entries = [(entry, entry.evaluate) for entry in jobs.entries if entry.evaluate is not None]
    for entry, asked in entries:
        wanted, data = _named(jobs, entry, asked)
        try:
            found[entry.name] = measure(session, wanted, data, asked.request, asked.max_drop).path
        except AccuracyError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BuildFailedError(
            f"{len(failures)} of {number_of(len(entries), 'model')} do not keep their accuracy.",
            failures=failures,
            next_step="See the tables above; max_drop of their [models.NAME.evaluate] says how much is allowed.",
        )
    return found


def _named(jobs: TrainingJobs, entry: ModelEntry, asked: EvaluateEntry) -> tuple[Wanted, Data]:
    """The model, and what it is measured on: what its recipe trained it on, where nothing else is named."""
    if not isinstance(entry.source, Recipe):
        return entry.source, asked.data
    wanted = Wanted(checkpoint=str(jobs.found[entry.name].source.file.path), name=entry.name)
    if not asked.data.names_none:
        return wanted, asked.data
    prepared, questions = str(jobs.prepared(entry.name)), entry.source.named.squad
    return wanted, replace(asked.data, prepared=prepared, squad_data_file=questions)
