"""An ONNX model: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bertbuild.heads.answers import OUTPUT_OF_PART, OUTPUTS
from bertbuild.kinds.frozen import GELU_ABOUT, OUTPUT_ABOUT, reference_steps, source_params
from bertbuild.kinds.guard import GUARD, guard_params
from bertbuild.kinds.int8 import Calibration, quantize_step
from bertbuild.kinds.ir import KIND as IR
from bertbuild.kinds.ir_request import FLOAT, INT8, Ir, check_int8
from bertbuild.kinds.kind import Asked, Command, Evaluated, Kind, Request
from bertbuild.kinds.measured import Measured, training_of
from bertbuild.parameters import as_declared, check, parameter
from bertbuild.plans.outputs import output_params, output_word, outputs_of, taken_parts
from bertbuild.plans.plan import GELU_FORMS, File, Plan, Source, Step, Target, check_seq_len
from bertbuild.toml.values import Choice, Choices, Whole

PRECISIONS = (FLOAT, "fp16", INT8)
LOWEST_OPSET = 20
"""The first opset that has Gelu; LayerNormalization it has since 17."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onnx(Request):
    """What an ONNX model is to be like; both precisions, with a comma, are two models of one plan."""

    precision: str = parameter(
        Choice(PRECISIONS),
        PRECISIONS[0],
        "what weights are stored in; int8 also computes in it, the others in float32",
        several=True,
    )
    output: str = parameter(Choices(OUTPUTS), "", OUTPUT_ABOUT)
    gelu: str = parameter(Choice(GELU_FORMS), "auto", GELU_ABOUT)
    opset: int = parameter(Whole(LOWEST_OPSET), LOWEST_OPSET, f"version of ONNX's operators; {LOWEST_OPSET} has Gelu")
    ir_version: int = parameter(Whole(), 0, "version of ONNX's file format; 0: the first that has the opset")
    guard: bool = as_declared(Ir, "guard")
    batch_size: int = parameter(Whole(), 0, "fixed batch size; 0: free")
    seq_len: int = parameter(Whole(), 0, "fixed sequence length; 0: free")
    calibration: str = as_declared(Ir, "calibration")
    calibration_text: str = as_declared(Ir, "calibration_text")
    calibration_size: int = as_declared(Ir, "calibration_size")
    vocab_reading: str = as_declared(Ir, "vocab_reading")
    max_drop: str = as_declared(Ir, "max_drop")
    validation: str = as_declared(Ir, "validation")
    int8_for: str = as_declared(Ir, "int8_for")

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)
        check_int8(self)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions, in the order they are given."""
        return tuple(self.precision.split(","))

    @property
    def is_calibrated(self) -> bool:
        """Whether it is, or has beside it, an int8 model, which a `Calibration` is needed for."""
        return INT8 in self.precisions


ASKED = Asked(stage="onnx-infer", flag="onnx")


def plan_onnx(source: Source, request: Onnx, probes: File, calibration: Calibration | None = None) -> Plan:
    """Checkpoint → an ONNX model of each precision, with the answers that its gate compares; int8 is made of fp32.

    Args:
        source: what to begin with.
        request: what the models are to be like.
        probes: what they are asked.
        calibration: what int8 is calibrated on; None where int8 is not asked for.

    Raises:
        UsageError: the source takes no sequence that long.
    """
    check_seq_len(source, request.seq_len)
    steps = [*reference_steps(source, request.output, request.gelu, probes)]
    reference = steps[-1].id
    made: dict[str, Target] = {}

    def add(step: Step, precision: str) -> None:
        answers = ASKED.step(f"{step.id}-infer", step.id, probes)
        asked = [answers] if precision in request.precisions else []
        steps.extend([step, *asked])
        made[precision] = Target(
            name=step.id, step=step.id, reference=reference, answers=answers.id, precision=precision
        )

    floats = [precision for precision in request.precisions if precision != INT8]
    for precision in dict.fromkeys([*floats, *([FLOAT] if request.is_calibrated else [])]):
        params = {"precision": precision, "model": source.model, **_params(source, request)}
        name = _target_name(source, request, precision)
        add(Step(id=name, stage="onnx-direct", inputs={"checkpoint": source.file}, params=params), precision)
    if request.is_calibrated:
        assert calibration is not None  # noqa: S101 - `asks_int8`
        steps += calibration.steps
        add(quantize_step(made[FLOAT], source, request, calibration, stage="onnx-quantize"), INT8)
    return Plan(model=source.model, steps=tuple(steps), targets=tuple(made[one] for one in request.precisions))


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


def _evaluated_int8(source: Source, data: Measured, probes: File, int8_for: str) -> Plan:
    training = training_of(data, "onnx-int8")
    request = Onnx(precision=INT8, output=data.output, calibration=str(training.path), int8_for=int8_for)
    return plan_onnx(source, request, probes, Calibration(examples=training))


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
    evaluated=(
        *(Evaluated(name=f"onnx-{name}", plan=_evaluated(name), usual=False) for name in PRECISIONS if name != INT8),
        Evaluated(name=f"onnx-{INT8}", plan=_evaluated_int8, usual=False),
    ),
)
