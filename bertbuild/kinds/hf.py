"""A Hugging Face folder: its parameters, and its plan. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.errors import UsageError
from bertbuild.families.table import ALBERT_ZH
from bertbuild.heads import masked_lm
from bertbuild.heads.answers import answered, task_head
from bertbuild.heads.found import FoundHead, as_parameter
from bertbuild.heads.pooled import OUTPUT as POOLED
from bertbuild.heads.pooled import PART as POOLER
from bertbuild.kinds.frozen import ASKED as FROZEN
from bertbuild.kinds.frozen import GELU_ABOUT, gelu_form
from bertbuild.kinds.kind import Asked, Command, Kind, Request
from bertbuild.parameters import check, parameter
from bertbuild.plans.family_reference import heads_of_class, of_google
from bertbuild.plans.plan import GELU_FORMS, TOGETHER, File, Plan, Source, Step, Target
from bertbuild.plans.prepare_data import VOCAB_READING_ABOUT
from bertbuild.plans.tolerance import FLOAT32
from bertbuild.text.facts import HowRead
from bertbuild.toml.values import Choice, Truth

ASKED = Asked(stage="hf-tf-infer", flag="huggingface")


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFace(Request):
    """What a Hugging Face folder is to be like."""

    gelu: str = parameter(Choice(GELU_FORMS), "auto", GELU_ABOUT)
    do_lower_case: bool | None = parameter(
        Truth(),
        None,
        "whether text is lower-cased; default: as recorded beside the checkpoint, else where vocab.txt has no capitals",
    )
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)

    def __post_init__(self) -> None:
        """Refuse what no source could make sense of, before anything is fetched."""
        check(self)


def heads_of(source: Source) -> tuple[FoundHead, ...]:
    """The heads that the folder has: that of the task, else those of pre-training; a class has one or the other."""
    task = task_head(source.heads)
    heads = (task,) if task else source.heads
    return heads if of_google(source) else heads_of_class(source, heads)


def plan_hf(source: Source, request: HuggingFace, probes: File) -> Plan:
    """Checkpoint → Hugging Face folder, which transformers' own classes answer for.

    Raises:
        UsageError: the source is not a checkpoint, or has a masked-LM head with a table of its own.
    """
    if source.kind != "checkpoint":
        raise UsageError("Only a checkpoint can be converted.", next_step="Give --model or --checkpoint.")
    if source.family == ALBERT_ZH:
        raise UsageError(
            f"{source.model} is an ALBERT of albert_zh, whose positions are as wide as its hidden states, and "
            "transformers has no class for that.",
            next_step="Make a frozen graph, an IR or an ONNX model of it.",
        )
    heads = heads_of(source)
    untied = next(
        (head for head in heads if head.kind == masked_lm.PART and head.weights != masked_lm.TIED_WEIGHTS), None
    )
    if untied:
        raise UsageError(
            f"The masked-LM head of {source.model} has a table of its own ({untied.weights}), and transformers' "
            "TensorFlow classes, which prove the folder, have none.",
            next_step="Build an IR of it instead: invoke build-ir --output masked-lm-logits.",
        )
    chosen = gelu_form(source, request.gelu)
    gelu = {"gelu": chosen} if chosen else {}
    told = {"heads": as_parameter(heads)} if heads else {}
    made = Step(
        id="hf",
        stage="convert-hf",
        inputs={"checkpoint": source.file},
        params={"prefix": source.prefix, **gelu, **told},
    )
    outputs = tuple(name for name in answered(heads) if name != POOLED or (source.pooler and not heads))
    references = _references(source, {"output": ",".join(outputs), "prefix": source.prefix, **gelu, **told}, probes)
    answers = ASKED.step("hf-infer", made.id, probes)
    name = "-".join(["hf", *([request.gelu] if request.gelu != "auto" else [])])
    target = Target(name=name, step=made.id, reference=references[-1].id, answers=answers.id, precision="fp32")
    return Plan(model=source.model, steps=(made, *references, answers), targets=(target,))


def _references(source: Source, params: dict[str, str], probes: File) -> tuple[Step, ...]:
    """The steps that answer for the source. Of another family than BERT that is the frozen graph in TensorFlow 1:
    bertbuild's description of the model, which transformers' classes, the other side here, have no part in.
    """
    inputs: dict[str, File | str] = {"checkpoint": source.file, "probes": probes}
    if of_google(source):
        return (Step(id="reference", stage="tf1-infer", inputs=inputs, params={**params, **TOGETHER}),)
    frozen = Step(id="freeze", stage="freeze", inputs={"checkpoint": source.file}, params=params)
    return frozen, FROZEN.step("reference", frozen.id, probes, TOGETHER)


KIND = Kind(
    name="hf",
    about="a Hugging Face folder",
    command=Command(
        name="convert-hf",
        about="Convert a checkpoint to a Hugging Face folder, proved by the answers of transformers' own classes.",
        example="--checkpoint path/to/finetuned",
    ),
    request=HuggingFace,
    plan=plan_hf,
    stage="convert-hf",
    asked=ASKED,
    tolerances={"fp32": FLOAT32},
    how_read=lambda request: HowRead(request.do_lower_case, request.vocab_reading),
    families=True,
    taken=lambda source, _request: {POOLER, *(head.kind for head in heads_of(source))},
)
