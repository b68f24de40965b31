"""finetune."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertbuild.catalogue.models import find_model
from bertbuild.checkpoint.reading import Choice
from bertbuild.commands.copying import check_destination, copied
from bertbuild.commands.data import Asked, claim, planned, prepared_task
from bertbuild.commands.entry_jobs import find
from bertbuild.commands.learnt import Learnt, what_was_learnt
from bertbuild.commands.memory import memory_told
from bertbuild.commands.reference import require_1
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.json_text import parse_json
from bertbuild.names import clean_name
from bertbuild.plans.finetuning import STEP, FinetuneRequest, Named, plan_finetune
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.wanted import Wanted
from bertbuild.source.checkpoints import AS_IT_IS, inspected
from bertbuild.source.prepared import DEV, FACTS, TEST, TEST_WORDS, TRAIN, files_of, read_facts
from bertbuild.stages import FACTS as RUN

WRITTEN = ("training.svg", "test_results.tsv", "test_results.conll", "predictions.json")
"""Of a result, the files that people look at."""


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
class Finetuned(Result):
    """A trained checkpoint.

    Attributes:
        model: what it was trained from.
        path: its folder: in out/, or the copy that was asked for.
        key: of the result.
        eval: figures on the dev set, None where that was not evaluated.
        learnt: what was learnt, against the majority class and its like; None where that is not known.
    """

    model: str
    path: Path
    key: str
    eval: Mapping[str, Any] | None
    learnt: Learnt | None


def finetune(
    session: Session, wanted: Wanted, named: Named, request: FinetuneRequest, output_dir: str = ""
) -> Finetuned:
    """Train the model on a task, and name the checkpoint in out/; a run that was ended is resumed.

    Raises:
        UsageError: what to train on is named twice, or not at all; or `output_dir` holds another model.
        InterpreterMissingError: TensorFlow 1.15 cannot be had here.
        StageError: the stage refused its input, or failed.
        StageKilledForMemoryError: memory ran out.
    """
    check_destination("output-dir", output_dir)
    _check_named(named)
    wanted = _as_upstream(session, wanted, request, output_dir)
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_stages

        data_stage = ["prepare-data"] if named.task else []
        task = "" if named.data else named.task
        stages = [*data_stage, "finetune"]
        require_stages(session, stages, model=wanted.model, checkpoint=wanted.checkpoint, task=task)
    if wanted.model:
        find_model(wanted.model)
    _require_1(session, wanted.model)
    data = _data(session, wanted, named, request)
    inspected = find(session, wanted)
    if not request.do_train:
        _require_head(inspected.source, data)
    plan = plan_finetune(inspected.source, data.source, data.questions, request, before=data.before)
    task = clean_name(data.task.lower())
    session.claim(plan.model, f"finetuned-{task}", inspected.named, inspected.source.file.digest)
    if data.asked is not None:
        claim(session, data.asked, Plan(model=plan.model, steps=data.before), data.target)
    flag, tried = ("train", request.train_batch_size) if request.do_train else ("eval", request.eval_batch_size)
    with memory_told(
        f"Tried was a batch of {tried} sequences of {data.length} tokens.",
        next_step=f"Try half: --{flag}-batch-size {max(1, tried // 2)}; or shorter sequences, or more memory.",
    ):
        results = session.engine.run(plan)
    for step in data.before:
        session.store.link(plan.model, data.target, results[step.id])
    link = session.store.link(plan.model, f"finetuned-{task}", results[STEP])
    ran = parse_json((link / RUN).read_text(encoding="utf-8"))["facts"]
    place = copied(link, Path(output_dir)) if output_dir else link
    asked = data.questions.path if data.questions is not None else None
    learnt = what_was_learnt(link, ran, asked)
    if learnt and not learnt.learnt:
        text = f"It has learnt nothing of {data.task}: {learnt.words}. Try a lower learning rate, or more steps."
        session.report({"event": "warning", "text": text})
    return session.result(
        Finetuned(model=plan.model, path=place, key=results[STEP].key, eval=ran.get("eval"), learnt=learnt),
        *_lines(place, f"{plan.model}-{task}", ran, learnt, _to_evaluate(named, data)),
    )


def _as_upstream(session: Session, wanted: Wanted, request: FinetuneRequest, output_dir: str) -> Wanted:
    """What to evaluate and predict with: as upstream, a checkpoint in --output_dir before any other."""
    if request.do_train or not output_dir or not any(Path(output_dir).glob("*.index")):
        return wanted
    text = f"the checkpoint in --output-dir {output_dir} is taken, as run_classifier and run_squad do"
    session.report({"event": "note", "text": text})
    return replace(wanted, model="", checkpoint=output_dir)


def _require_head(source: Source, data: Data) -> None:
    if source.head is None and data.questions is None:
        raise CheckpointError(
            f"{source.model} has no head to evaluate or predict {data.task} with.",
            next_step="Train it first (--do-train); invoke freeze makes the graph that OpenVINO's page has this write.",
        )
    kinds = [head.kind for head in source.heads]
    if data.head and kinds and data.head not in kinds and not any(head.assumed for head in source.heads):
        raise CheckpointError(
            f"{source.model} has a head of the kind {' and '.join(kinds)}, and {data.task} needs {data.head}.",
            next_step="Train it first (--do-train), or give data of its own kind.",
        )


def plan_recipe(
    session: Session, base: Path, name: str, named: Named, request: FinetuneRequest, *, choice: Choice = AS_IT_IS
) -> Plan:
    """The plan that trains a model called `name` from the checkpoint `base`, read as `choice` says.

    Raises:
        UsageError: what to train on is named twice, or not at all.
        DataError: it cannot be used.
        InterpreterMissingError: TensorFlow 1.15 cannot be had here.
    """
    _check_named(named)
    _require_1(session, name)
    data = _data(session, Wanted(checkpoint=str(base), name=name), named, request)
    found = inspected(base, name, session.store, session.engine, session.report, choice)
    return plan_finetune(found.source, data.source, data.questions, request, before=data.before)


def _require_1(session: Session, model: str) -> None:
    """Ask for TensorFlow 1.15 before data and model are fetched; of the whole plan nothing but the training needs it.

    Raises:
        InterpreterMissingError: it cannot be had here.
    """
    require_1(session, Plan(model=model, steps=(Step(id=STEP, stage="finetune", inputs={}),)))


def _check_named(named: Named) -> None:
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
        prepared_task(named.task, named.data)


def _data(session: Session, wanted: Wanted, named: Named, request: FinetuneRequest) -> Data:
    """The prepared folder that was named, or the step that prepares the task's data.

    Raises:
        DataError: the folder holds no prepared data.
    """
    questions = _questions(session, named.squad)
    if not named.prepared:
        return _to_prepare(session, wanted, named, request, questions)
    folder = Path(named.prepared)
    facts = read_facts(folder)
    if named.do_lower_case not in (None, facts.get("do_lower_case")):
        raise UsageError(
            f"--do-lower-case {str(named.do_lower_case).lower()} is not how {folder} was prepared.",
            next_step="Leave it out, or prepare the data anew: --task in the place of --prepared.",
        )
    source = files_of(folder, (FACTS, TRAIN, DEV, TEST, TEST_WORDS), session.store)
    length, head = facts.get("max_seq_length", 0), str(facts.get("head") or "")
    return Data(source=source, task=str(facts["task"]), length=length, questions=questions, head=head)


def _to_prepare(
    session: Session, wanted: Wanted, named: Named, request: FinetuneRequest, questions: File | None
) -> Data:
    from bertbuild.plans.prepare_data import target_name

    asked = Asked(
        task=named.task,
        data=named.data,
        model=wanted.model,
        checkpoint=wanted.checkpoint,
        config=wanted.config,
        vocab_file=wanted.vocab,
        name=wanted.name,
        do_lower_case=named.do_lower_case,
        version_2_with_negative=request.version_2_with_negative,
        vocab_reading=named.vocab_reading,
        doc_stride=request.doc_stride,
        max_query_length=request.max_query_length,
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
        task=prepare.task,
        length=prepare.max_seq_length,
        questions=questions,
        before=plan.steps,
        target=target_name(prepare),
        asked=asked,
    )


def _questions(session: Session, path: str) -> File | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise UsageError(f"--squad {path} is not a file.", next_step="Give SQuAD's JSON, for instance dev-v1.1.json.")
    return session.file(Path(path))


def _to_evaluate(named: Named, data: Data) -> str:
    """The flags that name to evaluate what was trained on; task.json tells the rest."""
    if data.questions is not None:
        return f" --squad-data-file {shown(data.questions.path)}"
    if named.prepared:
        return f" --prepared {named.prepared}"
    return f" --data {named.data}" if named.data else ""


def _lines(link: Path, name: str, ran: dict[str, Any], learnt: Learnt | None, data: str) -> list[str]:
    lines = [f"{name} = {value:.4f}" for name, value in (ran.get("eval") or {}).items() if name != "global_step"]
    if learnt:
        lines.append(f"{'learnt' if learnt.learnt else 'learnt nothing'}: {learnt.words}")
    lines += [f"{shown(link / name)}" for name in WRITTEN if (link / name).exists()]
    lines.append(shown(link))
    lines.append(f"next: invoke evaluate --checkpoint {shown(link)}{data}")
    lines.append(f"next: invoke build-ir --checkpoint {shown(link)} --name {name}   (or export, neuron-compile)")
    return lines
