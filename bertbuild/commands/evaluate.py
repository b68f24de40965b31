"""evaluate: a model's targets on a dev set, or a file of predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.commands.entry_jobs import find
from bertbuild.commands.evaluation import Evaluation, Figures, require_passed, table
from bertbuild.commands.memory import memory_told
from bertbuild.commands.reference import presumed, require_1, with_reference
from bertbuild.commands.session import Session, shown
from bertbuild.errors import DataError, UsageError
from bertbuild.files.disk import write_atomically
from bertbuild.gate.judges import tensorflow_of
from bertbuild.kinds.evaluation import EXAMPLES, REFERENCE, TARGETS, EvaluateRequest, check_task, plan_evaluate
from bertbuild.kinds.saved_model import SEQ_LEN
from bertbuild.names import did_you_mean
from bertbuild.parameters import parameter
from bertbuild.plans.placing import BOTH
from bertbuild.plans.plan import Plan, Source, Step
from bertbuild.plans.prepare_data import VOCAB_READING_ABOUT
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import are, number_of
from bertbuild.source.prepared import PreparedFolder, check_made_for, fine_tuned, read_prepared
from bertbuild.store.store import StoredObject, translated_os_errors
from bertbuild.toml.values import Choice, Location, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bertbuild.metrics.glue import GlueTask

CLASSES = "classification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What the user named to evaluate on: a task, and the folder of its files (`data`) or of prepare-data."""

    task: str = parameter(
        Text(),
        "",
        "CoLA, MNLI, MRPC, QNLI, QQP, RTE, SST-2, STS-B, WNLI; default: what the checkpoint was fine-tuned on",
        written="TASK",
    )
    data: str = parameter(
        Location(), "", "folder of the task's files; default: what fetch-data brings", written="FOLDER|FILE"
    )
    prepared: str = parameter(
        Location(),
        "",
        "folder of prepare-data, whose dev set is taken; default: the task's data are prepared first",
        written="FOLDER",
    )
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)


def targets(session: Session, wanted: Wanted, data: Data, request: EvaluateRequest, max_drop: str) -> Evaluation:
    """Run the dev set through each target, show one table, and hold the targets to the source's accuracy.

    Raises:
        DataError: the data cannot be read or do not fit the checkpoint.
        AccuracyError: a target falls too far below its source.
    """
    from bertbuild.gate.accuracy import judge
    from bertbuild.metrics.glue import metrics_of

    allowed = _share("max-drop", max_drop)
    if session.reference == BOTH:
        raise UsageError(
            "evaluate compares with one reference.", next_step="Give --reference 1.15 or --reference 2.20."
        )
    if data.task:
        _check_task(data.task, data.data)
    given = _prepared(session, data) if data.prepared else None
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_stages

        stages = ["prepare-data", "tf1-infer", *(TARGETS[name][0].asked.stage for name in request.names)]
        task = "" if data.data or data.prepared else data.task
        require_stages(
            session, stages, model=wanted.model, checkpoint=wanted.checkpoint, task=task, openvino=request.openvino
        )
    _require_reference(session, wanted, request)
    inspected = find(session, wanted)
    source = inspected.source
    prepared = given or _prepared_for(session, wanted, source, data)
    task = prepared.data.task
    check_made_for(prepared, source.file.path, source.prefix, source.model)
    planned = plan_evaluate(source, prepared.data, request, session.probes(inspected))
    plan = with_reference(session, planned.plan)
    results = _run(session, plan, request.batch_size)
    labels = _labels(results[EXAMPLES])
    judged = judge(
        task,
        labels,
        answers={target: results[step].path for target, step in planned.answers.items()},
        keys={
            target: {"result": results[step].key if step else None, "answers": results[planned.answers[target]].key}
            for target, step in planned.made.items()
        },
        max_drop=allowed,
    )
    told: dict[str, Any] = {
        "model": source.model,
        "task": task,
        "examples": len(labels),
        "data": results[EXAMPLES].key,
        "metric": metrics_of(task)[0],
        "max_drop": allowed,
        "batch_size": request.batch_size,
        "passed": all(row.passed for row in judged),
        "reference": tensorflow_of(plan.step(planned.answers[REFERENCE])),
        "targets": tuple(judged),
    }
    facts = {**told, "targets": [row.as_json() for row in judged]}
    path = session.store.root / "evaluations" / source.model / task / "evaluation.json"
    with translated_os_errors(session.store.root):
        write_atomically(path, json.dumps(facts, indent=1) + "\n")
    session.report({"event": "evaluation", **facts})
    session.report(table(facts, judged))
    if judged[0].classes == 1:
        text = f"{source.model} gives every example the same class: it has learnt nothing of {task}"
        session.report({"event": "warning", "text": text})
    require_passed(facts, judged, path)
    return session.result(Evaluation(**told, path=path), shown(path))


