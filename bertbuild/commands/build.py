"""build: the models and targets of a build file, each model's targets planned as soon as the model is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.buildfile.entries import BuildFile
from bertbuild.commands.entry_jobs import EntryJobs, require_places
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.commands.training_jobs import TrainingJobs
from bertbuild.commands.unchanged import Unchanged
from bertbuild.engine.events import Asked
from bertbuild.engine.jobs import GateJob, StageJob
from bertbuild.errors import BertbuildError, BuildFailedError
from bertbuild.plans.parts import Part
from bertbuild.plural import are, number_of
from bertbuild.report.counts import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """A target of a build file that is there.

    Attributes:
        model: what it is made of.
        target: its name.
        state: "built", "up to date" or "not verified".
        left_out: parts of the model that it has not.
        path: its name in out/, a link to the folder in the store.
        key: of the result that it is.
        max_abs: the largest absolute difference from the source's answers, None where not verified.
        references: the TensorFlows that ran the source.
        head_assumed: whether it gives the answers of a head whose kind nothing tells.
    """

    model: str
    target: str
    state: str
    left_out: tuple[Part, ...]
    path: Path
    key: str
    max_abs: float | None
    references: tuple[str, ...]
    head_assumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBuilt(Result):
    """The targets of a build file, in its order; model → the figures of its evaluation, where the file asks for one."""

    targets: tuple[FileTarget, ...]
    evaluations: Mapping[str, Path]


def build(session: Session, build_file: BuildFile, *, keep_going: bool, verify_reproducible: bool = False) -> FileBuilt:
    """Build every target of a build file, and say how many are built and up to date.

    Args:
        session: of the command.
        build_file: what to build.
        keep_going: whether a failure lets go on what does not depend on it.
        verify_reproducible: whether every stage is then run once more, and must write the same.

    Raises:
        BuildFailedError: a target failed, or what it is made of; those that passed have their names.
        NotReproducibleError: a stage wrote something else the second time.
        AccuracyError: a target is too far below its source on what the file says to measure it on.
    """
    session.warn(build_file.warnings)
    require_places(session, build_file.models)
    asked = Asked(models=[entry.name for entry in build_file.models], build_file=str(build_file.path))
    unchanged = Unchanged(session, build_file)
    if not verify_reproducible and (said := unchanged.said_again(asked)) is not None:
        return session.result(_built(said), *said["lines"])
    jobs = TrainingJobs(session, build_file.models, keep_going=keep_going)
    failures = session.engine.execute(jobs.roots(), asked, keep_going=keep_going)
    _check(jobs, failures)
    if verify_reproducible:
        from bertbuild.commands.reproduce import verify_reproducible as verify

        verify(session, [job for job in jobs.jobs.ids.values() if isinstance(job, StageJob)], asked)
    measured: dict[str, Path] = {}
    if any(entry.evaluate for entry in jobs.entries):
        from bertbuild.commands.file_evaluations import evaluations

        measured = evaluations(session, jobs)
    built, lines = _finish(session, jobs, measured)
    session.result(built, *lines)
    unchanged.keep(jobs.jobs, {**built.facts(), "lines": lines})
    return built


def _targets(jobs: EntryJobs) -> list[tuple[str, str]]:
    """Model and name of every target."""
    return [(entry.name, target.name) for entry in jobs.entries for target in entry.targets]


def _check(jobs: EntryJobs, failures: Sequence[BertbuildError]) -> None:
    """Say how many targets failed.

    Raises:
        BuildFailedError: something failed.
    """
    targets = _targets(jobs)
    missing = [name for name in targets if not (gates := jobs.gates.get(name)) or gates[-1].built is None]
    if failures:
        raise BuildFailedError(
            f"{len(missing)} of {number_of(len(targets), 'target')} {are(len(missing))} not built.",
            failures=failures,
            next_step="See the failures above; what is built has its name in out/. To see it all: invoke report",
        )


def _finish(session: Session, jobs: EntryJobs, measured: Mapping[str, Path]) -> tuple[FileBuilt, list[str]]:
    """What is built, and the lines that say so."""
    rows = [_fact(name, jobs.gates[name][-1], jobs.left(*name)) for name in _targets(jobs)]
    counts = counted(row.state for row in rows) or "none"
    line = f"{number_of(len(rows), 'target')} in {shown(session.store.root / 'out')}: {counts}"
    left = _left_out({name: jobs.left(*name) for name in _targets(jobs)})
    assumed = [told for name in _targets(jobs) if (built := jobs.gates[name][-1].built) for told in built.told]
    figures = [f"{model}: {shown(path)}" for model, path in measured.items()]
    return FileBuilt(targets=tuple(rows), evaluations=measured), [*left, line, *assumed, *figures]


def _built(facts: Mapping[str, Any]) -> FileBuilt:
    """The targets that `Result.facts` told of, none of which was measured."""
    targets = [
        FileTarget(
            **{
                **row,
                "left_out": tuple(Part(**{**part, "names": tuple(part["names"])}) for part in row["left_out"]),
                "path": Path(row["path"]),
                "references": tuple(row["references"]),
            }
        )
        for row in facts["targets"]
    ]
    return FileBuilt(targets=tuple(targets), evaluations={})


def _left_out(left: Mapping[tuple[str, str], Sequence[Part]]) -> Iterable[str]:
    """What targets leave out of their models; targets that leave out the same are named together."""
    by_part: dict[tuple[str, Part], list[str]] = {}
    for (model, target), parts in left.items():
        for part in parts:
            by_part.setdefault((model, part), []).append(target)
    for (model, part), targets in by_part.items():
        yield part.line(f"{model}/{', '.join(targets)}")


def _fact(name: tuple[str, str], gate: GateJob, left: Sequence[Part]) -> FileTarget:
    assert gate.built is not None  # noqa: S101 - else `_check` has raised
    verdict = gate.built.verdict
    return FileTarget(
        model=name[0],
        target=name[1],
        state=gate.state,
        left_out=tuple(left),
        path=gate.built.path,
        key=gate.built.stored.key,
        max_abs=verdict.worst.max_abs if verdict else None,
        references=tuple(verdict.references) if verdict else (),
        head_assumed=bool(gate.built.assumed),
    )
