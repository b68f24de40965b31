"""Every key that a build file may have: its type, default and meaning. Data; parser, errors, schema and docs follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.plans.data import TASKS
from bertbuild.plans.int8 import ANY, INT8_FOR, SUBSET
from bertbuild.plans.neuron import BATCH_SIZE, DTYPES, EXACT, MIN_ON_NEURON, NEURON_GELU_FORMS, TIMEOUT
from bertbuild.plans.neuron import OUTPUTS as EXPORTED_OUTPUTS
from bertbuild.plans.placing import REFERENCES
from bertbuild.plans.plan import CONVERTERS, GELU_FORMS, OUTPUTS, PRECISIONS, ROUTES
from bertbuild.plans.tf2 import CHECKPOINT_FORMATS
from bertbuild.toml.values import Choice, Choices, Location, Name, Number, Text, Truth, Type, Value, Whole

PRECISION = "fp32"
"""Of an IR, where none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A key of a table.

    Attributes:
        name: the key.
        type: what its value may be.
        about: what it means, in a line.
        default: what holds where it is not given; None where that depends, and `about` says on what.
    """

    name: str
    type: Type
    about: str
    default: Value | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of targets: what it makes, the command that makes it alone, and the keys it takes."""

    name: str
    about: str
    command: str
    parameters: Mapping[str, Parameter]


def _by_name(*parameters: Parameter) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in parameters}


_GELU = Parameter(
    name="gelu", type=Choice(GELU_FORMS), default="auto", about="form of gelu; auto: as the checkpoint's .meta computes"
)
_OUTPUT = Parameter(name="output", type=Choices(OUTPUTS), default="pooled", about="what the model gives")
_EXPORT = (
    Parameter(name="seq_len", type=Whole(), default=0, about="sequence length; 0: 128, or all the model can take"),
    Parameter(
        name="output",
        type=Choices(EXPORTED_OUTPUTS),
        about="what the model gives; default: probabilities where there is a head, else pooled and sequence",
    ),
)
_NEURON = (
    *_EXPORT,
    Parameter(name="dtype", type=Choice(DTYPES), default="float16", about="of attention and dense layers"),
    Parameter(
        name="gelu",
        type=Choice(NEURON_GELU_FORMS),
        default=EXACT,
        about="exact: as the source computes it; tanh, sigmoid: cheaper, farther from it",
    ),
    Parameter(name="batch_size", type=Whole(1), default=BATCH_SIZE, about="batch to compile for"),
)
_VOCAB_READING = Parameter(
    name="vocab_reading",
    type=Choice(READINGS),
    about="how text is read with a vocab.txt that has duplicate lines; default: the word table's rows tell",
)
_CALIBRATION = (
    Parameter(name="calibration", type=Location(), about="for int8: folder of prepare-data to calibrate on"),
    Parameter(name="calibration_text", type=Location(), about="for int8, in its place: a text, an example a line"),
    Parameter(name="calibration_size", type=Whole(1), default=SUBSET, about="for int8: examples to calibrate on"),
    _VOCAB_READING,
    Parameter(
        name="max_drop",
        type=Number(),
        about="for int8: how far the accuracy on the folder's dev set may fall, as 0.01; default: not bounded",
    ),
    Parameter(
        name="int8_for",
        type=Choice(INT8_FOR),
        default=ANY,
        about="for int8: any: right on every processor; vnni: all 8 bits, and wrong on processors without VNNI",
    ),
)
_IR = (
    Parameter(name="precision", type=Choice(PRECISIONS), default=PRECISION, about="of the stored weights"),
    _OUTPUT,
    _GELU,
    Parameter(
        name="route",
        type=Choice(ROUTES),
        about="reshapeable: shapes free; static: from the .meta as it is; savedmodel: through TensorFlow 2; "
        "default: reshapeable, with converter mo static",
    ),
    Parameter(name="converter", type=Choice(CONVERTERS), default="ovc", about="mo: the Model Optimizer of old (slow)"),
    Parameter(name="batch", type=Whole(), default=0, about="fixed batch size; 0: free"),
    Parameter(name="seq_len", type=Whole(), default=0, about="fixed sequence length; 0: free"),
    *_CALIBRATION,
)
_COMPILE = (
    *_NEURON,
    Parameter(name="standard", type=Truth(), default=False, about="compile the exported SavedModel as it is"),
    Parameter(
        name="neuroncore_pipeline_cores", type=Whole(1), default=1, about="NeuronCores that one model is spread over"
    ),
    Parameter(name="compiler_args", type=Text(), default="", about="more arguments for neuron-cc, in one string"),
    Parameter(name="timeout", type=Whole(1), default=TIMEOUT, about="seconds that the compiler may take"),
    Parameter(
        name="min_on_neuron",
        type=Number(),
        default=MIN_ON_NEURON,
        about="smallest share of operators on the device, 0 to 1",
    ),
    Parameter(name="min_memory", type=Number(), about="GB that must be free to start; default: by the model's size"),
)
_FORMAT = Parameter(
    name="format",
    type=Choice(CHECKPOINT_FORMATS),
    default="encoder",
    about="whose names it has: the Model Garden's encoder or pretrainer, keras-bert's, Keras's",
)

