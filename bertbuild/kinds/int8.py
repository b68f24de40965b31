"""What makes an IR int8: examples to calibrate it on, and the stage that quantizes; and the one that compresses weights
alone. Pure, as `plans` are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from bertbuild.heads.answers import heads_for
from bertbuild.heads.classifier import PART as CLASSIFIER
from bertbuild.kinds.ir_request import FLOAT, GROUP_SIZES, INT4_WEIGHTS, INT8, VNNI, Calibrated, Ir
from bertbuild.plans.outputs import outputs_of
from bertbuild.plans.plan import File, Source, Step, Target

TEXT_LENGTH = 128
TEXT_EXAMPLES = "text-examples"
FLAG_OF = {"quantize": "ir", "onnx-quantize": "onnx"}
"""Stage that quantizes → what it calls the model that it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What int8 is calibrated on.

    Attributes:
        examples: a file or folder of examples, or the id of the step that makes it.
        steps: the steps that make it.
        validation: labelled examples, where the accuracy is bounded.
    """

    examples: File | str
    steps: tuple[Step, ...] = ()
    validation: File | str | None = None


def plan_text_examples(text: File, vocab: File, source: Source, request: Calibrated, *, reading: str = "") -> Step:
    """Lines of text → examples as the model's vocabulary, which may be numbered by a `reading`, has them."""
    length = min(request.seq_len or TEXT_LENGTH, source.max_positions)
    params = {"max-seq-length": str(length), "most": str(request.calibration_size)}
    if reading:
        params["vocab-reading"] = reading
    return Step(id=TEXT_EXAMPLES, stage=TEXT_EXAMPLES, inputs={"text": text, "vocab": vocab}, params=params)


def head_judged(source: Source, request: Calibrated) -> str:
    """The kind of the head by which an IR's loss is bounded: the task's, where the IR gives its answers; else empty."""
    if source.kind != "checkpoint" or source.head is None:
        return ""
    outputs = outputs_of(source, request.output)
    return source.head.kind if source.head in heads_for(outputs, source.heads) else ""


def asks_int8(request: object) -> TypeGuard[Calibrated]:
    """Whether a request's target is int8, or has one beside it, which a `Calibration` is needed for."""
    return bool(getattr(request, "is_calibrated", False))


def quantize_step(
    target: Target, source: Source, request: Calibrated, calibration: Calibration, *, stage: str = "quantize"
) -> Step:
    """The step that makes the int8 form of an fp32 target, whose stage calls it by its kind."""
    drop = f"drop{request.max_drop}-" if request.max_drop else ""
    processors = f"{VNNI}-" if request.int8_for == VNNI else ""
    name = target.name.removesuffix(FLOAT) + drop + processors + INT8
    inputs: dict[str, File | str] = {FLAG_OF[stage]: target.step, "examples": calibration.examples}
    params = {"examples-used": str(request.calibration_size), "model": source.model, "int8-for": request.int8_for}
    head = head_judged(source, request)
    if head and head != CLASSIFIER:
        params["head"] = head
    if calibration.validation is not None:
        inputs["validation"] = calibration.validation
        params["max-drop"] = request.max_drop
    return Step(id=name, stage=stage, inputs=inputs, params=params)


def compress_step(target: Target, source: Source, request: Ir, precision: str) -> Step:
    """The step that makes the form of an fp32 target whose weights take fewer bits; needs no examples."""
    params = {"precision": precision, "model": source.model}
    group = ""
    if precision == INT4_WEIGHTS:
        params["group-size"] = request.group_size
        group = f"g{request.group_size}-" if request.group_size != GROUP_SIZES[0] else ""
    name = target.name.removesuffix(FLOAT) + group + precision
    return Step(id=name, stage="compress", inputs={"ir": target.step}, params=params)
