"""From an IR wanted in int8, and examples to calibrate it on, to the stages that make it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bertbuild.errors import UsageError
from bertbuild.plans.plan import INT8, File, IrRequest, Plan, Source, Step, Target, check_choice, plan_ir

FLOAT = "fp32"
SUBSET = 300
TEXT_LENGTH = 128
TEXT_EXAMPLES = "text-examples"
ANY = "any"
"""Processors that an int8 IR is for: all of them. Weights have 7 bits, so that no sum of two products needs 17, and
products of two activations stay float32."""

VNNI = "vnni"
"""Those with VNNI (or AMX), which add 8-bit products up in 32 bits. Weights have all 8 bits."""

INT8_FOR = (ANY, VNNI)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRequest:
    """What int8 is to be calibrated on, as it was typed.

    Attributes:
        folder: of prepare-data; its training examples are taken.
        text: a file in its place: an example a line.
        size: how many examples.
        max_drop: how far the accuracy on the folder's dev set may fall, e.g. "0.01"; empty where it is not bounded.
        int8_for: the processors that the IR answers rightly on: one of `INT8_FOR`.
        vocab_reading: how a vocab.txt with duplicate lines is numbered; empty: as the word table's rows tell.
    """

    folder: str = ""
    text: str = ""
    size: int = SUBSET
    max_drop: str = ""
    int8_for: str = ANY
    vocab_reading: str = ""

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        if self.folder and self.text:
            raise UsageError(
                "--calibration and --calibration-text were both given.", next_step="Give the one or the other."
            )
        check_choice("int8-for", (self.int8_for,), INT8_FOR)
        if self.size < 1:
            raise UsageError("--calibration-size below 1 means nothing.", next_step=f"Give {SUBSET}, for instance.")
        if self.max_drop:
            _check_max_drop(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What int8 is calibrated on.

    Attributes:
        examples: a file or folder of examples, or the id of the step that makes it.
        steps: the steps that make it.
        validation: labelled examples, where the accuracy is bounded.
        request: the size, the bound and the processors.
    """

    examples: File | str
    steps: tuple[Step, ...] = ()
    validation: File | str | None = None
    request: CalibrationRequest


def check_request(request: IrRequest, calibration: CalibrationRequest) -> None:
    """Refuse int8 without data, and data or a bound without int8.

    Raises:
        UsageError: they do not fit.
    """
    given = calibration.folder or calibration.text
    if INT8 not in request.precisions:
        if calibration != CalibrationRequest():
            raise UsageError(
                "Only int8 is calibrated; --calibration, --calibration-text, --calibration-size, --vocab-reading, "
                "--max-drop and --int8-for are for it alone.",
                next_step="Add --precision int8, or leave them out.",
            )
    elif not given:
        raise UsageError(
            "int8 needs examples of what the model will see: how large its activations get decides how they are "
            "rounded.",
            next_step="Give a folder of invoke prepare-data (--calibration FOLDER), or a file with a text on each line "
            "(--calibration-text FILE). MRPC serves where nothing else is known: invoke fetch-data --task MRPC.",
        )
    if calibration.max_drop and "probabilities" not in request.freeze.output.split(","):
        raise UsageError(
            "--max-drop bounds the accuracy of a classifier, and this IR gives no probabilities.",
            next_step="Add --output probabilities, or leave --max-drop out.",
        )


def plan_irs(source: Source, request: IrRequest, probes: File, calibration: Calibration | None) -> Plan:
    """Source → IR of each precision; int8 is made of the fp32 one, by quantization.

    Args:
        source: as `plan_ir` takes it.
        request: likewise.
        probes: likewise.
        calibration: what int8 is calibrated on; None where int8 is not asked for.

    Raises:
        UsageError: the request contradicts itself or the source.
    """
    if calibration is None:
        return plan_ir(source, request, probes)
    floats = tuple(precision for precision in request.precisions if precision != INT8)
    plan = plan_ir(source, replace(request, precisions=tuple(dict.fromkeys((*floats, FLOAT)))), probes)
    made = dict(zip((*dict.fromkeys((*floats, FLOAT)),), plan.targets, strict=True))
    steps = [step for step in plan.steps if FLOAT in floats or step.id != made[FLOAT].answers]
    quantize, answers = _quantized(made[FLOAT], source, probes, calibration)
    made[INT8] = replace(made[FLOAT], name=quantize.id, step=quantize.id, answers=answers.id, precision=INT8)
    targets = tuple(made[precision] for precision in request.precisions)
    return Plan(model=plan.model, steps=(*steps, *calibration.steps, quantize, answers), targets=targets)


def plan_text_examples(
    text: File, vocab: File, source: Source, request: IrRequest, size: int, *, reading: str = ""
) -> Step:
    """Lines of text → examples as the model's vocabulary, which may be numbered by a `reading`, has them."""
    length = min(request.seq_len or TEXT_LENGTH, source.max_positions)
    params = {"max-seq-length": str(length), "most": str(size)}
    if reading:
        params["vocab-reading"] = reading
    return Step(id=TEXT_EXAMPLES, stage=TEXT_EXAMPLES, inputs={"text": text, "vocab": vocab}, params=params)


def _quantized(target: Target, source: Source, probes: File, calibration: Calibration) -> tuple[Step, Step]:
    """The steps that make the int8 form of an fp32 target, and that ask it."""
    request = calibration.request
    drop = f"drop{request.max_drop}-" if request.max_drop else ""
    processors = f"{VNNI}-" if request.int8_for == VNNI else ""
    name = target.name.removesuffix(FLOAT) + drop + processors + INT8
    inputs: dict[str, File | str] = {"ir": target.step, "examples": calibration.examples}
    params = {"examples-used": str(request.size), "model": source.model, "int8-for": request.int8_for}
    if calibration.validation is not None:
        inputs["validation"] = calibration.validation
        params["max-drop"] = request.max_drop
    quantize = Step(id=name, stage="quantize", inputs=inputs, params=params)
    asked: dict[str, File | str] = {"ir": name, "probes": probes}
    return quantize, Step(id=f"{name}-infer", stage="openvino-infer", inputs=asked)


def _check_max_drop(request: CalibrationRequest) -> None:
    if not request.folder:
        raise UsageError(
            "--max-drop needs labelled examples to measure the accuracy on.",
            next_step="Give a folder of invoke prepare-data: --calibration FOLDER.",
        )
    try:
        sensible = 0 <= float(request.max_drop) < 1
    except ValueError:
        sensible = False
    if not sensible:
        raise UsageError(
            f"--max-drop {request.max_drop!r} is no share between 0 and 1.",
            next_step="Give 0.01 for an accuracy that may fall from 0.85 to 0.84.",
        )
