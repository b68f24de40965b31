"""BERT, as google-research/bert builds and names it (modeling.py, eedf5716)."""

from __future__ import annotations

from collections.abc import Mapping

from bertbuild.families import scopes
from bertbuild.families.scopes import Scopes, Shape

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


SCOPES = Scopes(embeddings=EMBEDDINGS, layer=LAYER, pooler=POOLER_DENSE)


def encoder_variables(sizes: Mapping[str, int]) -> dict[str, Shape]:
    """Name → shape of the 5 + 16·L + 2 variables of the encoder with these sizes, all float32.

    Args:
        sizes: by the keys of `scopes.SIZES`.
    """
    return scopes.encoder_variables(SCOPES, sizes)
