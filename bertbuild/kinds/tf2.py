"""A TensorFlow 2 checkpoint: its parameters, and the plan of all that convert-tf2 makes. Pure, as `plans` are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar

from bertbuild.errors import UsageError
from bertbuild.families.table import ALBERT, BERT, FAMILIES
from bertbuild.heads.answers import ENCODER, answered, task_head, usual
from bertbuild.heads.found import FoundHead, as_parameter
from bertbuild.heads.pooled import OUTPUT as POOLED
from bertbuild.heads.pooled import PART as POOLER
from bertbuild.kinds.frozen import GELU_ABOUT, gelu_form
from bertbuild.kinds.kind import Asked, Command, Kind, Request
from bertbuild.parameters import Parameter, check, parameter
from bertbuild.plans.family_reference import of_google, reference_steps
from bertbuild.plans.plan import GELU_FORMS, TOGETHER, File, Plan, Source, Step, Target, check_garden
from bertbuild.plans.tolerance import FLOAT32
from bertbuild.toml.values import Choice, Location

OTHER_GELU = {"erf": "tanh", "tanh": "erf"}
OF_TASKS = frozenset(("classifier", "multi-label", "regression", "tokens", "span"))
OF_PRETRAINING = frozenset(("masked-lm", "next-sentence"))
HEADS_OF_FORMAT = {
    "encoder": frozenset[str](),
    "keras-bert": OF_TASKS,
    "keras-names": OF_TASKS | OF_PRETRAINING,
    "pretrainer": OF_PRETRAINING,
}
"""Format → the kinds of heads that it has a place for, as `checkpoint/layouts.py` lays them out (a test compares)."""
FORMATS = tuple(HEADS_OF_FORMAT)
OF_ALBERT = ("encoder", "keras-bert", "savedmodel")
"""The formats that there are of an ALBERT: `AlbertEncoder`, also below the classes with a head for a task."""
TAKEN_BY = {
    **dict.fromkeys(OF_TASKS, "--format keras-bert"),
    **dict.fromkeys(OF_PRETRAINING, "--format pretrainer"),
}
TAKEN_OF_FAMILY = {ALBERT: dict.fromkeys(OF_TASKS, "--format keras-bert")}


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
        UsageError: the source is not a checkpoint, or has a head that the format has other heads in the place of.
    """
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be converted.", next_step="Give --model or --checkpoint.")
    check_garden(source)
    _check_family(source, request.format)
    if request.format == "pretrainer" and source.head is not None:
        raise UsageError(
            f"{source.model} has a head for a task ({source.head.kind}), and BertPretrainerV2 has none such.",
            next_step="Use --format keras-bert, whose models have it, or --format encoder, whose have no head.",
        )
    is_checkpoint = isinstance(request, Tf2)
    chosen = gelu_form(source, request.gelu)
    gelu = {"gelu": chosen} if chosen else {}
    carried = heads_of(source, request)
    heads = {"heads": as_parameter(carried)} if carried else {}
    flag, asked, outputs = ASKED.flag, gelu, answered(carried)
    if isinstance(request, Tf2Model):
        default = usual(carried, pooler=True) if task_head(carried) else ENCODER
        outputs = tuple(dict.fromkeys((*default, *(name for name in outputs if name not in ENCODER))))
        steps = list(model_steps(source, request.format, carried, default, gelu))
        flag, asked = request.flag, {}
    else:
        steps = [_converted(source, request.format, carried, gelu)]
    made = steps[-1].id
    if of_google(source):
        params = {"output": ",".join(outputs), "prefix": source.prefix, **gelu, **heads, **TOGETHER}
        inputs: dict[str, File | str] = {"checkpoint": source.file, "probes": probes}
        references: tuple[Step, ...] = (Step(id="reference", stage="tf1-infer", inputs=inputs, params=params),)
    else:  # of which the classes with heads give no pooled output
        wanted = [name for name in outputs if name != POOLED or not carried]
        references = reference_steps(source, wanted, chosen, {"probes": probes}, TOGETHER)
    reference = references[-1]
    told = {}
    if chosen and is_checkpoint:
        # No checkpoint says which gelu it wants, and the Model Garden's classes compute theirs unless they are told.
        other = OTHER_GELU[chosen]
        asked = {**asked, "other-gelu": other}
        told = {f"restored into the same model with gelu by {other}": other}
    answers = Asked(stage=ASKED.stage, flag=flag).step("tf2-infer", made, probes, asked)
    name = "-".join(["tf2", request.format, *([request.gelu] if request.gelu != "auto" else [])])
    target = Target(name=name, step=made, reference=reference.id, answers=answers.id, precision="fp32", told=told)
    return Plan(model=source.model, steps=(*steps, *references, answers), targets=(target,))


