"""What a checkpoint's `.meta` tells: which gelu it computes, what its inputs are, whether it can be frozen as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.lfs import lfs_pointer
from bertbuild.checkpoint.regular import irregular
from bertbuild.families.bert_names import POOLER_OUTPUT
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.geometry import layer_norm_epsilon
from bertbuild.graph.graphdef import Graph, read_meta_graph
from bertbuild.graph.head_tracing import TracedHead, trace_heads
from bertbuild.graph.node import GraphFormatError, TensorRef
from bertbuild.graph.published import published_form
from bertbuild.graph.roles import input_roles
from bertbuild.graph.tracing import VARIABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """What is known of the graph; what is not has its reason in `notes`."""

    tensorflow_version: str = ""
    """The version that wrote the graph, empty when not known."""
    gelu: str | None = None
    """`"erf"` (exact), `"tanh"` (approximation), or None: no graph, no gelu in it, or both forms."""
    epsilon: float | None = None
    """What its layer norms add to the variance, or None: no graph, no layer norm in it, or several values."""
    inputs: Mapping[str, str] | None = None
    """input_ids, input_mask and segment_ids → tensor name, or None where they cannot be traced."""
    published: tuple[int, int] | None = None
    """Batch size and sequence length of a graph in the form of Google's 2018 archives; None for any other graph."""
    ends_at_pooler: bool = False
    """Whether it is of that form and computes nothing behind the pooler: OpenVINO's converter cuts nothing off."""
    heads: tuple[TracedHead, ...] = ()
    """The heads that it computes; none where they cannot be traced."""
    variables: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The name of each of its variables → its shape."""
    answers: tuple[str, ...] = ()
    """The names of its answers, where it can be asked; of a BERT none, whose stages find that out."""
    notes: tuple[str, ...] = ()
    """Sentences that say why something above is not known."""
    problem: str | None = None
    """The sentence on a `.meta` that is there but cannot be read."""


def graph_facts(meta: Path | None) -> GraphFacts:
    """Read and trace the graph in `meta`. Never raises for what the file holds."""
    return graph_and_facts(meta)[1]


def graph_and_facts(meta: Path | None) -> tuple[Graph | None, GraphFacts]:
    """The graph in `meta`, None where it cannot be read, and what is known of it. Never raises for what it holds."""
    if meta is None:
        return None, GraphFacts(notes=("There is no .meta, so the graph the model was trained with is not known.",))
    problem = None
    if lfs_pointer(meta) is not None:
        problem = f"{meta.name} is a git-lfs pointer, not the file itself; run `git lfs pull`."
    elif (odd := irregular(meta)) is not None:
        problem = f"{meta.name} {odd}."
    if problem is None:
        try:
            graph = read_meta_graph(meta)
        except GraphFormatError as error:
            problem = f"{meta.name} is damaged: {error}"
        except OSError as error:
            problem = f"{meta.name} cannot be read: {error}."
        else:
            return graph, _traced(graph)
    return None, GraphFacts(problem=problem)


def _traced(graph: Graph) -> GraphFacts:
    notes = []
    gelu: str | None = None
    epsilon: float | None = None
    inputs: Mapping[str, str] | None = None
    published: tuple[int, int] | None = None
    ends_at_pooler = False
    heads: tuple[TracedHead, ...] = ()
    try:
        gelu = gelu_form(graph)
        if gelu is None:
            notes.append("The graph in the .meta has no gelu between dense layers.")
    except GraphFormatError as error:
        notes.append(str(error))
    try:
        inputs = input_roles(graph)
        form = published_form(graph)
        if form is not None:
            published = (form.batch, form.seq_len)
            ends_at_pooler = not graph.consumers(TensorRef(POOLER_OUTPUT, 0))
    except GraphFormatError as error:
        notes.append(str(error))
    try:
        epsilon = layer_norm_epsilon(graph)
    except GraphFormatError as error:
        notes.append(str(error))
    with suppress(GraphFormatError):  # a graph without one encoder was told of above, by its inputs
        heads = trace_heads(graph).heads
    return GraphFacts(
        tensorflow_version=graph.tensorflow_version,
        gelu=gelu,
        epsilon=epsilon,
        inputs=inputs,
        published=published,
        ends_at_pooler=ends_at_pooler,
        heads=heads,
        variables={
            node.name: shape
            for node in graph.nodes.values()
            if node.op in VARIABLES and (shape := node.shape()) is not None
        },
        notes=tuple(notes),
    )


def traced_as_json(heads: Iterable[TracedHead]) -> list[dict[str, Any]]:
    """Traced heads for programs: what is known of each, without its tensors."""
    names = ("weights", "bias", "columns", "reads", "unknown", "behind", "why")
    return [{**{name: getattr(head, name) for name in names}, "kinds": list(head.kinds)} for head in heads]
