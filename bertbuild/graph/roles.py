"""Which fed tensor of a BERT graph is which input, found by following the graph's edges.

Names and positions are never trusted: a published `.meta` calls its inputs Placeholder, Placeholder_1 and
Placeholder_2, an Estimator's graph calls them ports of IteratorGetNext, in an order that depends on which other
features there are. What an input *does* is the same everywhere (google-research/bert modeling.py):

- input_ids picks rows of the word embedding table, and segment_ids rows of the token-type table; either pick is a
  gather or a one-hot matrix product, and the two results are added. Word is the table with more rows.
- input_mask becomes (1 − mask) · −10000, which is added to the attention scores (a batched matrix product) in front
  of their softmax.
"""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, TensorRef
from bertbuild.graph.tracing import (
    SAME_VALUES,
    constant,
    fed_sources,
    is_add,
    table,
    unwrapped,
)

INPUT_IDS = "input_ids"
INPUT_MASK = "input_mask"
SEGMENT_IDS = "segment_ids"

_GATHERS = frozenset(["Gather", "GatherV2", "ResourceGather"])
_SCORES = frozenset(["BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "MatMul"])
_MASKED_OUT = -1000.0  # BERT adds -10000, forks -1e9: a score this far down has no share in a softmax


class Lookup(NamedTuple):
    """Rows of an embedding table picked by a fed tensor."""

    table: str
    """Name of the variable or, in a frozen graph, the constant."""
    rows: int
    source: TensorRef
    """The fed tensor that picks."""
    output: TensorRef
    """The rows that were picked."""


def input_roles(graph: Graph) -> dict[str, str]:
    """The tensor name (`"Placeholder_1:0"`) of each of input_ids, input_mask and segment_ids.

    Raises `GraphFormatError` when one of them is not found, or when more than one tensor could be it.
    """
    word, token_type = embedding_lookups(graph)
    roles = {INPUT_IDS: str(word.source), INPUT_MASK: str(_mask(graph)), SEGMENT_IDS: str(token_type.source)}
    if len(set(roles.values())) != len(roles):
        listed = ", ".join(f"{role} = {tensor}" for role, tensor in roles.items())
        raise GraphFormatError(f"The graph uses one tensor for two inputs ({listed}).")
    return roles


def embedding_lookups(graph: Graph) -> tuple[Lookup, Lookup]:
    """The word and the token-type embedding: a pair of lookups that are added together.

    Raises `GraphFormatError` when there is no such pair, or more than one.
    """
    lookups = _lookups(graph)
    sums = [_sums(graph, lookup.output) for lookup in lookups]
    pairs: dict[tuple[TensorRef, TensorRef], tuple[Lookup, Lookup]] = {}
    for i, first in enumerate(lookups):
        graph.step(i)
        for j in range(i):
            if sums[i] & sums[j] and first.table != lookups[j].table:
                small, large = sorted((first, lookups[j]), key=lambda lookup: lookup.rows)
                if small.rows == large.rows:
                    raise GraphFormatError(
                        f"The tables {small.table} and {large.table} both have {large.rows} rows, so the graph does "
                        "not tell word from token-type embeddings.",
                    )
                pairs[large.source, small.source] = (large, small)
    if not pairs:
        found = ", ".join(lookup.table for lookup in lookups) or "none"
        raise GraphFormatError(
            "No sum of word and token-type embeddings looked up by fed tensors was found in the graph "
            f"(lookups found: {found}).",
        )
    if len(pairs) > 1:
        listed = "; ".join(f"{large.source} and {small.source}" for large, small in pairs.values())
        raise GraphFormatError(f"More than one pair of tensors could be input_ids and segment_ids: {listed}.")
    return next(iter(pairs.values()))


def _lookups(graph: Graph) -> list[Lookup]:
    """Every lookup in a table of two dimensions: a gather, or a one-hot matrix times the table."""
    found: list[Lookup] = []
    for node in graph.nodes.values():
        inputs = node.data_inputs
        if node.op in _GATHERS and len(inputs) >= 2:
            params, picks = inputs[0], inputs[1]
        elif node.op == "MatMul" and len(inputs) == 2:
            one_hot = graph.nodes[unwrapped(graph, inputs[0]).node]
            if one_hot.op != "OneHot" or not one_hot.data_inputs:
                continue
            params, picks = inputs[1], one_hot.data_inputs[0]
        else:
            continue
        known = table(graph, params)
        if known is None or len(known[1]) != 2:
            continue
        name, shape = known
        output = TensorRef(node.name, 0)
        found.extend(Lookup(name, shape[0], source, output) for source in sorted(fed_sources(graph, picks)))
    return found


def _sums(graph: Graph, tensor: TensorRef) -> set[str]:
    """The names of the additions that `tensor` enters, directly or as a term of a sum."""
    sums: set[str] = set()
    pending = [tensor]
    seen = {tensor}
    while pending:
        for node in graph.consumers(pending.pop()):
            output = TensorRef(node.name, 0)
            if output in seen or not (node.op in SAME_VALUES or node.op == "AddN" or is_add(node.op)):
                continue
            if node.op not in SAME_VALUES:
                sums.add(node.name)
            seen.add(output)
            pending.append(output)
    return sums


def _mask(graph: Graph) -> TensorRef:
    found: dict[TensorRef, str] = {}
    for node in graph.nodes.values():
        if node.op != "Softmax" or not node.data_inputs:
            continue
        total = graph.nodes[unwrapped(graph, node.data_inputs[0]).node]
        if not is_add(total.op) or len(total.data_inputs) != 2:
            continue
        left, right = total.data_inputs
        for scores, adder in ((left, right), (right, left)):
            if _is_scores(graph, scores):
                for source in sorted(_masked_by(graph, adder)):
                    found.setdefault(source, node.name)
    if not found:
        raise GraphFormatError("No attention softmax whose scores are masked by a fed tensor was found in the graph.")
    if len(found) > 1:
        listed = ", ".join(f"{source} (at {softmax})" for source, softmax in found.items())
        raise GraphFormatError(f"More than one tensor could be input_mask: {listed}.")
    return next(iter(found))


def _is_scores(graph: Graph, tensor: TensorRef) -> bool:
    """Whether `tensor` is a matrix product, perhaps scaled, reshaped or (where tf.einsum was used) transposed."""
    pending = [tensor]
    seen: set[TensorRef] = set()
    while pending:
        found = unwrapped(graph, pending.pop())
        if found in seen:
            continue
        seen.add(found)
        node = graph.nodes[found.node]
        graph.step(1 + len(node.inputs))
        if node.op in _SCORES:
            return True
        if node.op == "Transpose":
            pending.extend(node.data_inputs[:1])
        elif node.op in ("Mul", "RealDiv"):
            pending.extend(node.data_inputs)
    return False


def _masked_by(graph: Graph, tensor: TensorRef) -> set[TensorRef]:
    """The fed tensors x of which `tensor` is (1 − x) · (a large negative constant)."""
    node = graph.nodes[unwrapped(graph, tensor).node]
    if node.op != "Mul" or len(node.data_inputs) != 2:
        return set()
    left, right = node.data_inputs
    for factor, inverted in ((left, right), (right, left)):
        scale = constant(graph, factor)
        difference = graph.nodes[unwrapped(graph, inverted).node]
        if scale is not None and scale <= _MASKED_OUT and difference.op == "Sub" and len(difference.data_inputs) == 2:
            one, mask = difference.data_inputs
            if constant(graph, one) == 1.0:
                return fed_sources(graph, mask)
    return set()
