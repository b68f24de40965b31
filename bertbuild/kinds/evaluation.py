"""From the targets whose accuracy is wanted to the stages that make them and ask them. Pure, as `plans` are.

Targets are made by the plans of the commands that make them, so that what those commands made is found in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bertbuild.errors import DataError, UsageError
from bertbuild.heads.padding import ASKED_WITH_PADDING
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS
from bertbuild.kinds.ir import in_version
from bertbuild.kinds.ir_request import ANY, INT8_FOR, INT8_FOR_ABOUT, OPENVINO, OPENVINOS
from bertbuild.kinds.kind import Evaluated, Kind
from bertbuild.kinds.measured import EXAMPLES, Measured
from bertbuild.parameters import Parameter, check, check_choice, parameter
from bertbuild.plans import family_reference
from bertbuild.plans.outputs import output_params
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plural import number_of
from bertbuild.stages import STAGES
from bertbuild.toml.values import Choice, Choices, Number, Truth, Whole

REFERENCE = "tf1"
BATCH_SIZE = 8
INT8_TARGETS = ("ir-int8", "onnx-int8")

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
TARGET = Parameter(
    name="target",
    type=Choices((REFERENCE, *TARGETS, *GROUPS)),
    about="what is measured, each made as its command makes it; default: the kinds of the model's targets here",
)
MAX_DROP = Parameter(
    name="max_drop",
    type=Number(least=0, most=1),
    default="0.01",
    written="SHARE",
    about="how far a target's first metric may be below tf1's; beyond it, exit code 22",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """What is to be evaluated.

    Attributes:
        targets: some of `TARGETS`, `GROUPS`; the reference is always evaluated.
        batch_size: examples at a time.
        pad_to_max: whether every example is computed at the data's sequence length.
        int8_for: the processors that int8 targets are for: one of `INT8_FOR`.
        openvino: the version of OpenVINO that makes the IRs and answers with them: one of `OPENVINOS`.
    """

    targets: tuple[str, ...] = (REFERENCE,)
    batch_size: int = parameter(Whole(1), BATCH_SIZE, "examples at a time")
    pad_to_max: bool = parameter(
        Truth(), False, "compute every example at the data's sequence length; default: batches end with their longest"
    )
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
        if self.int8_for != ANY and not set(INT8_TARGETS) & set(self.targets):
            raise UsageError(
                f"--int8-for is for the targets {' and '.join(INT8_TARGETS)} alone.",
                next_step=f"Add one (--target {INT8_TARGETS[0]}), or leave --int8-for out.",
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
    """The steps; of each target, the reference first, the step that makes it (None: the source), its answers', and the
    one that judges these (none where the host does).
    """

    plan: Plan
    made: dict[str, str | None]
    answers: dict[str, str]
    scores: dict[str, str]


def plan_evaluate(source: Source, data: Measured, request: EvaluateRequest, probes: File) -> EvaluationPlan:
    """Checkpoint and examples → what the head answers to each of them, by each target.

    Nothing is compared on the probes here; they are in the plans that make the targets.

    Raises:
        UsageError: the source is not a checkpoint with such a head.
        DataError: the data do not fit it.
    """
    _check(source, data)
    steps = {step.id: step for step in data.steps}
    padded = request.pad_to_max or data.head in ASKED_WITH_PADDING
    asked = {"batch-size": str(request.batch_size)} | ({"pad-to-max": "true"} if padded else {})
    made: dict[str, str | None] = {REFERENCE: None}
    answers = {REFERENCE: f"{REFERENCE}-answers"}
    steps |= {step.id: step for step in _reference(source, data, answers[REFERENCE], asked)}
    for name in request.names:
        kind, target = TARGETS[name]
        plan = target.plan(source, data, probes, request.int8_for)
        made[name] = model = _added(steps, plan.needed(plan.targets[0].step), name)
        answers[name] = f"{name}-answers"
        told = {"output": data.output} if target.is_told else {}
        steps[answers[name]] = Step(
            id=answers[name],
            stage=kind.asked.stage,
            inputs={kind.asked.flag: model, "examples": EXAMPLES},
            params={**told, **asked},
        )
    scores = {name: f"{name}-score" for name in answers} if data.is_scored else {}
    for name, step in scores.items():
        inputs: dict[str, File | str] = {"examples": EXAMPLES, "answers": answers[name]}
        steps[step] = Step(id=step, stage="score", inputs=inputs, params={"head": data.head, **data.params})
    plan = in_version(Plan(model=source.model, steps=_longest_chain_first(steps)), request.openvino)
    return EvaluationPlan(plan=plan, made=made, answers=answers, scores=scores)


def _longest_chain_first(steps: Mapping[str, Step]) -> tuple[Step, ...]:
    """The steps, those first that the most work follows from, so that the longest chain does not wait for others.

    What a step is made from comes before it, since the step's own work is part of its chain.
    """
    work: dict[str, int] = {}
    for step in reversed(tuple(steps.values())):  # each comes after all that it is made from
        work[step.id] = work.get(step.id, 0) + STAGES[step.stage].weight
        for source in step.inputs.values():
            if isinstance(source, str):
                work[source] = max(work.get(source, 0), work[step.id])
    return tuple(sorted(steps.values(), key=lambda step: -work[step.id]))


def _reference(source: Source, data: Measured, step_id: str, asked: dict[str, str]) -> tuple[Step, ...]:
    """The steps that answer for the source; the last gives the answers."""
    outputs = data.output.split(",")
    if not family_reference.of_google(source):
        examples: dict[str, File | str] = {"examples": EXAMPLES}
        return family_reference.reference_steps(source, outputs, source.gelu, examples, asked, step_id)
    gelu = {"gelu": source.gelu} if source.gelu else {}
    step = Step(
        id=step_id,
        stage="tf1-infer",
        inputs={"checkpoint": source.file, "examples": EXAMPLES},
        params={**output_params(source, outputs), "prefix": source.prefix, **gelu, **asked},
    )
    return (step,)


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


def _check(source: Source, data: Measured) -> None:
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be evaluated.", next_step="Give --model or --checkpoint.")
    row = HEADS[data.head]
    head = next((one for one in source.heads if one.kind == data.head), None)
    if head is None:
        others = ", ".join(one.kind for one in source.heads)
        raise UsageError(
            f"{source.model} has no {row.what} ({row.mark}), so it has no {row.metric.replace('_', ' ')}"
            + (f"; its heads: {others}." if others else "."),
            next_step="Give a checkpoint that was fine-tuned on the task"
            + (", or data of the task that this one was fine-tuned on." if others else "."),
        )
    if data.labels and head.labels != len(data.labels):
        raise DataError(
            f"The head of {source.model} has {number_of(head.labels, 'class', 'classes')}, and "
            f"{data.task} has {len(data.labels)} "
            f"({', '.join(data.labels)}).",
            next_step="Give data of the task that the checkpoint was fine-tuned on.",
        )
    if data.max_seq_length > source.max_positions:
        raise DataError(
            f"The examples are {data.max_seq_length} tokens long, longer than the position table of "
            f"{source.model} ({source.max_positions}).",
            next_step=f"Prepare the data with --max-seq-length {source.max_positions} or less.",
        )
