"""Where the variables of an encoder lie, and their shapes: what the families of models differ by.

A stage carries this module with the family that it computes, so it is Python 3.7 of the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Tuple  # noqa: UP035  (evaluated by Python 3.7)

Shape = Tuple[int, ...]  # noqa: UP006

SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
"""The keys of a configuration that shape variables, besides `EMBEDDING_SIZE`."""
EMBEDDING_SIZE = "embedding_size"
"""E, the width of the table of words where that is not the hidden size."""


class Scopes(NamedTuple):
    """The names of an encoder's variables; those of a layer are below the layer's scope.

    Attributes:
        embeddings: the scope of the three tables and of the layer norm behind their sum.
        layer: the scope of a layer: with %d for its number, or without, where all layers share one.
        projection: the scope of the dense layer that makes H of the width E of the embeddings, behind their layer norm;
            empty where there is none.
        projected_words: the table [E, H] that words alone are multiplied by, before the sum; empty where there is none.
        query, key, value: the dense layers that attention begins with.
        attended, attended_norm: the dense layer behind attention, and the layer norm.
        grown, shrunk, shrunk_norm: the intermediate layer, the one behind it, and the layer norm.
        pooler: the scope of the pooler's dense layer; empty where the family has none.
    """

    embeddings: str
    layer: str
    projection: str = ""
    projected_words: str = ""
    query: str = "attention/self/query"
    key: str = "attention/self/key"
    value: str = "attention/self/value"
    attended: str = "attention/output/dense"
    attended_norm: str = "attention/output/LayerNorm"
    grown: str = "intermediate/dense"
    shrunk: str = "output/dense"
    shrunk_norm: str = "output/LayerNorm"
    pooler: str = ""

    @property
    def words(self) -> str:
        """The table of words."""
        return self.embeddings + "/word_embeddings"

    @property
    def types(self) -> str:
        """The table of token types."""
        return self.embeddings + "/token_type_embeddings"

    @property
    def positions(self) -> str:
        """The table of positions."""
        return self.embeddings + "/position_embeddings"

    @property
    def norm(self) -> str:
        """The layer norm behind the sum of the three."""
        return self.embeddings + "/LayerNorm"

    @property
    def shared(self) -> bool:
        """Whether all layers have the same variables."""
        return "%d" not in self.layer

    def of_layer(self, number: int) -> str:
        """The scope of a layer."""
        return self.layer if self.shared else self.layer % number


def encoder_variables(scopes: Scopes, sizes: Mapping[str, int]) -> dict[str, Shape]:
    """Name → shape of the variables of the encoder with these sizes, all float32.

    Args:
        scopes: where they lie.
        sizes: by the keys of `SIZES`, and `EMBEDDING_SIZE` where the table of words has another width than H.
    """
    hidden, intermediate = sizes["hidden_size"], sizes["intermediate_size"]
    width = sizes.get(EMBEDDING_SIZE) or hidden
    summed = hidden if scopes.projected_words else width
    shapes: dict[str, Shape] = {scopes.words: (sizes["vocab_size"], width)}
    if scopes.projected_words:
        shapes[scopes.projected_words] = (width, hidden)
    shapes[scopes.types] = (sizes["type_vocab_size"], summed)
    shapes[scopes.positions] = (sizes["max_position_embeddings"], summed)
    shapes.update(_layer_norm(scopes.norm, summed))
    if is_projected(scopes, sizes):
        shapes.update(_dense(scopes.projection, width, hidden))
    for number in range(1 if scopes.shared else sizes["num_hidden_layers"]):
        layer = scopes.of_layer(number) + "/"
        for name in (scopes.query, scopes.key, scopes.value, scopes.attended):
            shapes.update(_dense(layer + name, hidden, hidden))
        shapes.update(_layer_norm(layer + scopes.attended_norm, hidden))
        shapes.update(_dense(layer + scopes.grown, hidden, intermediate))
        shapes.update(_dense(layer + scopes.shrunk, intermediate, hidden))
        shapes.update(_layer_norm(layer + scopes.shrunk_norm, hidden))
    if scopes.pooler:
        shapes.update(_dense(scopes.pooler, hidden, hidden))
    return shapes


def is_projected(scopes: Scopes, sizes: Mapping[str, int]) -> bool:
    """Whether there is a dense layer behind the embeddings: only where they have another width than H."""
    width = sizes.get(EMBEDDING_SIZE) or sizes["hidden_size"]
    return bool(scopes.projection) and width != sizes["hidden_size"]


def _dense(scope: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {scope + "/kernel": (inputs, outputs), scope + "/bias": (outputs,)}


def _layer_norm(scope: str, hidden: int) -> dict[str, Shape]:
    return {scope + "/beta": (hidden,), scope + "/gamma": (hidden,)}
