"""BERT, as google-research/bert builds and names it (modeling.py, eedf5716)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Tuple  # noqa: UP035  (evaluated by Python 3.7)

Shape = Tuple[int, ...]  # noqa: UP006

EMBEDDINGS = "bert/embeddings"
WORD_EMBEDDINGS = "bert/embeddings/word_embeddings"
TOKEN_TYPE_EMBEDDINGS = "bert/embeddings/token_type_embeddings"  # noqa: S105  (no secret)
POSITION_EMBEDDINGS = "bert/embeddings/position_embeddings"
BUFFERS = ("bert/embeddings/position_ids", "bert/embeddings/token_type_ids")
"""No weights: what Hugging Face's script on the way to TensorFlow 1 writes of its own buffers."""
ENCODER = "bert/encoder/"
LAYER = "bert/encoder/layer_%d"
LAYER_PATTERN = r"bert/encoder/layer_(\d{1,4})/"
"""A regular expression; its group is the layer's number."""
INTERMEDIATE = "bert/encoder/layer_0/intermediate/dense/kernel"
LAYER_OUTPUT_PATTERN = r"bert/encoder/layer_(\d+)/output/dense/kernel$"
POOLER_SCOPE = "bert/pooler/"
POOLER_DENSE = "bert/pooler/dense"

HEADS_SCOPE = "cls/"
"""How the names of most heads begin; the classifier's have no scope."""


SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
"""The keys of the configuration that shape variables."""


def encoder_variables(sizes: Mapping[str, int]) -> dict[str, Shape]:
    """Name → shape of the 5 + 16·L + 2 variables of the encoder with these sizes, all float32.

    Args:
        sizes: by the keys of `SIZES`.
    """
    hidden, intermediate = sizes["hidden_size"], sizes["intermediate_size"]
    shapes: dict[str, Shape] = {
        WORD_EMBEDDINGS: (sizes["vocab_size"], hidden),
        TOKEN_TYPE_EMBEDDINGS: (sizes["type_vocab_size"], hidden),
        POSITION_EMBEDDINGS: (sizes["max_position_embeddings"], hidden),
    }
    shapes.update(_layer_norm(EMBEDDINGS, hidden))
    for layer in range(sizes["num_hidden_layers"]):
        scope = LAYER % layer
        for part in ("query", "key", "value"):
            shapes.update(_dense(f"{scope}/attention/self/{part}", hidden, hidden))
        shapes.update(_dense(f"{scope}/attention/output/dense", hidden, hidden))
        shapes.update(_layer_norm(f"{scope}/attention/output", hidden))
        shapes.update(_dense(f"{scope}/intermediate/dense", hidden, intermediate))
        shapes.update(_dense(f"{scope}/output/dense", intermediate, hidden))
        shapes.update(_layer_norm(f"{scope}/output", hidden))
    shapes.update(_dense(POOLER_DENSE, hidden, hidden))
    return shapes


def _dense(scope: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{scope}/kernel": (inputs, outputs), f"{scope}/bias": (outputs,)}


def _layer_norm(scope: str, hidden: int) -> dict[str, Shape]:
    return {f"{scope}/LayerNorm/beta": (hidden,), f"{scope}/LayerNorm/gamma": (hidden,)}
