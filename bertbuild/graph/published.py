"""The form of the graphs in Google's archives of 2018, which can be frozen and converted as they are."""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.families.bert_names import POOLER_OUTPUT
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, TensorRef, parse_ref
from bertbuild.graph.roles import input_roles
from bertbuild.graph.tracing import FED

_PLACEHOLDERS = frozenset(["Placeholder", "PlaceholderV2", "PlaceholderWithDefault"])
_RANDOM = "Random"  # RandomUniform and its kin: dropout was built in, so this is a training graph


class PlaceholderInfo(NamedTuple):
    """A placeholder: its node name, dtype name, and shape (-1 unknown size, None unknown rank)."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None


class PublishedForm(NamedTuple):
    """What a graph of the published form is fixed to."""

    batch: int
    seq_len: int
    roles: dict[str, str]
    """input_ids, input_mask and segment_ids → tensor name."""


def placeholders(graph: Graph) -> list[PlaceholderInfo]:
    """Every placeholder of the graph, in file order."""
    return [
        PlaceholderInfo(node.name, node.dtype() or "", node.shape())
        for node in graph.nodes.values()
        if node.op in _PLACEHOLDERS
    ]


def published_form(graph: Graph) -> PublishedForm | None:
    """Batch size, sequence length and inputs of a graph of the published form; None for any other graph.

    The form: exactly three placeholders but for those of strings, int32, all of one static shape [B, S], which are
    input_ids, input_mask and segment_ids; and the pooler's output `bert/pooler/dense/Tanh` is computed from these
    three, nothing else that is fed, and nothing random. Raises `GraphFormatError` when a placeholder is malformed.
    """
    # TensorFlow's Saver adds placeholders of its own, for the file name; they are strings.
    fed = [info for info in placeholders(graph) if info.dtype != "string"]
    if len(fed) != 3 or any(info.dtype != "int32" for info in fed) or POOLER_OUTPUT not in graph.nodes:
        return None
    shape = fed[0].shape
    if shape is None or len(shape) != 2 or min(shape) < 1 or any(info.shape != shape for info in fed):
        return None
    try:
        roles = input_roles(graph)
    except GraphFormatError:
        return None
    used = graph.ancestors(TensorRef(POOLER_OUTPUT, 0))
    sources = {name for name, node in used.items() if node.op in FED}
    if sources != {parse_ref(tensor).node for tensor in roles.values()} or sources != {info.name for info in fed}:
        return None
    if any(_RANDOM in node.op for node in used.values()):
        return None
    return PublishedForm(shape[0], shape[1], roles)
