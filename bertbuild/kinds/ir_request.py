"""What an OpenVINO IR is to be like: the parameters of the kind `ir`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bertbuild.backends import versions
from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.errors import UsageError
from bertbuild.heads.all_layers import OUTPUT as ALL_LAYERS
from bertbuild.heads.answers import OUTPUTS
from bertbuild.kinds.frozen import GELU_ABOUT, OUTPUT_ABOUT
from bertbuild.kinds.kind import Request
from bertbuild.parameters import Parameter, check, parameter, parameters_of
from bertbuild.plans.plan import GELU_FORMS
from bertbuild.plans.prepare_data import VOCAB_READING_ABOUT
from bertbuild.toml.values import Choice, Choices, Location, Number, Truth, Whole

INT8 = "int8"
INT8_WEIGHTS, INT4_WEIGHTS = "int8-weights", "int4-weights"
COMPRESSED = (INT8_WEIGHTS, INT4_WEIGHTS)
"""Weights alone take fewer bits, and are computed with in float32."""

FLOAT = "fp32"
SUBSET = 300
ANY = "any"
"""Processors that an int8 IR is for: all of them. Weights have 7 bits, so that no sum of two products needs 17, and
products of two activations stay float32."""

VNNI = "vnni"
"""Those with VNNI (or AMX), which add 8-bit products up in 32 bits. Weights have all 8 bits."""

INT8_FOR = (ANY, VNNI)
INT8_FOR_ABOUT = "for int8: any: right on every processor; vnni: all 8 bits, and wrong on processors without VNNI"
OF_RECIPE = "finetune"
"""In the place of a folder, in a build file: what the model's recipe, `finetune`, trained it on. `./finetune` is a
folder of that name.
"""
ONLY_INT8 = ("precision", INT8)
ONLY_INT4 = ("precision", INT4_WEIGHTS)
PRECISIONS = (FLOAT, "fp16", INT8, *COMPRESSED)
MADE_OF_FLOAT = (INT8, *COMPRESSED)
"""What is made of the fp32 IR."""

GUARD_ABOUT = "in the graph itself: an id outside the vocabulary is taken for [UNK], a segment outside its table for 0"
GROUP_SIZES = ("128", "64", "32")
DIRECT, RESHAPEABLE, STATIC, SAVEDMODEL = "direct", "reshapeable", "static", "savedmodel"
ROUTES = (DIRECT, RESHAPEABLE, STATIC, SAVEDMODEL)
CONVERTERS = ("ovc", "mo")
OPENVINO = "openvino"
"""The backend that makes IRs, and asks them."""

OPENVINOS = versions(OPENVINO)
WITH_MO = "2024.6"
"""The last version of OpenVINO that has the Model Optimizer; what that makes is quantized and asked by it too."""


class Calibrated(Protocol):
    """A request whose target may be int8, calibrated on examples; `Ir` says what each parameter is."""

    @property
    def output(self) -> str:
        """As of `Ir`."""

    @property
    def seq_len(self) -> int:
        """As of `Ir`."""

    @property
    def calibration(self) -> str:
        """As of `Ir`."""

    @property
    def calibration_text(self) -> str:
        """As of `Ir`."""

    @property
    def calibration_size(self) -> int:
        """As of `Ir`."""

    @property
    def vocab_reading(self) -> str:
        """As of `Ir`."""

    @property
    def max_drop(self) -> str:
        """As of `Ir`."""

    @property
    def validation(self) -> str:
        """As of `Ir`."""

    @property
    def int8_for(self) -> str:
        """As of `Ir`."""

    @property
    def is_calibrated(self) -> bool:
        """As of `Ir`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ir(Request):
    """What an IR is to be like; several precisions, with commas, are several IRs of one plan."""

    precision: str = parameter(
        Choice(PRECISIONS),
        FLOAT,
        "what weights are stored in; int8 also computes in it, int8-weights and int4-weights compute in float32",
        several=True,
    )
    output: str = parameter(Choices(OUTPUTS), "", OUTPUT_ABOUT)
    gelu: str = parameter(Choice(GELU_FORMS), "auto", GELU_ABOUT)
    route: str = parameter(
        Choice(ROUTES),
        "",
        "direct: written from the checkpoint; reshapeable: through a frozen graph; static: from the .meta as it is; "
        "savedmodel: through TensorFlow 2; default: direct, of a frozen graph reshapeable, with converter mo static",
    )
    converter: str = parameter(
        Choice(CONVERTERS), "ovc", "mo: the Model Optimizer with the flags of OpenVINO's page (slow)"
    )
    openvino: str = parameter(
        Choice(OPENVINOS),
        "",
        "version of OpenVINO that makes the IR, and runs it for the gate; "
        f"default: {OPENVINOS[0]}, with converter mo {WITH_MO}",
    )
    text: bool = parameter(
        Truth(), False, "beside the IR, models that take strings: the tokenizer, and tokenizer and IR in one"
    )
    special_tokens_in_text: bool = parameter(
        Truth(), False, "with text: take [SEP], [MASK] and the like in a text for special tokens, as Hugging Face does"
    )
    guard: bool = parameter(Truth(), False, GUARD_ABOUT)
    batch_size: int = parameter(Whole(), 0, "fixed batch size; 0: free")
    seq_len: int = parameter(Whole(), 0, "fixed sequence length; 0: free")
    calibration: str = parameter(
        Location(),
        "",
        "for int8: folder of prepare-data, whose training examples it is calibrated on; in bertbuild.toml also "
        f"{OF_RECIPE}: what the model's recipe trained it on",
        written="FOLDER",
        only_for=ONLY_INT8,
    )
    calibration_text: str = parameter(
        Location(),
        "",
        "for int8, without prepared data: a text file, an example a line, tab between its parts",
        written="FILE",
        only_for=ONLY_INT8,
    )
    calibration_size: int = parameter(Whole(1), SUBSET, "for int8: examples to calibrate on", only_for=ONLY_INT8)
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT, only_for=ONLY_INT8)
    max_drop: str = parameter(
        Number(least=0, below=1),
        "",
        "for int8: how far the metric of the model's head (a classifier's accuracy) may fall on the folder's dev set, "
        "as 0.01; default: not bounded",
        written="SHARE",
        only_for=ONLY_INT8,
    )
    validation: str = parameter(
        Location(),
        "",
        "for int8 of SQuAD: dev-v1.1.json or dev-v2.0.json, the questions that --max-drop is measured on",
        written="FILE",
        only_for=ONLY_INT8,
    )
    int8_for: str = parameter(
        Choice(INT8_FOR),
        ANY,
        INT8_FOR_ABOUT,
        only_for=ONLY_INT8,
    )
    group_size: str = parameter(
        Choice(GROUP_SIZES),
        GROUP_SIZES[0],
        "for int4-weights: how many weights of a row share a scale; layers of another width take 8 bits",
        only_for=ONLY_INT4,
    )

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)
        check_int8(self)
        if INT4_WEIGHTS not in self.precisions and self.group_size != GROUP_SIZES[0]:
            raise UsageError(
                f"--group-size is for {INT4_WEIGHTS} alone.",
                next_step=f"Add --precision {INT4_WEIGHTS}, or leave it out.",
            )
        check_route(self, self.route)
        _check_text(self)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions, in the order they are given."""
        return tuple(self.precision.split(","))

    @property
    def version(self) -> str:
        """The version of OpenVINO that does all that OpenVINO does."""
        return self.openvino or self.usual_version

    @property
    def usual_version(self) -> str:
        """The version where none is named."""
        return WITH_MO if self.converter == "mo" else OPENVINOS[0]

    @property
    def is_calibrated(self) -> bool:
        """Whether it is, or has beside it, an int8 IR, which a `Calibration` is needed for."""
        return INT8 in self.precisions


def check_route(request: Ir, route: str) -> None:
    """Refuse what a route cannot make; `route` is the one that is taken, "" where the source decides.

    Raises:
        UsageError: they do not go together.
    """
    if request.converter == "mo" and request.version != WITH_MO:
        raise UsageError(
            f"--converter mo is the Model Optimizer of OpenVINO {WITH_MO}; {request.openvino} has none.",
            next_step="Leave --converter out, or --openvino.",
        )
    if route == STATIC and (request.batch_size or request.seq_len):
        raise UsageError(
            "The static route keeps the .meta's shape; --batch-size and --seq-len do not apply.",
            next_step="Leave --route out for other shapes.",
        )
    if route == DIRECT and request.converter == "mo":
        raise UsageError(
            "The direct route is written by our own code; the Model Optimizer has no part in it.",
            next_step="Leave --converter out, or choose another route.",
        )
    if request.guard and (request.converter == "mo" or route not in ("", DIRECT)):
        raise UsageError(
            "--guard is written into the graph by the direct route, and others convert a graph as it is.",
            next_step="Leave --guard out, or --route and --converter; of a frozen graph build from its checkpoint "
            "(--checkpoint).",
        )
    if route == SAVEDMODEL and request.converter == "mo":
        raise UsageError(
            "The Model Optimizer's command lines know no TensorFlow 2 SavedModel.",
            next_step="Leave --converter out, or choose another route.",
        )
    if route == SAVEDMODEL and request.output:
        check_saved(tuple(request.output.split(",")))


def check_saved(outputs: tuple[str, ...]) -> None:
    """Refuse outputs that no TensorFlow 2 SavedModel gives.

    Raises:
        UsageError: it gives others.
    """
    if ALL_LAYERS in outputs:
        raise UsageError(
            "A TensorFlow 2 SavedModel gives what heads answer, pooled and sequence; it gives no all-layers.",
            next_step="Leave --route out, or --output sequence.",
        )


def check_int8(request: Calibrated) -> None:
    """Refuse int8 without data, and data or a bound without int8.

    Raises:
        UsageError: they do not go together.
    """
    if not request.is_calibrated:
        if any(one.only_for == ONLY_INT8 and _is_given(request, one) for one in parameters_of(type(request)).values()):
            raise UsageError(
                "Only int8 is calibrated; --calibration, --calibration-text, --calibration-size, --vocab-reading, "
                "--max-drop, --validation and --int8-for are for it alone.",
                next_step="Add --precision int8, or leave them out.",
            )
        return
    if request.calibration and request.calibration_text:
        raise UsageError(
            "--calibration and --calibration-text were both given.", next_step="Give the one or the other."
        )
    if not request.calibration and not request.calibration_text:
        raise UsageError(
            "int8 needs examples of what the model will see: how large its activations get decides how they are "
            "rounded.",
            next_step="Give a folder of invoke prepare-data (--calibration FOLDER), or a file with a text on each line "
            "(--calibration-text FILE). MRPC serves where nothing else is known: invoke fetch-data --task MRPC.",
        )
    if request.max_drop and not request.calibration:
        raise UsageError(
            "--max-drop needs labelled examples to measure the accuracy on.",
            next_step="Give a folder of invoke prepare-data: --calibration FOLDER.",
        )
    if request.validation and not request.max_drop:
        raise UsageError(
            "--validation is what --max-drop is measured on, and no --max-drop was given.",
            next_step="Add --max-drop, for instance 0.01, or leave --validation out.",
        )


def _check_text(request: Ir) -> None:
    """Refuse models that take strings where their operators, or the IR's free sizes, are not to be had.

    Raises:
        UsageError: they do not go together.
    """
    if not request.text:
        if request.special_tokens_in_text:
            raise UsageError(
                "--special-tokens-in-text is for models that take strings.",
                next_step="Add --text, or leave it out; predict has the flag for every other target.",
            )
        return
    if request.version != OPENVINOS[0]:
        what = "--converter mo" if request.converter == "mo" else "--openvino"
        raise UsageError(
            f"--text takes OpenVINO {OPENVINOS[0]}, whose package openvino-tokenizers has the operators that read "
            f"text; {request.version} was asked for.",
            next_step=f"Leave {what} out, or --text.",
        )
    if request.batch_size or request.seq_len or request.route == STATIC:
        raise UsageError(
            "--text makes models that take any number of texts of any length, and the IR's sizes would be fixed.",
            next_step="Leave --batch-size, --seq-len and --route static out, or --text.",
        )


def _is_given(request: object, one: Parameter) -> bool:
    return bool(getattr(request, one.name) != one.unset)
