"""From the targets whose accuracy is wanted to the stages that make them and ask them. Pure, as `plans` are.

Targets are made by the plans of the commands that make them, so that what those commands made is found in the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bertbuild.errors import DataError, UsageError
from bertbuild.heads.classifier import OUTPUT
from bertbuild.kinds import KINDS
from bertbuild.kinds.ir import in_version
from bertbuild.kinds.ir_request import ANY, INT8_FOR, INT8_FOR_ABOUT, OPENVINO, OPENVINOS
from bertbuild.kinds.kind import Evaluated, Kind
from bertbuild.parameters import check, check_choice, parameter
from bertbuild.plans.outputs import output_params
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.prepare_data import Prepared
from bertbuild.plural import number_of
from bertbuild.stages import STAGES
from bertbuild.toml.values import Choice, Whole

REFERENCE = "tf1"
BATCH_SIZE = 8
EXAMPLES = "examples"
INT8_TARGET = "ir-int8"

TARGETS: dict[str, tuple[Kind, Evaluated]] = {
    evaluated.name: (kind, evaluated) for kind in KINDS.values() for evaluated in kind.evaluated
}
"""What can be evaluated: its kind, and how that makes it."""

GROUPS = {
    group: tuple(name for name, (_, one) in TARGETS.items() if one.group == group)
    for group in dict.fromkeys(one.group for _, one in TARGETS.values() if one.group)
}
USUAL = tuple(dict.fromkeys([REFERENCE, *(one.group or name for name, (_, one) in TARGETS.items() if one.usual)]))
"""What is evaluated where no target is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """What is to be evaluated.

    Attributes:
        targets: some of `TARGETS`, `GROUPS`; the reference is always evaluated.
        batch_size: examples at a time.
        int8_for: the processors that ir-int8 is for: one of `INT8_FOR`.
        openvino: the version of OpenVINO that makes the IRs and answers with them: one of `OPENVINOS`.
    """

    targets: tuple[str, ...] = (REFERENCE,)
    batch_size: int = parameter(Whole(1), BATCH_SIZE, "examples at a time")
    int8_for: str = parameter(
        Choice(INT8_FOR),
        ANY,
        INT8_FOR_ABOUT,
    )
    openvino: str = parameter(
        Choice(OPENVINOS), OPENVINOS[0], "version of OpenVINO that makes the IRs, and answers with them"
    )

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check_choice("target", self.targets, (REFERENCE, *TARGETS, *GROUPS))
        check(self)
        if self.int8_for != ANY and INT8_TARGET not in self.targets:
            raise UsageError(
                f"--int8-for is for the target {INT8_TARGET} alone.",
                next_step=f"Add it (--target {INT8_TARGET}), or leave --int8-for out.",
            )
        if self.openvino != OPENVINOS[0] and not any(_is_ir(name) for name in self.names):
            irs = ", ".join(name for name in TARGETS if _is_ir(name))
            raise UsageError(
                f"--openvino is for the targets {irs} alone.", next_step="Add one of them, or leave --openvino out."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The targets besides the reference, each once, groups resolved."""
        named = [target for name in self.targets for target in GROUPS.get(name, (name,))]
        return tuple(dict.fromkeys(name for name in named if name != REFERENCE))


def _is_ir(target: str) -> bool:
    return STAGES[TARGETS[target][0].asked.stage].backend == OPENVINO


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
        UsageError: the source is not a checkpoint with a classifier's head.
        DataError: the data do not fit it, or are not classification.
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
        params={**output_params(source, (OUTPUT,)), "prefix": source.prefix, **gelu, **asked},
    )
    for name in request.names:
        kind, target = TARGETS[name]
        plan = target.plan(source, prepared, probes, request.int8_for)
        made[name] = model = _added(steps, plan.needed(plan.targets[0].step), name)
        answers[name] = f"{name}-answers"
        steps[answers[name]] = Step(
            id=answers[name],
            stage=kind.asked.stage,
            inputs={kind.asked.flag: model, "examples": EXAMPLES},
            params={**target.params, **asked},
        )
    plan = in_version(Plan(model=source.model, steps=tuple(steps.values())), request.openvino)
    return EvaluationPlan(plan=plan, made=made, answers=answers)


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
    """Refuse a task that is not a classification.

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
            f"{task} is not a classification, and only classifiers go through these targets.",
            next_step="Evaluate a file of predictions: --predictions predictions.json --squad-data-file FILE.",
        )


def _check(source: Source, prepared: Prepared) -> None:
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be evaluated.", next_step="Give --model or --checkpoint.")
    check_task(prepared.task, prepared.task_type)
    if source.head is None:
        raise UsageError(
            f"{source.model} has no classifier head (output_weights), so it has no accuracy.",
            next_step="Give a checkpoint that was fine-tuned on the task.",
        )
    if source.head.labels != len(prepared.labels):
        raise DataError(
            f"The head of {source.model} has {number_of(source.head.labels, 'class', 'classes')}, and "
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
