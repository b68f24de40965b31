"""transformers' TensorFlow classes answer for checkpoints that google-research/bert's code does not compute. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bertbuild.errors import CheckpointError, UsageError
from bertbuild.families.table import ALBERT, ALBERT_ZH, BERT, ELECTRA, FAMILIES
from bertbuild.heads import masked_lm, next_sentence
from bertbuild.heads.answers import heads_for
from bertbuild.heads.found import FoundHead, as_parameter
from bertbuild.huggingface.classes import class_for
from bertbuild.plans.plan import File, Source, Step

WEIGHTS = "hf-weights"
INFER = "hf-tf-infer"
_OWN_PROGRAM = "Train it with {}'s own program, and give the checkpoint that this saves, whose head is found."
_TRAINED_BY = {
    ALBERT: _OWN_PROGRAM.format("google-research/albert"),
    ALBERT_ZH: _OWN_PROGRAM.format("brightmart/albert_zh"),
    ELECTRA: "Make a Hugging Face folder of it (convert-hf), train that with transformers to tag words or to answer "
    "questions, and give the folder that this saves.",
}
"""Family → what to train it with. Heads that google-research/electra's own program trains are not read."""


def of_google(source: Source) -> bool:
    """Whether google-research/bert's code, or the source's own graph, answers for it."""
    return source.family == BERT


def reference_steps(
    source: Source,
    outputs: Iterable[str],
    gelu: str | None,
    asked: Mapping[str, File | str],
    params: Mapping[str, str] | None = None,
    step_id: str = "reference",
) -> tuple[Step, Step]:
    """The steps that answer for a checkpoint of another family; the last gives the answers.

    Args:
        source: a checkpoint.
        outputs: what is asked for, as --output calls it.
        gelu: the form that is computed, None where the model has none.
        asked: the probes, or examples, by the flag of the stage that answers.
        params: of that stage, besides.
        step_id: what that step is called.

    Raises:
        UsageError: transformers has no class that gives all of this.
    """
    names = tuple(outputs)
    heads = heads_of_class(source, heads_for(names, source.heads))
    told = {"heads": as_parameter(heads)} if heads else {}
    weights = Step(
        id=WEIGHTS,
        stage=WEIGHTS,
        inputs={"checkpoint": source.file},
        params={"prefix": source.prefix, **({"gelu": gelu} if gelu else {}), **told},
    )
    answers = Step(
        id=step_id,
        stage=INFER,
        inputs={"huggingface": weights.id, **asked},
        params={"output": ",".join(names), **(params or {})},
    )
    return weights, answers


def heads_of_class(source: Source, heads: tuple[FoundHead, ...]) -> tuple[FoundHead, ...]:
    """The heads that a class of transformers has all of, where these are wanted.

    Raises:
        UsageError: there is no such class.
    """
    wanted = heads
    if source.family == ALBERT and [head.kind for head in heads] == [next_sentence.PART]:
        # transformers' classes have an ALBERT's order of sentences beside its masked LM alone.
        wanted = (*(head for head in source.heads if head.kind == masked_lm.PART), *heads)
    try:
        class_for((head.kind for head in wanted), source.family)
    except CheckpointError as error:
        kinds = " and ".join(head.kind for head in heads)
        raise UsageError(
            f"{source.model} is an {FAMILIES[source.family].what}, for which transformers' classes answer, and none of "
            f"them has just the heads {kinds}.",
            next_step="Ask for the answers of one head, or for the encoder's: --output sequence.",
        ) from error
    return wanted


def check_trained(source: Source, what: str) -> None:
    """Refuse to train a checkpoint of another family than BERT, and say what does.

    Args:
        source: the source.
        what: the training, in words.

    Raises:
        UsageError: it is of another.
    """
    check_family(source, what, next_step=_TRAINED_BY.get(source.family, ""))


def check_family(source: Source, what: str, *, next_step: str = "") -> None:
    """Refuse a checkpoint of another family than BERT.

    Args:
        source: the source.
        what: what makes nothing of it, a command or a route, in words.
        next_step: what to do; default: what is made of it.

    Raises:
        UsageError: it is of another.
    """
    if source.family != BERT:
        raise UsageError(
            f"{source.model} is an {FAMILIES[source.family].what}, and {what} is for BERT alone.",
            next_step=next_step
            or "Make a frozen graph, an IR, an ONNX model or a Hugging Face folder of it (docs/families.md).",
        )