def predictions(session: Session, data: Data, file: str) -> Figures:
    """Show what a test_results.tsv of the dev set is worth.

    Raises:
        DataError: it cannot be read, or is not of this dev set.
    """
    from bertbuild.gate.prediction_files import read_dev_labels, read_scores
    from bertbuild.metrics.glue import figures

    task, scores = _glue_task(data.task), read_scores(Path(file))
    folder = Path(data.data) if data.data else _fetched(session, task.name)
    labels = read_dev_labels(task, folder)
    if len(scores) != len(labels):
        raise DataError(
            f"{file} has {number_of(len(scores), 'row')}, and the dev set of {task.name} has "
            f"{number_of(len(labels), 'example')}.",
            next_step="Predict the dev set: each of its examples is one row, in the same order.",
        )
    columns = len(task.labels) or 1
    if scores.shape[1] != columns:
        raise DataError(
            f"{file} has {number_of(scores.shape[1], 'column')}, and {task.name} needs {columns}.",
            next_step="Give the predictions of a model that was fine-tuned on this task.",
        )
    answers = scores.argmax(axis=-1) if task.labels else scores[:, 0]
    return _show_figures(session, task.name, len(labels), figures(task.name, labels, answers))


def squad(session: Session, file: str, data_file: str, odds_file: str, *, with_negative: bool) -> Figures:
    """Show exact match and F1 of a predictions.json.

    Raises:
        DataError: a file cannot be read, or is of other questions.
    """
    from bertbuild.gate.prediction_files import read_answers, read_null_odds, read_squad
    from bertbuild.metrics.squad import evaluate_v1, evaluate_v2, questions

    if odds_file and not with_negative:
        raise UsageError(
            "--null-odds is for SQuAD 2.0 alone.", next_step="Add --version-2-with-negative, or leave it out."
        )
    articles, answers = read_squad(Path(data_file)), read_answers(Path(file))
    asked = dict(questions(articles))
    answered = [question for question in asked if question in answers]
    if not answered:
        raise DataError(
            f"{file} answers no question of {data_file}.", next_step="Give the file that was predicted from."
        )
    without = sum(not given for given in asked.values())
    if without and not with_negative:
        raise DataError(
            f"{number_of(without, 'question')} of {data_file} {are(without, 'has', 'have')} no answer, "
            "as only SQuAD 2.0 has them.",
            next_step="Add --version-2-with-negative.",
        )
    odds = read_null_odds(Path(odds_file)) if odds_file else None
    if odds is not None and not set(answered) <= odds.keys():
        lacking = next(question for question in answered if question not in odds)
        raise DataError(
            f"{odds_file} has no figure for question {lacking}.",
            next_step="Give the null_odds.json that was written beside the predictions.",
        )
    if len(answered) < len(asked):
        fate = "they are left out" if with_negative else "each counts 0"
        unanswered = len(asked) - len(answered)
        text = (
            f"{unanswered} of {number_of(len(asked), 'question')} {are(unanswered, 'has', 'have')} no "
            f"prediction: {fate}"
        )
        session.report({"event": "warning", "text": text})
    found = evaluate_v2(articles, answers, odds) if with_negative else evaluate_v1(articles, answers)
    return _show_figures(session, "SQuAD 2.0" if with_negative else "SQuAD 1.1", len(asked), found)


def _prepared(session: Session, data: Data) -> PreparedFolder:
    """The data in the folder that was named."""
    if data.data:
        raise UsageError(
            "--data and --prepared were both given.", next_step="Give the task's own files, or what is made of them."
        )
    prepared = read_prepared(Path(data.prepared), session.store)
    if data.task and data.task.upper() != prepared.data.task.upper():
        raise DataError(
            f"{data.prepared} holds {prepared.data.task}, not {data.task}.",
            next_step="Leave --task out, or give the folder of that task.",
        )
    return prepared


