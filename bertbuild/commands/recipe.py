"""How a model is fine-tuned: what to train on is found, or what prepares it; then the training is planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bertbuild.catalogue.models import find_model
from bertbuild.commands.data import Asked, planned, task_of
from bertbuild.commands.reference import require_1
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.plans.finetuning import STEP, FinetuneRequest, Named, plan_finetune
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.prepare_data import OF_OWN, target_name
from bertbuild.plans.wanted import Wanted
from bertbuild.source.prepared import DEV, FACTS, TEST, TEST_WORDS, TRAIN, files_of, read_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What to train on: a prepared folder or the step that makes one (with its name in out/ and what was asked for),
    task, sequence length; the kind of head that is trained where that is known.
    """

    source: File | str
    task: str
    length: int
    questions: File | None
    head: str = ""
    before: tuple[Step, ...] = ()
    target: str = ""
    asked: Asked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training that is planned, and what it is on."""

    plan: Plan
    data: Data


def plan_training(
    session: Session, source: Source, origin: Wanted, folder: Path, named: Named, request: FinetuneRequest
) -> Training:
    """The plan that trains `source.model` from an inspected checkpoint.

    Args:
        session: of the command.
        source: the checkpoint.
        origin: how it was named.
        folder: where it is on disk.
        named: what to train on.
        request: how.

    Raises:
        UsageError: the source is not a checkpoint, or the data are not as they are said to be.
        DataError: the data cannot be used.
    """
    data = _data(session, replace(origin, name=source.model), folder, named, request)
    plan = plan_finetune(source, data.source, data.questions, request, before=data.before)
    return Training(plan=plan, data=data)


def require_tensorflow_1(session: Session, model: str) -> None:
    """Ask for TensorFlow 1.15 before data and model are fetched; of the whole plan nothing but the training needs it.

    Raises:
        InterpreterMissingError: it cannot be had here.
    """
    require_1(session, Plan(model=model, steps=(Step(id=STEP, stage="finetune", inputs={}),)))


def check_named(named: Named) -> None:
    """Refuse what names nothing to train on, before anything is fetched.

    Raises:
        UsageError: a task and a prepared folder are named, or neither; or there is no such task.
    """
    if bool(named.prepared) == bool(named.task or named.data):
        raise UsageError(
            "Name what to train on: a task, or data that are prepared.",
            next_step="For instance --task MRPC, or --prepared FOLDER of prepare-data; not both.",
        )
    if named.task.upper() == "XNLI":
        raise UsageError(
            "google-research/bert trains XNLI on Chinese, the Model Garden on English; --task does not say which.",
            next_step="Say it: invoke prepare-data --task XNLI --xnli-language zh; then give its folder as --prepared.",
        )
    if not named.prepared:
        task_of(Asked(task=named.task, data=named.data))


def _data(session: Session, origin: Wanted, folder: Path, named: Named, request: FinetuneRequest) -> Data:
    """The prepared folder that was named, or the step that prepares the task's data.

    Raises:
        DataError: the folder holds no prepared data.
        UsageError: it was prepared otherwise than is said.
    """
    questions = _questions(session, named.squad)
    if not named.prepared:
        return _to_prepare(session, origin, folder, named, request, questions)
    prepared = Path(named.prepared)
    facts = read_facts(prepared)
    if named.do_lower_case not in (None, facts.get("do_lower_case")):
        raise UsageError(
            f"--do-lower-case {str(named.do_lower_case).lower()} is not how {prepared} was prepared.",
            next_step="Leave it out, or prepare the data again: --task in the place of --prepared.",
        )
    source = files_of(prepared, (FACTS, TRAIN, DEV, TEST, TEST_WORDS), session.store)
    length, head = facts.get("max_seq_length", 0), str(facts.get("head") or "")
    return Data(source=source, task=str(facts["task"]), length=length, questions=questions, head=head)


def _to_prepare(
    session: Session, origin: Wanted, folder: Path, named: Named, request: FinetuneRequest, questions: File | None
) -> Data:
    lower_case = find_model(origin.model).lower_case if origin.model else None
    asked = Asked(
        task=named.task,
        data=named.data,
        checkpoint=str(folder),
        config=origin.config,
        vocab_file=origin.vocab,
        name=origin.name,
        do_lower_case=lower_case if named.do_lower_case is None else named.do_lower_case,
        version_2_with_negative=request.version_2_with_negative,
        vocab_reading=named.vocab_reading,
        doc_stride=request.doc_stride,
        max_query_length=request.max_query_length,
        **{name: getattr(named, name) for name in OF_OWN},
    )
    if request.max_seq_length is not None:
        asked = replace(asked, max_seq_length=request.max_seq_length)
    plan, prepare = planned(session, asked)
    (step,) = plan.steps
    read = step.inputs["data"]
    if prepare.squad and questions is None and isinstance(read, File):
        dev = read.path.with_name(read.path.name.replace("train", "dev"))
        questions = _questions(session, str(dev)) if dev.is_file() and dev != read.path else None
    return Data(
        source=step.id,
        task=prepare.own_name or prepare.task,
        length=prepare.max_seq_length,
        questions=questions,
        before=plan.steps,
        target=target_name(prepare),
        asked=replace(asked, model=origin.model, checkpoint=origin.checkpoint),
    )


def _questions(session: Session, path: str) -> File | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise UsageError(f"--squad {path} is not a file.", next_step="Give SQuAD's JSON, for instance dev-v1.1.json.")
    return session.file(Path(path))
