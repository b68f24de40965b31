"""freeze, build-ir, export, neuron-ready, neuron-compile: the targets of one source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertbuild.commands.reference import with_reference
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.engine.gate import NO_DEVICE
from bertbuild.huggingface.folder import is_huggingface
from bertbuild.kinds import kind_of
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.kind import Request
from bertbuild.kinds.leaving import left_out
from bertbuild.kinds.planning import longest_probe, plan_targets
from bertbuild.plans.parts import Part
from bertbuild.plans.plan import Source
from bertbuild.plans.wanted import Wanted
from bertbuild.source.resolve import check_name, is_fetched, resolve


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
    """

    target: str
    path: Path
    key: str
    verified: bool
    max_abs: float | None
    references: tuple[str, ...]
    instructions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Built(Result):
    """What was made of a model, and the parts of it that no target has."""

    model: str
    targets: tuple[BuiltTarget, ...]
    left_out: tuple[Part, ...]


def build(
    session: Session,
    wanted: Wanted,
    request: Request,
    *,
    output_dir: str = "",
) -> Built:
    """Make what was asked for, judge it, name it in out/, and say where it is.

    Args:
        session: of the command.
        wanted: the source.
        request: the targets.
        output_dir: where the last target is copied to as well.

    Raises:
        ParityError: a target does not answer like its source.
        UsageError: `output_dir` holds another model.
    """
    if output_dir:
        from bertbuild.commands.copying import check_destination, copied

        check_destination("output-dir", output_dir)
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_for

        require_for(session, wanted, request)
    others = wanted.checkpoint or wanted.frozen or wanted.saved_model
    if wanted.model and not others and not is_fetched(wanted.model, session.store):
        from bertbuild.commands.ahead import imported_ahead

        check_name(wanted.name)
        imported_ahead(session, wanted.model, wanted.name, request)
    if wanted.checkpoint and is_huggingface(Path(wanted.checkpoint)):
        from bertbuild.commands.ahead import refused_ahead

        refused_ahead(session, wanted, request)
    inspected = resolve(wanted, session.settings, session.store, session.engine, session.report)
    probes = session.probes(inspected, longest_probe(request))
    calibration = calibration_of(session, inspected.source, request)
    plan = plan_targets(inspected.source, request, probes, calibration)
    session.claim_targets(plan, inspected.named, inspected.source.file)
    plan = with_reference(session, plan)
    built = session.engine.build(plan, probes)
    targets = [
        BuiltTarget(
            target=target.target,
            path=target.path,
            key=target.stored.key,
            verified=target.verdict is not None,
            max_abs=target.verdict.worst.max_abs if target.verdict else None,
            references=tuple(target.verdict.references) if target.verdict else (),
            instructions=target.verdict.instructions if target.verdict else "",
        )
        for target in built
    ]
    left = left_out(inspected.source, request)
    main_file = kind_of(request).main_file
    lines = [part.line() for part in left] + [
        f"{shown(target.path / main_file)}" + ("" if target.verdict else f"   NOT VERIFIED: {NO_DEVICE}")
        for target in built
    ]
    if output_dir:
        lines.append(shown(copied(built[-1].path, Path(output_dir))))
    return session.result(Built(model=plan.model, targets=tuple(targets), left_out=tuple(left)), *lines)


def calibration_of(session: Session, source: Source, request: Request) -> Calibration | None:
    """What a request's int8 IR is calibrated on, found and checked; None where no such IR is asked for.

    Raises:
        DataError, UsageError: as `find_calibration`.
    """
    if not isinstance(request, Ir) or not request.is_calibrated:
        return None
    from bertbuild.source.calibration import find_calibration

    return find_calibration(request, source, session.store)