def _check_family(source: Source, format_: str) -> None:
    """Refuse a family, or a format of it, that no class of the Model Garden is for.

    Raises:
        UsageError: it names what can be made.
    """
    if source.family in (BERT, ALBERT) and (source.family == BERT or format_ in OF_ALBERT):
        return
    what = FAMILIES[source.family].what
    if source.family == ALBERT:
        raise UsageError(
            f"{source.model} is an {what}, and the format {format_} is for BERT alone.",
            next_step=f"Use one of {', '.join(OF_ALBERT)}.",
        )
    raise UsageError(
        f"{source.model} is an {what}, and the Model Garden has no class for it.",
        next_step="Make a frozen graph, an IR or an ONNX model of it (docs/families.md).",
    )


def heads_of(source: Source, request: Tf2 | Tf2Model) -> tuple[FoundHead, ...]:
    """The heads of a source that a target of it has."""
    parts = HEADS_OF_FORMAT[request.format] if isinstance(request, Tf2) else request.heads
    if not of_google(source):
        parts = parts & OF_TASKS
    fitting = tuple(head for head in source.heads if head.kind in parts)
    return fitting[:1] if request.format == "keras-bert" else fitting


def format_for(heads: Sequence[FoundHead]) -> str:
    """The format of the checkpoint that a model with these heads is restored from: one of a class that has them all."""
    kinds = {head.kind for head in heads}
    if len(heads) <= 1 and kinds <= OF_TASKS:
        return "keras-bert" if heads else "encoder"
    return "pretrainer" if kinds <= OF_PRETRAINING else "keras-names"


def _converted(source: Source, format_: str, heads: Iterable[FoundHead], gelu: Mapping[str, str]) -> Step:
    told = {"heads": as_parameter(heads)} if heads else {}
    return Step(
        id="convert-tf2",
        stage="convert-tf2",
        inputs={"checkpoint": source.file},
        params={"format": format_, "prefix": source.prefix, **gelu, **told},
    )


def model_steps(
    source: Source, kind: str, heads: Sequence[FoundHead], default: tuple[str, ...], gelu: Mapping[str, str]
) -> tuple[Step, Step]:
    """The steps from a checkpoint to a SavedModel or hub module with these heads.

    Args:
        source: the checkpoint.
        kind: "savedmodel" or "hub".
        heads: some of the source's.
        default: what the default signature of a SavedModel gives, as --output calls it.
        gelu: parameters that tell its form.
    """
    converted = _converted(source, format_for(heads), heads, gelu)
    output = {"output": ",".join(default)} if default != ENCODER else {}
    params = {"kind": kind, **output, **gelu}
    return converted, Step(id=kind, stage="tf2-saved-model", inputs={"converted": converted.id}, params=params)


def taken(source: Source, request: Tf2 | Tf2Model) -> set[str]:
    """The parts of a source that a target of it has; names keep every variable of a head, whole or not."""
    whole = request.format == "keras-names"
    return {POOLER, *(HEADS_OF_FORMAT[request.format] if whole else (head.kind for head in heads_of(source, request)))}


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
    families=True,
    taken=taken,
    taken_by=TAKEN_BY,
    taken_of_family=TAKEN_OF_FAMILY,
    main_file="bert_model.ckpt",
    is_prefix=True,
    mapping=("TensorFlow 1", "TensorFlow 2"),
)
