"""BERT's encoder, as google-research/bert's modeling.py computes it (eedf5716): the order of operators is its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bertbuild.families import bert
from bertbuild.model.operators import Operators, Value

MASKED_OUT = -10000.0
"""modeling.py, attention_layer: what is added to the score of a position that is not to be read."""


class Sizes(NamedTuple):
    """What of a configuration the arithmetic depends on, besides the shapes of variables.

    Attributes:
        layers: of the encoder.
        heads: of attention.
        hidden: H, the width of hidden states.
        activation: of the intermediate layer, as `Operators.activation` names it.
        epsilon: what each layer norm adds to the variance.
    """

    layers: int
    heads: int
    hidden: int
    activation: str
    epsilon: float


class Encoder(NamedTuple):
    """What an encoder gives.

    Attributes:
        layers: hidden states of each layer, [B, S, H]; the last is [B, 1, H] where only the first position was asked
            for.
        first: the hidden state of the first position, [B, 1, H].
    """

    layers: Sequence[Value]
    first: Value


def describe(ops: Operators, sizes: Sizes, ids: Value, mask: Value, segments: Value, first_alone: bool) -> Encoder:
    """Write the encoder.

    Args:
        ops: the writer.
        sizes: of the model.
        ids: int32 [B, S], as `mask` and `segments`.
        mask: 1 for a position that is read, 0 for one that is not.
        segments: token types.
        first_alone: whether nothing but the first position of the last layer is read: the last layer then computes no
            other.
    """
    bias = ops.mask_bias(mask, MASKED_OUT)
    hidden = _embedded(ops, sizes, ids, segments)
    layers = []
    for number in range(sizes.layers):
        alone = first_alone and number == sizes.layers - 1
        hidden = _layer(ops, sizes, bert.LAYER % number, hidden, bias, alone)
        layers.append(hidden)
    return Encoder(layers, hidden if first_alone else ops.first_position(hidden))


def pooled(ops: Operators, first: Value) -> Value:
    """The pooler: the hidden state of the first position, [B, 1, H] → [B, H]."""
    return ops.activation(dense(ops, bert.POOLER_DENSE, ops.without_position(first)), "tanh")


def dense(ops: Operators, scope: str, values: Value) -> Value:
    """A dense layer by the scope of its variables: […, I] → […, O]."""
    return ops.add(ops.product(values, ops.variable(scope + "/kernel")), ops.variable(scope + "/bias"))


def layer_norm(ops: Operators, scope: str, values: Value, epsilon: float) -> Value:
    """A layer norm by the scope of its variables."""
    gamma, beta = ops.variable(scope + "/gamma"), ops.variable(scope + "/beta")
    return ops.layer_norm(values, gamma, beta, epsilon)


def _embedded(ops: Operators, sizes: Sizes, ids: Value, segments: Value) -> Value:
    words = ops.rows(ops.variable(bert.WORD_EMBEDDINGS), ids)
    types = ops.rows_or_zero(ops.variable(bert.TOKEN_TYPE_EMBEDDINGS), segments)
    positions = ops.first_rows(ops.variable(bert.POSITION_EMBEDDINGS), ids)
    embedded = ops.add(ops.add(words, types), positions)
    return layer_norm(ops, bert.EMBEDDINGS + "/LayerNorm", embedded, sizes.epsilon)


def _layer(ops: Operators, sizes: Sizes, scope: str, hidden: Value, bias: Value, alone: bool) -> Value:
    asking = ops.first_position(hidden) if alone and not ops.whole_attention else hidden
    context = _attention(ops, sizes, scope + "/attention/self/", asking, hidden, bias)
    attended = dense(ops, scope + "/attention/output/dense", context)
    attended = layer_norm(ops, scope + "/attention/output/LayerNorm", ops.add(attended, asking), sizes.epsilon)
    if alone and ops.whole_attention:
        attended = ops.first_position(attended)
    grown = ops.activation(dense(ops, scope + "/intermediate/dense", attended), sizes.activation)
    shrunk = dense(ops, scope + "/output/dense", grown)
    return layer_norm(ops, scope + "/output/LayerNorm", ops.add(shrunk, attended), sizes.epsilon)


def _attention(ops: Operators, sizes: Sizes, scope: str, asking: Value, hidden: Value, bias: Value) -> Value:
    size = sizes.hidden // sizes.heads
    query, key, value = [
        ops.split_heads(dense(ops, scope + name, read), sizes.heads, size)
        for name, read in (("query", asking), ("key", hidden), ("value", hidden))
    ]
    scores = ops.scale(ops.product(query, key, transposed=True), 1.0 / math.sqrt(size))
    shares = ops.softmax(ops.add(scores, bias))
    return ops.merge_heads(ops.product(shares, value), sizes.hidden)
