"""What a catalogue model's targets will need, before anybody has seen the model: so that it is made meanwhile."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bertbuild.buildfile.entries import ModelEntry, TargetEntry
from bertbuild.catalogue.models import find_model
from bertbuild.commands.reference import presumed, require_1
from bertbuild.commands.session import Session
from bertbuild.errors import BertbuildError, InterpreterMissingError, UsageError
from bertbuild.heads.classifier import found
from bertbuild.huggingface.folder import find_files, is_huggingface
from bertbuild.kinds.int8 import Calibration, plan_text_examples
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.kind import Request
from bertbuild.kinds.planning import plan_targets
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File, Plan, Source
from bertbuild.plans.wanted import Wanted
from bertbuild.source.fetched import fetch_model
from bertbuild.source.resolve import import_plan, model_name
from bertbuild.stages import STAGES


def imported_ahead(session: Session, model: str, name: str, request: Request) -> None:
    """Fetch a model that is not here; one that is a Hugging Face folder is imported while environments are made.

    It is fetched first, by this thread, which Ctrl-C ends at once.

    Args:
        session: of the command.
        model: of the catalogue.
        name: what its results are called; empty: as the model.
        request: its targets.

    Raises:
        BertbuildError: the model cannot be had, or an environment cannot be made.
        UsageError: the request contradicts the model, which is not imported.
        InterpreterMissingError: a target needs TensorFlow 1.15, which cannot be had here; nothing is fetched.
    """
    name = name or find_model(model).name
    plan = _plan(session, request, model=name)
    require_1(session, plan)
    folder = fetch_model(model, session.settings, session.store, session.report)
    if is_huggingface(folder):
        _refuse(session, folder, name, request)
        jobs = session.engine.jobs()
        new, _ = jobs.of_steps(import_plan(folder, name, session.store))
        session.engine.run_jobs([*new, *jobs.of_environments(map(backend_of, plan.steps))], name)


def backends_of_import(model: str) -> list[str]:
    """The backend that imports a catalogue model, where it is a Hugging Face folder."""
    return [STAGES["import"].backend] if find_model(model).kind == "huggingface" else []


def backends_of_request(session: Session, request: Request, reference: str = "") -> list[str]:
    """The backends that a request's plan takes; `reference` is what a build file says."""
    return [backend_of(step) for step in _plan(session, request, reference).steps]


def refused_ahead(session: Session, wanted: Wanted, request: Request) -> None:
    """Refuse what cannot be made of a Hugging Face folder, the checkpoint that is wanted, before it is imported.

    A folder whose weights were hashed in an earlier run was imported by that run, and is not looked into again.

    Raises:
        UsageError: the request contradicts the model, or the reference that was asked for.
        CheckpointError: the folder cannot be imported.
        InterpreterMissingError: a target needs TensorFlow 1.15, which cannot be had here.
    """
    folder = Path(wanted.checkpoint)
    if not is_imported(session, folder):
        _refuse(session, folder, wanted.name or model_name(folder, session.store), request)


def refusals(session: Session, entry: ModelEntry, folder: Path) -> dict[str, BertbuildError]:
    """Why targets of a build file's model cannot be made of a Hugging Face folder, by their names; as `refused_ahead`.

    Raises:
        CheckpointError: the folder cannot be imported.
    """
    from bertbuild.source.expected import expected_source

    if is_imported(session, folder):
        return {}
    source = expected_source(folder, entry.name)
    found = {target.name: _refusal(session, source, target) for target in entry.targets}
    return {name: error for name, error in found.items() if error is not None}


def _refusal(session: Session, source: Source, target: TargetEntry) -> BertbuildError | None:
    try:
        require_1(session, _planned(session, source, target.request, target.reference))
    except (UsageError, InterpreterMissingError) as error:
        return error
    return None


def is_imported(session: Session, folder: Path) -> bool:
    """Whether an earlier run imported a Hugging Face folder: it has hashed the weights.

    Raises:
        CheckpointError: it is not a whole folder.
    """
    return all(session.store.inputs.knows(path.resolve()) for path in find_files(folder).weights)


def _refuse(session: Session, folder: Path, name: str, request: Request) -> None:
    from bertbuild.source.expected import expected_source  # takes numpy, which a start of the program can do without

    require_1(session, _planned(session, expected_source(folder, name), request))


def _plan(
    session: Session,
    request: Request,
    reference: str = "",
    model: str = "model",
) -> Plan:
    nobody = File(path=Path(), digest="")
    source = Source(model=model, kind="checkpoint", file=nobody, gelu=None, published=True, heads=(found(2),))
    with contextlib.suppress(UsageError):  # the command will say so itself
        return _planned(session, source, request, reference)
    return Plan(model=model, steps=())


def _planned(session: Session, source: Source, request: Request, reference: str = "") -> Plan:
    calibration = None
    if isinstance(request, Ir) and request.is_calibrated:
        calibration = _unread(source, request)
    plan = plan_targets(source, request, File(path=Path(), digest=""), calibration)
    return presumed(session, plan, reference)


def _unread(source: Source, request: Ir) -> Calibration:
    """As `find_calibration`, which reads the model's vocabulary and the examples; here neither need be there."""
    nobody = source.file
    if not request.calibration_text:
        return Calibration(examples=nobody, validation=nobody if request.max_drop else None)
    step = plan_text_examples(nobody, nobody, source, request)
    return Calibration(examples=step.id, steps=(step,))
