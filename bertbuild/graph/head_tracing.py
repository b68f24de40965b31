"""What heads a graph computes behind its encoder, found by following the edges from each dense layer there.

It reads inference graphs and training graphs alike (run_classifier.py, run_squad.py, run_pretraining.py of
google-research/bert and their forks): gradients and the optimizer are left out, dropout is passed through. What a
graph does not settle stays open: a head has all the kinds that the graph allows, or a word on why it is of none.

The inputs of such a graph are those of `roles.input_roles`, which stand behind an input pipeline; its dropouts are
those of `TracedGraph.dropouts`; and `TracedHead.tensors` are the answers, computed from the inputs and from nothing
else that is fed but `TracedHead.positions`.
"""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.graph.dense import Dense, DenseLayers, Way
from bertbuild.graph.encoder import Encoder
from bertbuild.graph.forward import Dropout, find_dropouts, forward_part
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.head_answers import Behind, answers_behind
from bertbuild.graph.node import GraphFormatError, TensorRef
from bertbuild.graph.roles import embedding_lookups
from bertbuild.graph.tracing import FED
from bertbuild.heads import head, masked_lm, next_sentence

POOLED, SEQUENCE = head.POOLED, head.SEQUENCE


class TracedHead(NamedTuple):
    """A dense layer behind the encoder that no other dense layer reads."""

    weights: str
    """The name of its kernel's variable (or constant)."""
    bias: str
    """The name of its bias; empty where it has none."""
    columns: int
    """How many numbers it gives for each row."""
    reads: str
    """`POOLED` or `SEQUENCE` (each hidden state); empty where it reads something else."""
    kinds: tuple[str, ...]
    """The kinds of heads it can be, by the names of the table of heads: one where the graph settles it, none where it
    is none of them."""
    unknown: str
    """What in it is of no known head, in words: then it is of one of `kinds` only if somebody says so who knows."""
    behind: str
    """What comes behind its logits, in words: "Softmax"; "nothing"."""
    tensors: dict[str, TensorRef]
    """"logits", and where there are such "probabilities", "start_logits" and "end_logits" → the tensor, in whatever
    shape the graph has it: rows of all positions may lie in one axis, a score may have an axis of one."""
    positions: TensorRef | None
    """The fed tensor that says at which positions a masked-LM head answers; None where it answers at each."""
    by_rows: bool
    """Whether the weights of one column are a row of the kernel ([C, H]), else a column ([H, C])."""

    @property
    def does(self) -> str:
        """What the graph does, in words."""
        reads = {POOLED: "the pooled output", SEQUENCE: "each hidden state"}.get(self.reads, "something else")
        then = "with nothing behind" if self.behind == "nothing" else f"then {self.behind}"
        return f"multiplies {reads} with {self.weights}, {then}"

    @property
    def why(self) -> str:
        """The same as a reason."""
        return f"the .meta {self.does}"


class TracedGraph(NamedTuple):
    """What there is behind the encoder of a graph."""

    heads: tuple[TracedHead, ...]
    """In file order; what is of no known kind is among them."""
    dropouts: tuple[Dropout, ...]
    """All of the graph, the encoder's included."""
    sequence: TensorRef
    """The last hidden states, [B, S, H] or [B·S, H]."""
    pooled: TensorRef | None
    """The pooler's output [B, H]; None where there is no pooler."""


def trace_heads(graph: Graph) -> TracedGraph:
    """The heads of a graph, in time linear in its size.

    Raises:
        GraphFormatError: there is no one encoder in it, or too much behind that to be heads.
    """
    forward = forward_part(graph)
    encoder = Encoder(forward)
    sequence = encoder.sequence(forward)
    if encoder.end is None or sequence is None:
        raise GraphFormatError("The graph has no one encoder: no layer norm is the last of one.")
    dropouts = find_dropouts(forward)
    layers = DenseLayers(forward, encoder.end, dropouts)
    tracer = _Tracer(forward, layers, dropouts)
    poolers = [layer for layer in layers.all if layers.pooled(layer) is not None]
    heads = tuple(tracer.head(layer) for layer in layers.last() if layer not in poolers)
    pooled = layers.pooled(poolers[0]) if len(poolers) == 1 else None
    return TracedGraph(heads, dropouts, sequence, pooled)


