"""The commands that make the targets of one source: a build file of one entry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertbuild.commands.entry_jobs import EntryJobs, asked_alone, entry_of, require_places
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.engine.gate import NO_DEVICE
from bertbuild.engine.gate import Built as Made
from bertbuild.kinds import kind_of
from bertbuild.kinds.kind import Request
from bertbuild.plans.parts import Part
from bertbuild.plans.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTarget:
    """A target that is made, judged and named.

    Attributes:
        target: its name.
        path: its name in out/, a link to the folder in the store.
        key: of the result that it is.
        verified: whether it was compared with its source; on a machine without its device it cannot be.
        max_abs: the largest absolute difference from the source's answers, None where not verified.
        references: the TensorFlows that ran the source.
        instructions: of the processor that it was compared on.
        head_assumed: whether it gives the answers of a head whose kind nothing tells.
    """

    target: str
    path: Path
    key: str
    verified: bool
    max_abs: float | None
    references: tuple[str, ...]
    instructions: str
    head_assumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Built(Result):
    """What was made of a model.

    Attributes:
        model: its name.
        targets: what was made, in this order.
        left_out: parts of the model that no target has.
        target: the name of the last one, which was asked for.
        path: what people open of it: its main file or folder, or the copy that was asked for.
    """

    model: str
    targets: tuple[BuiltTarget, ...]
    left_out: tuple[Part, ...]
    target: str
    path: Path


def build(session: Session, wanted: Wanted, request: Request, *, copy_to: str = "") -> Built:
    """Make the targets of one source, judge each, and say where it is.

    Args:
        session: of the command.
        wanted: the source.
        request: the targets.
        copy_to: where the last target is copied to as well: a folder, or the prefix of a checkpoint.

    Raises:
        ParityError: a target does not answer like its source.
        UsageError: `copy_to` holds another model.
    """
    kind = kind_of(request)
    if copy_to:
        from bertbuild.commands.copying import check_copy

        check_copy(kind, copy_to)
    entry = entry_of(session, wanted, asked_alone(request), flags=kind.command.sources)
    require_places(session, [entry])
    jobs = EntryJobs(session, [entry])
    session.engine.run_jobs(jobs.roots(), entry.name)
    built = [gate.built for gate in jobs.gates[entry.name, ""] if gate.built is not None]
    folder, left = built[-1].path, jobs.left(entry.name, "")
    if kind.mapping:
        from bertbuild.report.mapping import mapping_table

        session.report(mapping_table(folder, kind.mapping))
    lines = [*(part.line() for part in left), *built[-1].told] + [
        f"{shown(target.path / kind.main_file)}" + ("" if target.verdict else f"   NOT VERIFIED: {NO_DEVICE}")
        for target in built
    ]
    path = folder / kind.main_file
    if copy_to:
        from bertbuild.commands.copying import copied_as

        path = copied_as(kind, folder, Path(copy_to))
        lines.append(shown(path))
    targets = tuple(map(_fact, built))
    result = Built(model=entry.name, targets=targets, left_out=tuple(left), target=targets[-1].target, path=path)
    return session.result(result, *lines)


def _fact(built: Made) -> BuiltTarget:
    verdict = built.verdict
    return BuiltTarget(
        target=built.target,
        path=built.path,
        key=built.stored.key,
        verified=verdict is not None,
        max_abs=verdict.worst.max_abs if verdict else None,
        references=tuple(verdict.references) if verdict else (),
        instructions=verdict.instructions if verdict else "",
        head_assumed=bool(built.assumed),
    )
