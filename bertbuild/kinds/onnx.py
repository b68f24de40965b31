"""An ONNX model: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bertbuild.heads.answers import OUTPUT_OF_PART, OUTPUTS
from bertbuild.kinds.frozen import GELU_ABOUT, OUTPUT_ABOUT, reference_steps, source_params
from bertbuild.kinds.guard import GUARD, guard_params
from bertbuild.kinds.ir import KIND as IR
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.kind import Asked, Command, Evaluated, Kind, Request
from bertbuild.kinds.measured import Measured
from bertbuild.parameters import as_declared, check, parameter
from bertbuild.plans.outputs import output_params, output_word, outputs_of, taken_parts
from bertbuild.plans.plan import GELU_FORMS, File, Plan, Source, Step, Target, check_seq_len
from bertbuild.toml.values import Choice, Choices, Whole

PRECISIONS = ("fp32", "fp16")
LOWEST_OPSET = 20
"""The first opset that has Gelu; LayerNormalization it has since 17."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onnx(Request):
    """What an ONNX model is to be like; both precisions, with a comma, are two models of one plan."""

    precision: str = parameter(
        Choice(PRECISIONS), PRECISIONS[0], "what weights are stored in; it computes in float32", several=True
    )
    output: str = parameter(Choices(OUTPUTS), "", OUTPUT_ABOUT)
    gelu: str = parameter(Choice(GELU_FORMS), "auto", GELU_ABOUT)
    opset: int = parameter(Whole(LOWEST_OPSET), LOWEST_OPSET, f"version of ONNX's operators; {LOWEST_OPSET} has Gelu")
    ir_version: int = parameter(Whole(), 0, "version of ONNX's file format; 0: the first that has the opset")
    guard: bool = as_declared(Ir, "guard")
    batch_size: int = parameter(Whole(), 0, "fixed batch size; 0: free")
    seq_len: int = parameter(Whole(), 0, "fixed sequence length; 0: free")

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions, in the order they are given."""
        return tuple(self.precision.split(","))


ASKED = Asked(stage="onnx-infer", flag="onnx")


def plan_onnx(source: Source, request: Onnx, probes: File) -> Plan:
    """Checkpoint → an ONNX model of each precision, with the answers that its parity gate compares.

    Raises:
        UsageError: the source takes no sequence that long.
    """
    check_seq_len(source, request.seq_len)
    steps, targets = [*reference_steps(source, request.output, request.gelu, probes)], []
    reference = steps[-1]
    for precision in request.precisions:
        name = _target_name(source, request, precision)
        params = {"precision": precision, "model": source.model, **_params(source, request)}
        made = Step(id=name, stage="onnx-direct", inputs={"checkpoint": source.file}, params=params)
        answers = ASKED.step(f"{name}-infer", made.id, probes)
        steps += [made, answers]
        targets.append(Target(name=name, step=made.id, reference=reference.id, answers=answers.id, precision=precision))
    return Plan(model=source.model, steps=tuple(steps), targets=tuple(targets))


def _params(source: Source, request: Onnx) -> dict[str, str]:
    sizes = (("batch", request.batch_size), ("seq-len", request.seq_len), ("ir-version", request.ir_version))
    return {
        "opset": str(request.opset),
        **{name: str(size) for name, size in sizes if size},
        **output_params(source, outputs_of(source, request.output)),
        **source_params(source, request.gelu),
        **guard_params(source, request.guard),
    }


def _target_name(source: Source, request: Onnx, precision: str) -> str:
    parts = ["onnx"]
    if request.opset != LOWEST_OPSET:
        parts.append(f"opset{request.opset}")
    if request.ir_version:
        parts.append(f"v{request.ir_version}")
    if request.guard:
        parts.append(GUARD)
    parts += [f"{letter}{size}" for letter, size in (("b", request.batch_size), ("s", request.seq_len)) if size]
    if output_word(source, request.output):
        parts.append(output_word(source, request.output))
    if request.gelu != "auto":
        parts.append(request.gelu)
    return "-".join([*parts, precision])


def _evaluated(precision: str) -> Callable[[Source, Measured, File, str], Plan]:
    return lambda source, data, probes, _for: plan_onnx(source, Onnx(precision=precision, output=data.output), probes)


KIND = Kind(
    name="onnx",
    about="an ONNX model",
    command=Command(
        name="convert-onnx",
        about="Make an ONNX model that is proved to answer like its source.",
        example="--model minilm-l6 --precision fp32,fp16",
    ),
    request=Onnx,
    plan=plan_onnx,
    stage="onnx-direct",
    asked=ASKED,
    tolerances={name: IR.tolerances[name] for name in PRECISIONS},
    families=True,
    guarded=lambda request: bool(request.guard),
    taken=lambda source, request: taken_parts(source, request.output),
    taken_by=OUTPUT_OF_PART,
    main_file="model.onnx",
    evaluated=tuple(Evaluated(name=f"onnx-{name}", plan=_evaluated(name), usual=False) for name in PRECISIONS),
)
