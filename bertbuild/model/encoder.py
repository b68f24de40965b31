"""The encoder of BERT and its families, as google-research/bert's modeling.py computes it (eedf5716): the order of
operators is its own. What the families differ by are the scopes of variables (`families/scopes.py`): layers that share
one set of them, and embeddings narrower than the hidden states.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bertbuild.families import bert
from bertbuild.families.scopes import Scopes
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
        scopes: of the variables.
        projected: whether there is a dense layer behind the embeddings.
    """

    layers: int
    heads: int
    hidden: int
    activation: str
    epsilon: float
    scopes: Scopes = bert.SCOPES
    projected: bool = False


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
        hidden = _layer(ops, sizes, sizes.scopes.of_layer(number) + "/", hidden, bias, alone)
        layers.append(hidden)
    return Encoder(layers, hidden if first_alone else ops.first_position(hidden))


def pooled(ops: Operators, sizes: Sizes, first: Value) -> Value:
    """The pooler: the hidden state of the first position, [B, 1, H] → [B, H]."""
    return ops.activation(dense(ops, sizes.scopes.pooler, ops.without_position(first)), "tanh")


def dense(ops: Operators, scope: str, values: Value) -> Value:
    """A dense layer by the scope of its variables: […, I] → […, O]."""
    return ops.add(ops.product(values, ops.variable(scope + "/kernel")), ops.variable(scope + "/bias"))


def layer_norm(ops: Operators, scope: str, values: Value, epsilon: float) -> Value:
    """A layer norm by the scope of its variables."""
    gamma, beta = ops.variable(scope + "/gamma"), ops.variable(scope + "/beta")
    return ops.layer_norm(values, gamma, beta, epsilon)


def _embedded(ops: Operators, sizes: Sizes, ids: Value, segments: Value) -> Value:
    scopes = sizes.scopes
    words = ops.rows(ops.variable(scopes.words), ids)
    if scopes.projected_words:
        words = ops.product(words, ops.variable(scopes.projected_words))
    types = ops.rows_or_zero(ops.variable(scopes.types), segments)
    positions = ops.first_rows(ops.variable(scopes.positions), ids)
    embedded = layer_norm(ops, scopes.norm, ops.add(ops.add(words, types), positions), sizes.epsilon)
    return dense(ops, scopes.projection, embedded) if sizes.projected else embedded


def _layer(ops: Operators, sizes: Sizes, layer: str, hidden: Value, bias: Value, alone: bool) -> Value:
    scopes = sizes.scopes
    asking = ops.first_position(hidden) if alone and not ops.whole_attention else hidden
    context = _attention(ops, sizes, layer, asking, hidden, bias)
    attended = dense(ops, layer + scopes.attended, context)
    attended = layer_norm(ops, layer + scopes.attended_norm, ops.add(attended, asking), sizes.epsilon)
    if alone and ops.whole_attention:
        attended = ops.first_position(attended)
    grown = ops.activation(dense(ops, layer + scopes.grown, attended), sizes.activation)
    shrunk = dense(ops, layer + scopes.shrunk, grown)
    return layer_norm(ops, layer + scopes.shrunk_norm, ops.add(shrunk, attended), sizes.epsilon)


def _attention(ops: Operators, sizes: Sizes, layer: str, asking: Value, hidden: Value, bias: Value) -> Value:
    scopes, size = sizes.scopes, sizes.hidden // sizes.heads
    query, key, value = [
        ops.split_heads(dense(ops, layer + name, read), sizes.heads, size)
        for name, read in ((scopes.query, asking), (scopes.key, hidden), (scopes.value, hidden))
    ]
    scores = ops.scale(ops.product(query, key, transposed=True), 1.0 / math.sqrt(size))
    shares = ops.softmax(ops.add(scores, bias))
    return ops.merge_heads(ops.product(shares, value), sizes.hidden)