def _check_task(task: str, folder: str) -> None:
    """Refuse what is not a task, or none that these targets can be evaluated on.

    Raises:
        UsageError: there is no such task.
        DataError: it is not a classification.
    """
    from bertbuild.commands.data import prepared_task
    from bertbuild.plans.prepare_data import SQUAD

    check_task(task, {"STS-B": "regression", **dict.fromkeys(("SQUAD", *SQUAD), "squad")}.get(task.upper(), CLASSES))
    prepared_task(task, folder)


def _require_reference(session: Session, wanted: Wanted, request: EvaluateRequest) -> None:
    """Refuse a TensorFlow that is asked for and cannot be had, before anything is fetched.

    Where nothing is asked for, what judged the model before decides, which is known when the model is.

    Raises:
        UsageError: a target needs 1.15 and something else was asked for.
        InterpreterMissingError: TensorFlow 1.15 is meant and cannot be had here.
    """
    bound = [name for name in request.names if TARGETS[name][0].only_1_15]
    steps = [Step(id=REFERENCE, stage="tf1-infer", inputs={})]
    steps += [Step(id=name, stage=TARGETS[name][0].stage, inputs={}) for name in bound]
    if session.reference or bound:
        plan = Plan(model=wanted.name or wanted.model or wanted.checkpoint, steps=tuple(steps))
        require_1(session, presumed(session, plan))


def _prepared_for(session: Session, wanted: Wanted, source: Source, data: Data) -> PreparedFolder:
    """The task's data, prepared as the checkpoint was fine-tuned: its task.json tells how, if there is one."""
    from bertbuild.commands.data import Asked, make

    tuned = fine_tuned(source.file.path, source.prefix)
    task = data.task or str(tuned.get("task", ""))
    if not task:
        raise UsageError(
            f"{source.model} does not tell what it was fine-tuned on.",
            next_step="Name the task, for instance --task MRPC; or give prepared examples: --prepared FOLDER.",
        )
    _check_task(task, data.data)
    asked = Asked(
        task=task,
        data=data.data,
        model=wanted.model,
        checkpoint=wanted.checkpoint,
        config=wanted.config,
        vocab_file=wanted.vocab,
        name=wanted.name,
        do_lower_case=tuned.get("do_lower_case"),
        vocab_reading=data.vocab_reading or tuned.get("vocab_reading", ""),
        max_seq_length=int(tuned.get("max_seq_length") or min(SEQ_LEN, source.max_positions)),
    )
    return read_prepared(make(session, asked).made.path, session.store)


def _glue_task(name: str) -> GlueTask:
    from bertbuild.metrics.glue import TASKS

    if name.upper() not in TASKS:
        known = ", ".join(task.name for task in TASKS.values())
        unknown = f"--task must be one of {known} (got {name!r}){did_you_mean(name, TASKS)}"
        raise UsageError(
            unknown if name else "The task is needed to judge predictions.",
            next_step="Give --task and --data; for SQuAD give --squad-data-file.",
        )
    return TASKS[name.upper()]


def _fetched(session: Session, task: str) -> Path:
    from bertbuild.source.fetched import fetch_dataset

    return fetch_dataset(task, session.settings, session.store, session.report)


def _run(session: Session, plan: Plan, batch_size: int) -> dict[str, StoredObject]:
    with memory_told(
        f"It had {number_of(batch_size, 'example')} at a time.",
        next_step="Try fewer with --batch-size, close other programs, or use a machine with more memory.",
    ):
        return session.engine.run(plan, alone=True)  # latencies are measured


def _labels(examples: StoredObject) -> NDArray[Any]:
    import numpy as np

    with np.load(examples.path / "features.npz") as file:
        labels: NDArray[Any] = file["label_ids"]
    return labels


def _show_figures(session: Session, title: str, count: int, found: Mapping[str, float]) -> Figures:
    rows = [[name, f"{value:g}" if name.endswith("total") else f"{value:.6f}"] for name, value in found.items()]
    title = f"{title}, {number_of(count, 'example')}"
    session.report({"event": "table", "title": title, "columns": ["metric", "figure"], "rows": rows})
    # JSON knows no NaN: a correlation with constant predictions is null.
    figures = {name: value if value == value else None for name, value in found.items()}  # noqa: PLR0124 - NaN
    return session.result(Figures(metrics=figures, examples=count))


def _share(flag: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--{flag} must be in [0, 1] (got {text!r}).", next_step=f"--help explains --{flag}.")
    return value
