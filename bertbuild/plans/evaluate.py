"""From the targets whose accuracy is wanted to the stages that make them and ask them. Pure, as `plan` is.

Targets are made by the plans of the commands that make them, so that what those commands made is found in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bertbuild.errors import DataError, UsageError
from bertbuild.plans.int8 import ANY, INT8_FOR, Calibration, CalibrationRequest, plan_irs
from bertbuild.plans.neuron import ExportRequest, NeuronRequest, plan_neuron_ready
from bertbuild.plans.plan import (
    INT8,
    File,
    FreezeRequest,
    IrRequest,
    Plan,
    Source,
    Step,
    check_choice,
    plan_freeze,
    plan_ir,
)
from bertbuild.plans.tf2 import Tf2Request, plan_convert_tf2
from bertbuild.plural import number_of

OUTPUT = "probabilities"
REFERENCE = "tf1"
BATCH_SIZE = 8
EXAMPLES = "examples"
INT8_TARGET = "ir-int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is known of a prepared data set before anything is run.

    Attributes:
        task: its name, e.g. "MRPC".
        task_type: "classification", "regression" or "squad".
        labels: the classes' names, in the order of the head's rows.
        max_seq_length: tokens of each example.
        source: the folder, as far as its dev set goes.
        training: the folder as far as its training examples go, None where there are none.
    """

    task: str
    task_type: str
    labels: tuple[str, ...]
    max_seq_length: int
    source: File
    training: File | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """What is to be evaluated.

    Attributes:
        targets: some of `TARGETS`, `GROUPS`; the reference is always evaluated.
        batch_size: examples at a time.
        int8_for: the processors that ir-int8 is for: one of `INT8_FOR`.
    """

    targets: tuple[str, ...] = (REFERENCE,)
    batch_size: int = BATCH_SIZE
    int8_for: str = ANY

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("target", self.targets, (REFERENCE, *TARGETS, *GROUPS))
        if self.batch_size < 1:
            raise UsageError("A batch size below 1 means nothing.", next_step="Give 1 or more.")
        check_choice("int8-for", (self.int8_for,), INT8_FOR)
        if self.int8_for != ANY and INT8_TARGET not in self.targets:
            raise UsageError(
                f"--int8-for is for the target {INT8_TARGET} alone.",
                next_step=f"Add it (--target {INT8_TARGET}), or leave --int8-for out.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The targets besides the reference, each once, groups resolved."""
        named = [target for name in self.targets for target in GROUPS.get(name, (name,))]
        return tuple(dict.fromkeys(name for name in named if name != REFERENCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluable:
    """How a target is made and asked.

    Attributes:
        plan: from source, data, probes and request to a plan that makes it.
        stage: the stage that answers for it.
        flag: what that stage calls it.
        params: of that stage.
    """

    plan: Callable[[Source, Prepared, File, EvaluateRequest], Plan]
    stage: str
    flag: str
    params: Mapping[str, str]


def _frozen(source: Source, _prepared: Prepared, probes: File, _request: EvaluateRequest) -> Plan:
    return plan_freeze(source, FreezeRequest(output=OUTPUT), probes)


def _ir(precision: str) -> Callable[[Source, Prepared, File, EvaluateRequest], Plan]:
    request = IrRequest(precisions=(precision,), freeze=FreezeRequest(output=OUTPUT))
    return lambda source, _prepared, probes, _request: plan_ir(source, request, probes)


def _int8(source: Source, prepared: Prepared, probes: File, request: EvaluateRequest) -> Plan:
    if prepared.training is None:
        raise DataError(
            f"The {prepared.task} data hold no training examples, which int8 is calibrated on.",
            next_step="Prepare a data set that has them, or leave ir-int8 out.",
        )
    calibration = Calibration(
        examples=prepared.training,
        request=CalibrationRequest(folder=str(prepared.training.path), int8_for=request.int8_for),
    )
    ir = IrRequest(precisions=(INT8,), freeze=FreezeRequest(output=OUTPUT))
    return plan_irs(source, ir, probes, calibration)


def _neuron_ready(dtype: str) -> Callable[[Source, Prepared, File, EvaluateRequest], Plan]:
    return lambda source, prepared, probes, _request: plan_neuron_ready(
        source, NeuronRequest(export=ExportRequest(seq_len=prepared.max_seq_length), dtype=dtype), probes
    )


def _tf2(source: Source, _prepared: Prepared, probes: File, _request: EvaluateRequest) -> Plan:
    return plan_convert_tf2(source, Tf2Request(format="savedmodel"), probes)


TARGETS = {
    "frozen": Evaluable(plan=_frozen, stage="tf1-infer", flag="frozen", params={}),
    "ir-fp32": Evaluable(plan=_ir("fp32"), stage="openvino-infer", flag="ir", params={}),
    "ir-fp16": Evaluable(plan=_ir("fp16"), stage="openvino-infer", flag="ir", params={}),
    INT8_TARGET: Evaluable(plan=_int8, stage="openvino-infer", flag="ir", params={}),
    "neuron-ready-float32": Evaluable(
        plan=_neuron_ready("float32"), stage="tf1-infer", flag="saved-model", params={"output": OUTPUT}
    ),
    "neuron-ready-float16": Evaluable(
        plan=_neuron_ready("float16"), stage="tf1-infer", flag="saved-model", params={"output": OUTPUT}
    ),
    "tf2": Evaluable(plan=_tf2, stage="tf2-infer", flag="saved-model", params={}),
}
GROUPS = {"neuron-ready": ("neuron-ready-float32", "neuron-ready-float16")}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """The steps; of each target, the reference first, the step that makes it (None: the source) and its answers'."""

    plan: Plan
    made: dict[str, str | None]
    answers: dict[str, str]


def plan_evaluate(source: Source, prepared: Prepared, request: EvaluateRequest, probes: File) -> EvaluationPlan:
    """Checkpoint and prepared data → the classes' probabilities of each dev example, by each target.

    Nothing is compared on the probes here; they are in the plans that make the targets.

    Raises:
        UsageError: the source is no checkpoint with a classifier's head.
        DataError: the data do not fit it, or are no classification.
    """
    _check(source, prepared)
    steps = {EXAMPLES: Step(id=EXAMPLES, stage="examples", inputs={"prepared": prepared.source})}
    asked = {"batch-size": str(request.batch_size)}
    gelu = {"gelu": source.gelu} if source.gelu else {}
    made: dict[str, str | None] = {REFERENCE: None}
    answers = {REFERENCE: f"{REFERENCE}-answers"}
    steps[answers[REFERENCE]] = Step(
        id=answers[REFERENCE],
        stage="tf1-infer",
        inputs={"checkpoint": source.file, "examples": EXAMPLES},
        params={"output": OUTPUT, "prefix": source.prefix, **gelu, **asked},
    )
    for name in request.names:
        target = TARGETS[name]
        plan = target.plan(source, prepared, probes, request)
        made[name] = model = _added(steps, plan.needed(plan.targets[0].step), name)
        answers[name] = f"{name}-answers"
        steps[answers[name]] = Step(
            id=answers[name],
            stage=target.stage,
            inputs={target.flag: model, "examples": EXAMPLES},
            params={**target.params, **asked},
        )
    return EvaluationPlan(plan=Plan(model=source.model, steps=tuple(steps.values())), made=made, answers=answers)


def _added(steps: dict[str, Step], more: tuple[Step, ...], target: str) -> str:
    """Add another plan's steps, of which the last makes the target; gives that one's id here.

    A step that is there already, under whatever id, is not added again; two plans may call different steps the same.
    """
    ids: dict[str, str] = {}
    for step in more:
        inputs = {flag: ids.get(made, made) if isinstance(made, str) else made for flag, made in step.inputs.items()}
        known = replace(step, inputs=inputs)
        same = [other.id for other in steps.values() if replace(other, id=step.id) == known]
        free = target if step is more[-1] else step.id
        ids[step.id] = same[0] if same else (f"{free}-of-{target}" if free in steps else free)
        steps[ids[step.id]] = replace(known, id=ids[step.id])
    return ids[more[-1].id]


def check_task(task: str, task_type: str) -> None:
    """Refuse a task that is no classification.

    Raises:
        DataError: it is none.
    """
    if task_type == "regression":
        raise DataError(
            f"{task} asks for a score, and no head for scores goes through these targets.",
            next_step="Evaluate a file of predictions: --predictions test_results.tsv.",
        )
    if task_type != "classification":
        raise DataError(
            f"{task} is no classification, and only classifiers go through these targets.",
            next_step="Evaluate a file of predictions: --predictions predictions.json --squad-data-file FILE.",
        )


def _check(source: Source, prepared: Prepared) -> None:
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be evaluated.", next_step="Give --model or --checkpoint.")
    check_task(prepared.task, prepared.task_type)
    if not source.labels:
        raise UsageError(
            f"{source.model} has no classifier head (output_weights), so it has no accuracy.",
            next_step="Give a checkpoint that was fine-tuned on the task.",
        )
    if source.labels != len(prepared.labels):
        raise DataError(
            f"The head of {source.model} has {number_of(source.labels, 'class', 'classes')}, and "
            f"{prepared.task} has {len(prepared.labels)} "
            f"({', '.join(prepared.labels)}).",
            next_step="Give data of the task that the checkpoint was fine-tuned on.",
        )
    if prepared.max_seq_length > source.max_positions:
        raise DataError(
            f"The examples are {prepared.max_seq_length} tokens long, longer than the position table of "
            f"{source.model} ({source.max_positions}).",
            next_step=f"Prepare the data with --max-seq-length {source.max_positions} or less.",
        )