class _Tracer:
    """Tells what the dense layers of one graph are."""

    def __init__(self, graph: Graph, layers: DenseLayers, dropouts: tuple[Dropout, ...]) -> None:
        self._graph = graph
        self._layers = layers
        self._dropouts = dropouts
        self._vocab = _vocab(graph)

    def head(self, layer: Dense) -> TracedHead:
        """What a dense layer is that no other reads."""
        behind = answers_behind(self._graph, layer)
        reads, unknown = self._reads(layer)
        kinds: tuple[str, ...] = ()
        if not unknown and reads == masked_lm.PART:
            kinds, reads = (masked_lm.PART,), SEQUENCE
        elif not unknown:
            kinds, unknown = _kinds(layer, reads, behind)
        tensors = {"logits": layer.output}
        if behind.activation is not None:
            tensors["probabilities"] = behind.activation
        tensors.update(behind.ends)
        positions = self._positions(layer) if kinds == (masked_lm.PART,) else None
        words = " and ".join(behind.words) or "nothing"
        return TracedHead(
            layer.table, layer.bias, layer.columns, reads, kinds, unknown, words, tensors, positions, layer.by_rows
        )

    def _reads(self, layer: Dense) -> tuple[str, str]:
        """What a head reads, `masked_lm.PART` for the transformed hidden states; or why that is not known."""
        way = self._layers.way(layer)
        if way.loop:
            return "", "a recurrent layer in front of it"
        if way.layers:
            return self._reads_layers(layer, way)
        if way.plain:
            return SEQUENCE, ""
        if way.first and not way.operators:
            return "", "a dense layer over the first hidden state, without the pooler"
        return "", f"hidden states through {_listed(way.operators)}"

    def _reads_layers(self, layer: Dense, way: Way) -> tuple[str, str]:
        before = way.layers[0]
        if len(way.layers) == 1 and self._layers.pooled(before) is not None:
            plain = way.operators == {"Tanh"} and not way.first
            return (POOLED, "") if plain else ("", f"the pooled output through {_listed(way.operators)}")
        own = self._layers.way(before)
        if len(way.layers) == 1 and not own.layers and own.positions and way.normed and layer.columns == self._vocab:
            return masked_lm.PART, ""
        unknown = next((one.table for one in way.layers if self._layers.pooled(one) is None), before.table)
        return "", f"another dense layer in front of it ({unknown})"

    def _positions(self, layer: Dense) -> TensorRef | None:
        """The one fed tensor that the rows in front of a masked-LM head are gathered by."""
        gathers = self._layers.way(self._layers.way(layer).layers[0]).gathers
        pending = [ref for node in gathers for ref in self._graph.nodes[node].data_inputs[1:2]]
        fed: set[TensorRef] = set()
        seen = set(pending)
        while pending:
            ref = pending.pop()
            node = self._graph.nodes[ref.node]
            if node.op in FED:
                fed.add(ref)
                continue
            new = [source for source in node.data_inputs if source not in seen and node.op != "Shape"]
            seen.update(new)
            pending.extend(new)
        return next(iter(fed)) if len(fed) == 1 else None


def _kinds(layer: Dense, reads: str, behind: Behind) -> tuple[tuple[str, ...], str]:
    """The kinds that a head can be by what it reads and what comes behind; and what is not known in it."""
    unknown = behind.crf or (_odd_pooled(layer, behind) if reads == POOLED else _odd_sequence(behind))
    if unknown:
        return (), unknown
    return (_of_pooled(layer, behind) if reads == POOLED else _of_sequence(layer, behind)), behind.unknown


def _odd_pooled(layer: Dense, behind: Behind) -> str:
    """What no head does with logits of the pooled output, in words."""
    if behind.ends:
        return "two columns of the pooled output that are taken apart"
    if behind.squared and layer.columns > 1:
        return "squared differences of several columns"
    if behind.softmax and behind.regrouped:
        return "a softmax over several rows, as BertForMultipleChoice has it"
    return ""


def _of_pooled(layer: Dense, behind: Behind) -> tuple[str, ...]:
    if f"/{next_sentence.SCOPE}" in f"/{layer.table}" and layer.columns == 2 and not behind.sigmoid:
        return (next_sentence.PART,)
    if behind.squared:
        return ("regression",)
    if behind.softmax != behind.sigmoid:
        return ("classifier" if behind.softmax else "multi-label",)
    return ("regression" if layer.columns == 1 else "classifier", "multi-label")


def _odd_sequence(behind: Behind) -> str:
    """What no head does with logits of each hidden state, in words."""
    if behind.sigmoid or behind.squared:
        return f"{' and '.join(behind.words)} for each token"
    return "a softmax over several rows" if behind.regrouped and not behind.ends else ""


def _of_sequence(layer: Dense, behind: Behind) -> tuple[str, ...]:
    if behind.ends:
        return ("span",)
    return ("tokens", "span") if layer.columns == 2 and not behind.softmax else ("tokens",)


def _vocab(graph: Graph) -> int | None:
    """Rows of the word embeddings; None where they cannot be told."""
    try:
        return embedding_lookups(graph)[0].rows
    except GraphFormatError:
        return None


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(words))