REFERENCE = Parameter(
    name="reference",
    type=Choice(REFERENCES),
    about="TensorFlow that runs the source's graph for the gate; default: as it was proved before, else 1.15 where it "
    "can be had, else 2.20",
)

_KINDS = (
    ("frozen", "a frozen graph", "freeze", (_OUTPUT, _GELU, REFERENCE)),
    ("ir", "an OpenVINO IR", "build-ir", (*_IR, REFERENCE)),
    ("saved-model", "the SavedModel that google-research/bert exports", "export", (*_EXPORT, REFERENCE)),
    ("neuron-ready", "the SavedModel that the Neuron compiler takes", "neuron-ready", _NEURON),
    ("neuron", "a SavedModel compiled for AWS Inferentia", "neuron-compile", _COMPILE),
    ("tf2", "a TensorFlow 2 checkpoint", "convert-tf2", (_FORMAT, _GELU, REFERENCE)),
    ("tf2-savedmodel", "a TensorFlow 2 SavedModel", "convert-tf2 --format savedmodel", (_GELU, REFERENCE)),
    ("hub", "a TensorFlow 2 hub module", "convert-tf2 --format hub", (_GELU, REFERENCE)),
)
KINDS: dict[str, Kind] = {
    name: Kind(name=name, about=about, command=command, parameters=_by_name(*parameters))
    for name, about, command, parameters in _KINDS
}

KIND = Parameter(name="kind", type=Choice(tuple(KINDS)), about="what the target is; must be given")

SOURCES = _by_name(
    Parameter(name="model", type=Name(), about="a model of the catalogue; `invoke fetch --list` shows all"),
    Parameter(name="checkpoint", type=Location(), about="a checkpoint of your own: its folder, prefix, zip or tar"),
    Parameter(
        name="huggingface", type=Location(), about="a Hugging Face folder: config.json, a vocabulary, PyTorch's weights"
    ),
)
"""Where a model may come from, besides a recipe; a model has just one."""

READING = _by_name(
    Parameter(name="scope", type=Text(), default="", about="of several encoders the one of this scope, as module/bert"),
    Parameter(name="ema", type=Truth(), default=False, about="take the variables' moving averages"),
)
"""How a `checkpoint` is read where it can be read in several ways."""

FROM = Parameter(name="from", type=Name(), about="another model of this file, to begin with; must be given")
TRAINED_ON = _by_name(
    Parameter(name="task", type=Choice(TASKS), about="what to train on, prepared first; this or `prepared` is given"),
    Parameter(name="data", type=Location(), about="the task's files, or a SQuAD file; default: what fetch-data brings"),
    Parameter(name="prepared", type=Location(), about="folder of prepare-data to train on, in the place of `task`"),
    Parameter(name="squad", type=Location(), about="SQuAD's JSON with the questions to answer after training"),
    _VOCAB_READING,
)
FINETUNE = _by_name(
    Parameter(name="max_seq_length", type=Whole(1), about="pieces of a sequence; default: 128, or the prepared data's"),
    Parameter(name="train_batch_size", type=Whole(1), default=32, about="examples of a step"),
    Parameter(name="eval_batch_size", type=Whole(1), default=8, about="examples at once when it evaluates"),
    Parameter(name="predict_batch_size", type=Whole(1), default=8, about="examples at once when it predicts"),
    Parameter(name="learning_rate", type=Number(), default="5e-5", about="at its highest"),
    Parameter(name="num_train_epochs", type=Number(), default="3", about="times that all examples are seen"),
    Parameter(name="warmup_proportion", type=Number(), default="0.1", about="of the steps, in which the rate rises"),
    Parameter(name="save_checkpoints_steps", type=Whole(1), default=1000, about="steps that a kill may lose"),
    Parameter(name="do_train", type=Truth(), default=True, about="false: only evaluate and predict"),
    Parameter(name="do_eval", type=Truth(), about="figures on the dev set; default: where there is one"),
    Parameter(name="do_predict", type=Truth(), about="predictions for the test set; default: where there is one"),
    Parameter(name="doc_stride", type=Whole(1), default=128, about="SQuAD: words between two windows over a text"),
    Parameter(name="max_query_length", type=Whole(1), default=64, about="SQuAD: words of a question"),
    Parameter(name="n_best_size", type=Whole(1), default=20, about="SQuAD: answers kept"),
    Parameter(name="max_answer_length", type=Whole(1), default=30, about="SQuAD: words of an answer"),
    Parameter(
        name="null_score_diff_threshold",
        type=Number(),
        default="0",
        about="SQuAD 2.0: how much better no answer must be",
    ),
    Parameter(name="version_2_with_negative", type=Truth(), about="SQuAD 2.0: questions may have no answer"),
    Parameter(name="seed", type=Whole(), default=1, about="of new weights, dropout and the order of examples"),
)


def kinds_with(name: str) -> list[Kind]:
    """The kinds that take a key."""
    return [kind for kind in KINDS.values() if name in kind.parameters]
