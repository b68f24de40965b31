"""Hugging Face's names and layouts of a BERT's tensors → google-research/bert's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bertbuild.errors import CheckpointError
from bertbuild.families.table import ALBERT, BERT, FAMILIES
from bertbuild.heads import classifier, masked_lm, next_sentence, span
from bertbuild.huggingface.family_names import albert_variable, head_variable
from bertbuild.huggingface.kin import WORDS, kin_of_tensors

BUFFERS: Final = re.compile(r"embeddings\.(position_ids|token_type_ids)$")
"""Tensors that are counted up again when a model is made: nothing is lost by leaving them out."""
_WORDS: Final = "embeddings.word_embeddings.weight"
_INNER: Final = re.compile(r"^(embeddings|embeddings_project|encoder|pooler)\.")
_HEADS: Final = {
    "classifier.weight": classifier.WEIGHTS,
    "classifier.bias": classifier.BIAS,
    "qa_outputs.weight": span.WEIGHTS,
    "qa_outputs.bias": span.BIAS,
    "cls.seq_relationship.weight": next_sentence.WEIGHTS,
    "cls.seq_relationship.bias": next_sentence.BIAS,
    "cls.predictions.bias": masked_lm.BIAS,
}
_PARTS: Final = (
    (re.compile(r"\.layer\.(\d+)\."), r".layer_\1."),
    (re.compile(r"_embeddings\.weight$"), "_embeddings"),
    (re.compile(r"LayerNorm\.weight$"), "LayerNorm.gamma"),
    (re.compile(r"LayerNorm\.bias$"), "LayerNorm.beta"),
    (re.compile(r"\.weight$"), ".kernel"),
)


def encoder_prefix(names: Iterable[str], family: str = BERT) -> str:
    """What stands before the encoder's part of a name: "bert.", "", "model.bert.", "0.auto_model."…

    Args:
        names: Hugging Face's.
        family: that config.json says.

    Raises:
        CheckpointError: there is no encoder, more than one, or another model's.
    """
    names = list(names)
    kin = kin_of_tensors(names)
    if kin and kin != FAMILIES[family].what:
        known = [one.what for one in FAMILIES.values()]
        raise CheckpointError(
            f"By the names of its tensors the model is {kin}; "
            + (f"config.json is of {FAMILIES[family].what}." if kin in known else f"only a {WORDS} can be imported."),
            next_step="Name the folder of such a model, with the config.json that belongs to it.",
        )
    found = sorted(name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS))
    if len(found) == 1:
        return found[0]
    if found:
        raise CheckpointError(
            f"The weights hold {len(found)} encoders: {', '.join(prefix or '(no prefix)' for prefix in found)}.",
            next_step="Save the one that is meant in a folder of its own (save_pretrained).",
        )
    raise CheckpointError(
        f"The weights hold no BERT encoder: none of their tensors ({len(names)}) is called …{_WORDS}.",
        next_step="Download the whole folder of the model.",
    )


def google_name(name: str, prefix: str, family: str = BERT) -> str | None:
    """`bert.encoder.layer.0.attention.self.query.weight` → `bert/encoder/layer_0/attention/self/query/kernel`.

    Args:
        name: Hugging Face's.
        prefix: what `encoder_prefix` found.
        family: of the model.

    Returns:
        Google's name, or None for a tensor that has none.
    """
    outer = prefix.removesuffix(f"{family}.")
    if name.startswith(prefix) and _INNER.match(name.removeprefix(prefix)):
        inner = name.removeprefix(prefix)
        return albert_variable(inner) if family == ALBERT else _renamed("bert." + inner)
    head = name.removeprefix(outer)
    if family != BERT:
        return head_variable(head, family)
    if head in _HEADS:
        return _HEADS[head]
    return _renamed(head) if head.startswith("cls.predictions.transform.") else None


def is_turned(google: str) -> bool:
    """Whether a tensor is [out, in] in PyTorch and [in, out] in TensorFlow: a kernel; all else is alike."""
    return google.endswith("/kernel")


def _renamed(name: str) -> str:
    for pattern, replacement in _PARTS:
        name = pattern.sub(replacement, name)
    return name.replace(".", "/")
