"""A TensorFlow 2 checkpoint: its parameters, and the plan of all that convert-tf2 makes. Pure, as `plans` are."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

from bertbuild.errors import UsageError
from bertbuild.heads.answers import ENCODER
from bertbuild.heads.classifier import OUTPUT as PROBABILITIES
from bertbuild.heads.classifier import PART as CLASSIFIER
from bertbuild.heads.masked_lm import PART as MASKED_LM
from bertbuild.heads.next_sentence import PART as NEXT_SENTENCE
from bertbuild.heads.pooled import PART as POOLER
from bertbuild.heads.span import PART as SPAN
from bertbuild.kinds.frozen import GELU_ABOUT, gelu_form
from bertbuild.kinds.kind import Asked, Command, Kind, Request
from bertbuild.parameters import Parameter, check, parameter
from bertbuild.plans.outputs import output_params
from bertbuild.plans.plan import GELU_FORMS, File, Plan, Source, Step, Target, check_garden
from bertbuild.plans.tolerance import FLOAT32
from bertbuild.toml.values import Choice, Location

OTHER_GELU = {"erf": "tanh", "tanh": "erf"}
PARTS_OF_FORMAT = {
    "encoder": {POOLER},
    "keras-bert": {POOLER, CLASSIFIER, SPAN},
    "keras-names": {POOLER, CLASSIFIER, SPAN, MASKED_LM, NEXT_SENTENCE},
    "pretrainer": {POOLER, MASKED_LM, NEXT_SENTENCE},
}
FORMATS = tuple(PARTS_OF_FORMAT)
TAKEN_BY = {
    CLASSIFIER: "--format keras-bert",
    SPAN: "--format keras-bert",
    MASKED_LM: "--format pretrainer",
    NEXT_SENTENCE: "--format pretrainer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Request):
    """What all that is converted to TensorFlow 2 has: the form of gelu to record, or to build a model with."""

    gelu: str = parameter(Choice(GELU_FORMS), "auto", GELU_ABOUT)

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf2(Converted):
    """What a TensorFlow 2 checkpoint is to be like."""

    format: str = parameter(
        Choice(FORMATS),
        "encoder",
        "whose names it has: the Model Garden's encoder or pretrainer, keras-bert's, Keras's",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf2Model(Converted):
    """What a TensorFlow 2 model, which holds its graph, is to be like.

    Attributes:
        format: the stage's word for it.
        flag: what the stage that answers for it calls it.
        heads: the heads that it can have.
    """

    format: ClassVar[str]
    flag: ClassVar[str]
    heads: ClassVar[AbstractSet[str]]


def plan_convert_tf2(source: Source, request: Tf2 | Tf2Model, probes: File) -> Plan:
    """Checkpoint → TensorFlow 2 checkpoint, SavedModel or hub module, restored whole and answering like its source.

    Raises:
        UsageError: the source is not a checkpoint.
    """
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be converted.", next_step="Give --model or --checkpoint.")
    check_garden(source)
    is_checkpoint = isinstance(request, Tf2)
    chosen = gelu_form(source, request.gelu)
    gelu = {"gelu": chosen} if chosen else {}
    with_head = source.head is not None and source.head.kind == CLASSIFIER and _can_have_head(request)
    converted = Step(
        id="convert-tf2",
        stage="convert-tf2",
        inputs={"checkpoint": source.file},
        params={"format": _checkpoint_format(request, with_head=with_head), "prefix": source.prefix, **gelu},
    )
    steps = [converted]
    made, flag, asked = converted.id, ASKED.flag, gelu
    if isinstance(request, Tf2Model):
        built = {"kind": request.format, **gelu}
        steps.append(Step(id=request.format, stage="tf2-saved-model", inputs={"converted": converted.id}, params=built))
        made, flag, asked = request.format, request.flag, {}
    reference = Step(
        id="reference",
        stage="tf1-infer",
        inputs={"checkpoint": source.file, "probes": probes},
        params={**output_params(source, (PROBABILITIES,) if with_head else ENCODER), "prefix": source.prefix, **gelu},
    )
    answers = Asked(stage=ASKED.stage, flag=flag).step("tf2-infer", made, probes, asked)
    told = {}
    if chosen and is_checkpoint:
        # No checkpoint says which gelu it wants, and the Model Garden's classes compute theirs unless they are told.
        other = OTHER_GELU[chosen]
        steps.append(ASKED.step(f"tf2-infer-{other}", made, probes, {"gelu": other}))
        told = {f"restored into the same model with gelu by {other}": f"tf2-infer-{other}"}
    name = "-".join(["tf2", request.format, *([request.gelu] if request.gelu != "auto" else [])])
    target = Target(name=name, step=made, reference=reference.id, answers=answers.id, precision="fp32", told=told)
    return Plan(model=source.model, steps=(*steps, reference, answers), targets=(target,))


def _can_have_head(request: Tf2 | Tf2Model) -> bool:
    return CLASSIFIER in request.heads if isinstance(request, Tf2Model) else request.format == "keras-bert"


def _checkpoint_format(request: Tf2 | Tf2Model, *, with_head: bool) -> str:
    if isinstance(request, Tf2):
        return request.format
    return "keras-bert" if with_head else "encoder"


def taken_by_model(_source: Source, request: Tf2Model) -> set[str]:
    """The parts of a source that a TensorFlow 2 model of it has."""
    return {POOLER, *request.heads}


ASKED = Asked(stage="tf2-infer", flag="converted")
CONVERT_TF2 = Command(
    name="convert-tf2",
    example="--checkpoint path/to/model --format savedmodel",
    about="Convert a checkpoint to TensorFlow 2: restored whole, run, and proved to answer like its source.",
    copied=Parameter(
        name="checkpoint_to_path",
        type=Location(),
        written="PREFIX",
        about="also copy the result to this prefix; what is printed is what restore takes",
    ),
)

KIND = Kind(
    name="tf2",
    about="a TensorFlow 2 checkpoint",
    command=CONVERT_TF2,
    request=Tf2,
    plan=plan_convert_tf2,
    stage="convert-tf2",
    asked=ASKED,
    tolerances={"fp32": FLOAT32},
    taken=lambda _source, request: PARTS_OF_FORMAT[request.format],
    taken_by=TAKEN_BY,
    main_file="bert_model.ckpt",
    is_prefix=True,
    mapping=("TensorFlow 1", "TensorFlow 2"),
)
