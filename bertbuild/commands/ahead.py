"""What targets will need, and which are refused, before their model is here: fetched, or imported."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from bertbuild.buildfile.entries import ModelEntry, Recipe, TargetEntry
from bertbuild.catalogue.models import find_model
from bertbuild.checkpoint.tokenizer_file import tokenizer_in
from bertbuild.commands.reference import presumed, require_1, with_folder
from bertbuild.commands.session import Session
from bertbuild.errors import BertbuildError, InterpreterMissingError, UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.huggingface.folder import find_files, is_huggingface
from bertbuild.kinds import kind_of
from bertbuild.kinds.int8 import Calibration, asks_int8, plan_text_examples
from bertbuild.kinds.ir_request import Calibrated
from bertbuild.kinds.kind import Request
from bertbuild.kinds.planning import plan_targets
from bertbuild.plans.carrying import with_text
from bertbuild.plans.placing import TF1, backend_of
from bertbuild.plans.plan import TF2_CHECKPOINT, File, Origin, Plan, Source
from bertbuild.source.resolve import is_fetched
from bertbuild.stages import STAGES
from bertbuild.text.facts import Text

EVERY_HEAD = tuple(
    FoundHead(kind=head.name, weights=head.last[0], bias=head.last[1], labels=2)
    for head in HEADS.values()
    if not head.of_encoder
)
"""The heads of a model that nobody has seen, where an output that was asked for needs one."""


def backends_of_import(model: str) -> list[str]:
    """The backend that imports a catalogue model, where it is a Hugging Face folder."""
    return [STAGES["import"].backend] if find_model(model).kind == "huggingface" else []


def backends_of_targets(session: Session, entry: ModelEntry) -> list[str]:
    """The backends that the plans of an entry's targets take."""
    return [backend_of(step) for plan in _plans(session, entry) for step in plan.steps]


def expect_stages(session: Session, entry: ModelEntry) -> None:
    """Have what the first stages of an entry's targets import imported while the model is read for the first time.

    Nothing on a cluster, where they run elsewhere, nor where a remote store may have their results, nor where nothing
    of TensorFlow 1.15 is made yet: then it is not known what will answer for the model.
    """
    settings = session.settings
    if settings.remote or settings.scheduler or session.only_looks or not session.isolation.is_ready(TF1):
        return
    for step in (step for plan in _plans(session, entry) for step in plan.steps):
        if all(isinstance(source, File) for source in step.inputs.values()):
            spec = STAGES[step.stage]
            session.isolation.expect(backend_of(step), spec.backend, spec.command)


def _plans(session: Session, entry: ModelEntry) -> list[Plan]:
    """Those of an entry's targets, of a model that nobody has seen."""
    plans = [_presumed(session, entry, target) for target in entry.targets]
    if _has_words(entry):
        nobody = File(path=Path(), digest="")
        plans = [with_text(plan, Text(), nobody) for plan in plans]
    return plans


def refused_unfetched(session: Session, entry: ModelEntry, model: str) -> dict[str, BertbuildError]:
    """Why targets of a catalogue model cannot be made on this machine, by their names; nothing once it is fetched."""
    if is_fetched(model, session.store):
        return {}
    found = {target.name: _lacks_1(session, _presumed(session, entry, target)) for target in entry.targets}
    return {name: error for name, error in found.items() if error is not None}


def refusals(session: Session, entry: ModelEntry, folder: Path) -> dict[str, BertbuildError]:
    """Why targets cannot be made of a Hugging Face folder that is not imported yet, by their names.

    Raises:
        CheckpointError: the folder cannot be imported.
        UsageError: its head is of another kind than the user says.
    """
    from bertbuild.source.expected import expected_source  # takes numpy, which a start of the program can do without

    head = "" if isinstance(entry.source, Recipe) else entry.source.head
    source = expected_source(folder, entry.name, head)
    found = {target.name: _refusal(session, source, target) for target in entry.targets}
    return {name: error for name, error in found.items() if error is not None}


def _refusal(session: Session, source: Source, target: TargetEntry) -> BertbuildError | None:
    try:
        return _lacks_1(session, _planned(session, source, target.request, target.reference))
    except UsageError as error:
        return error


def _lacks_1(session: Session, plan: Plan) -> BertbuildError | None:
    try:
        require_1(session, plan)
    except InterpreterMissingError as error:
        return error
    return None


def is_imported(session: Session, folder: Path) -> bool:
    """Whether an earlier run imported a Hugging Face folder: it has hashed the weights.

    Raises:
        CheckpointError: it is not a whole folder.
    """
    return all(session.store.inputs.knows(path.resolve()) for path in find_files(folder).weights)


def _presumed(session: Session, entry: ModelEntry, target: TargetEntry) -> Plan:
    """The plan of a target of a model that nobody has seen: of a checkpoint that has all that can be asked for."""
    nobody = File(path=Path(), digest="")
    kind = TF2_CHECKPOINT if kind_of(target.request).command.sources[0] == "tf2" else "checkpoint"
    origin = Origin(file=nobody) if _is_folder(entry) else None  # which comes without a .meta
    source = Source(model=entry.name, kind=kind, file=nobody, gelu=None, published=origin is None, origin=origin)
    for heads in ((), EVERY_HEAD):
        with contextlib.suppress(UsageError):  # the command will say so itself
            return _planned(session, replace(source, heads=heads), target.request, target.reference)
    return Plan(model=entry.name, steps=())


def _has_words(entry: ModelEntry) -> bool:
    """Whether a model comes with a tokenizer, as far as is known before it is looked at."""
    wanted = entry.source
    if isinstance(wanted, Recipe) or wanted.model:
        return True
    path = Path(wanted.checkpoint)
    folder = path if path.is_dir() else path.parent
    return bool(wanted.checkpoint) and folder.is_dir() and tokenizer_in(folder) is not None


def _is_folder(entry: ModelEntry) -> bool:
    """Whether a model is a Hugging Face folder, as far as its name tells."""
    wanted = entry.source
    if isinstance(wanted, Recipe):
        return False
    if wanted.model:
        return find_model(wanted.model).kind == "huggingface"
    return bool(wanted.checkpoint) and is_huggingface(Path(wanted.checkpoint))


def _planned(session: Session, source: Source, request: Request, reference: str = "") -> Plan:
    calibration = None
    if asks_int8(request):
        calibration = _unread(source, request)
    plan = plan_targets(source, request, File(path=Path(), digest=""), calibration)
    plan = with_folder(session, plan, source, reference)
    return presumed(session, plan, reference)


def _unread(source: Source, request: Calibrated) -> Calibration:
    """As `find_calibration`, which reads the model's vocabulary and the examples; here neither need be there."""
    nobody = source.file
    if not request.calibration_text:
        return Calibration(examples=nobody, validation=nobody if request.max_drop else None)
    step = plan_text_examples(nobody, nobody, source, request)
    return Calibration(examples=step.id, steps=(step,))
