"""A checkpoint, or a Hugging Face folder, of each head of each family: the columns of the table of docs/families.md."""

from __future__ import annotations

import family_models
import head_table
import numpy as np
from family_models import ALBERT_CONFIG, GENERATOR_CONFIG, SIZES, H, values, write_family
from tiny_models import huggingface_name, write_huggingface

CLASSES = 3
DEVIATION = 0.1
"""Of weights 32 wide: a matrix lengthens no vector, as in trained models. The 0.25 of other tests lengthens it in each
layer by a half, and the rounding of int8 and float16 with it.
"""
WORDS = [*("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), *(f"w{number}" for number in range(family_models.V - 5))]
SPAN = {"cls/squad/output_weights": (2, H), "cls/squad/output_bias": (2,)}


def weights(shapes):
    """Random numbers."""
    return values(shapes, deviation=DEVIATION)


def last_layer(columns):
    """The variables of run_classifier's head, which heads of other kinds have too."""
    return {"output_weights": (columns, H), "output_bias": (columns,)}


HEADS = {
    "classifier": last_layer(CLASSES),
    "multi-label": last_layer(CLASSES),
    "regression": last_layer(1),
    "tokens": last_layer(CLASSES),
    "span": SPAN,
    "masked-lm": family_models.masked_lm_shapes(),
    "next-sentence": family_models.masked_lm_shapes(),
    head_table.NONE: {},
}
"""Head → its variables beside an ALBERT's encoder."""
OF_ELECTRA = {
    "tokens": ("ElectraForTokenClassification", last_layer(CLASSES)),
    "span": ("ElectraForQuestionAnswering", SPAN),
}
"""Head of an ELECTRA that Hugging Face folders have → their class, and its variables."""
FAMILIES = {
    "albert": tuple(HEADS),
    "albert-zh": tuple(HEADS),
    "electra": ("tokens", "span", "masked-lm", "replaced-token", head_table.NONE),
}
"""Family → heads that its models have."""


def write(folder, family, head):
    """The model of a family with a head, written into a new folder.

    Returns:
        What a build file says of it: where it is, and how it is read.
    """
    if family == "electra":
        return _electra(folder, head)
    encoder = family_models.albert_shapes() if family == "albert" else family_models.albert_zh_shapes()
    _vocabulary(write_family(folder, weights(encoder | HEADS[head]), ALBERT_CONFIG))
    return {"checkpoint": folder, **({"head": head} if head in ("multi-label", "regression", "tokens") else {})}


def _electra(folder, head):
    if head in OF_ELECTRA:
        name, shapes = OF_ELECTRA[head]
        tensors = _huggingface(weights(family_models.electra_shapes() | shapes))
        config = {**SIZES, "model_type": "electra", "architectures": [name]}
        _vocabulary(
            write_huggingface(folder, tensors, **config, **({"num_labels": CLASSES} if head == "tokens" else {}))
        )
        return {"huggingface": folder}
    config = GENERATOR_CONFIG if head == "masked-lm" else SIZES
    tensors = weights(family_models.electra_shapes(generator=head == "masked-lm"))
    if head == head_table.NONE:
        tensors = {name: value for name, value in tensors.items() if not name.startswith("discriminator")}
    _vocabulary(write_family(folder, tensors, config, config_name="electra_config.json"))
    return {"checkpoint": folder, **({"scope": "generator"} if head == "masked-lm" else {})}


def _huggingface(tensors):
    """Hugging Face's names: `electra.` before those of the encoder, none before the head's."""
    found = {}
    for name, value in tensors.items():
        if name.startswith("discriminator"):
            continue
        turned = np.ascontiguousarray(value.T) if name.endswith("/kernel") else value
        theirs = huggingface_name(name).replace("squad.output_weights", "qa_outputs.weight")
        theirs = theirs.replace("squad.output_bias", "qa_outputs.bias")
        found[f"electra.{theirs}" if name.startswith("electra/") else theirs] = turned
    return found


def _vocabulary(folder):
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
