"""evaluate: a model's targets on a dev set, or a file of predictions."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.backends import of_version
from bertbuild.commands.entry_jobs import find
from bertbuild.commands.evaluation import Evaluation, require_passed, table
from bertbuild.commands.evaluation_data import check_named, measured
from bertbuild.commands.memory import memory_told
from bertbuild.commands.reference import presumed, require_1, with_reference
from bertbuild.commands.session import Session, shown
from bertbuild.errors import UsageError
from bertbuild.files.disk import write_atomically
from bertbuild.gate.judges import tensorflow_of
from bertbuild.heads.classifier import HEAD as CLASSIFIER
from bertbuild.heads.masked_lm import HEAD as MASKED_LM
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import REFERENCE, TARGETS, EvaluateRequest, plan_evaluate
from bertbuild.kinds.ir_request import OPENVINO
from bertbuild.kinds.measured import EXAMPLES
from bertbuild.plans.placing import BOTH
from bertbuild.plans.plan import Plan, Step
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import number_of
from bertbuild.source.prepared import read_facts
from bertbuild.store.store import StoredObject, translated_os_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray


def targets(session: Session, wanted: Wanted, data: Data, request: EvaluateRequest, max_drop: str) -> Evaluation:
    """The command: `measure`, whose result is the command's.

    Raises:
        DataError, AccuracyError: as `measure`.
    """
    found = measure(session, wanted, data, request, max_drop)
    return session.result(found, shown(found.path))


def measure(session: Session, wanted: Wanted, data: Data, request: EvaluateRequest, max_drop: str) -> Evaluation:
    """Run the dev set through each target, show one table, and hold the targets to the source's accuracy.

    Raises:
        DataError: the data cannot be read or do not fit the checkpoint.
        AccuracyError: a target falls too far below its source.
    """
    from bertbuild.gate.accuracy import judge, metrics_of

    allowed = _share("max-drop", max_drop)
    if session.reference == BOTH:
        raise UsageError(
            "evaluate compares with one reference.", next_step="Give --reference 1.15 or --reference 2.20."
        )
    check_named(data)
    if data.prepared:
        read_facts(Path(data.prepared))
    session.isolation.require()
    if session.settings.offline:
        _require_offline(session, wanted, data, request)
    _require_reference(session, wanted, request)
    _expect_first(session, request)
    inspected = find(session, wanted)
    source = inspected.source
    examples = measured(session, wanted, source, inspected.vocab_size, data)
    planned = plan_evaluate(source, examples, request, session.probes(inspected))
    plan = with_reference(session, planned.plan)
    results = _run(session, plan, planned.answers.values(), request.batch_size)
    labels = _labels(results[EXAMPLES])
    task = examples.task
    judged = judge(
        examples,
        labels,
        answers={target: results[step].path for target, step in planned.answers.items()},
        scores={target: results[step].path for target, step in planned.scores.items()},
        keys={
            target: {"result": results[step].key if step else None, "answers": results[planned.answers[target]].key}
            | ({"score": results[planned.scores[target]].key} if target in planned.scores else {})
            for target, step in planned.made.items()
        },
        max_drop=allowed,
    )
    told: dict[str, Any] = {
        "model": source.model,
        "task": task,
        "examples": len(labels),
        "data": results[EXAMPLES].key,
        "head": examples.head,
        "metric": metrics_of(examples)[0],
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
    if judged[0].classes == 1 and examples.head != MASKED_LM.name:
        what = "the same class" if examples.head == CLASSIFIER.name else "the same answer"
        text = f"{source.model} gives every example {what}: it has learnt nothing of {task}"
        session.report({"event": "warning", "text": text})
    require_passed(facts, judged, path)
    return Evaluation(**told, path=path)


def _require_offline(session: Session, wanted: Wanted, data: Data, request: EvaluateRequest) -> None:
    from bertbuild.commands.offline import require_stages

    stages = ["prepare-data", "tf1-infer", *(TARGETS[name][0].asked.stage for name in request.names)]
    own = data.data or data.prepared or data.squad_data_file or data.text
    require_stages(
        session,
        stages,
        model=wanted.model,
        checkpoint=wanted.checkpoint,
        task="" if own else data.task,
        openvino=request.openvino,
    )


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


def _expect_first(session: Session, request: EvaluateRequest) -> None:
    """Have OpenVINO imported while the model is read for the first time: an IR is what the longest chain begins with.

    Not where a remote store may have it.
    """
    if not session.settings.remote and any(TARGETS[name][0].asked.stage == "openvino-infer" for name in request.names):
        session.isolation.expect(of_version(OPENVINO, request.openvino), OPENVINO, "ir-direct")


def _run(session: Session, plan: Plan, answers: Collection[str], batch_size: int) -> dict[str, StoredObject]:
    with memory_told(
        f"It had {number_of(batch_size, 'example')} at a time.",
        next_step="Try fewer with --batch-size, close other programs, or use a machine with more memory.",
    ):
        return session.engine.run(plan, alone=answers)  # these measure latencies


def _labels(examples: StoredObject) -> NDArray[Any]:
    """What was asked for: label_ids, or, of questions, their windows, of which there is one row each."""
    import numpy as np

    with np.load(examples.path / "features.npz") as file:
        labels: NDArray[Any] = file["label_ids" if "label_ids" in file.files else "question"]
    return labels


def _share(flag: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--{flag} must be in [0, 1] (got {text!r}).", next_step=f"--help explains --{flag}.")
    return value
