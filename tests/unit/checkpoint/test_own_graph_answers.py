"""For which answers a checkpoint's own graph can be asked, as the host tells it before anything runs."""

from __future__ import annotations

import pytest
from graph_builder import bert_graph

from bertbuild.checkpoint.own_graph import SHORTEST, own_answers
from bertbuild.gate.probes import LENGTHS
from bertbuild.graph.graphdef import read_meta_graph
from bertbuild.graph.tracing import VARIABLES
from bertbuild.heads.classifier import found as classifier_of

OF_ENCODER = ("pooled_output", "sequence_output")


@pytest.fixture
def graph(tmp_path):
    """The graph of a .meta, and the shapes of its variables."""
    path = tmp_path / "model.meta"
    path.write_bytes(bert_graph(norms=True, shape=(1, SHORTEST))[0].meta_graph())
    read = read_meta_graph(path)
    nodes = read.nodes.values()
    return read, {node.name: node.shape() for node in nodes if node.op in VARIABLES}


def same(shapes):
    return {name: name for name in shapes}


def test_the_encoder_answers(graph):
    read, shapes = graph
    assert own_answers(read, (), same(shapes), shapes) == OF_ENCODER


def test_a_head_that_it_does_not_compute_is_not_asked_for(graph):
    read, shapes = graph
    head = classifier_of(2)
    named = same(shapes) | {head.weights: head.weights, head.bias: head.bias}
    assert own_answers(read, [head], named, shapes | {head.weights: (2, 4), head.bias: (2,)}) == OF_ENCODER


def test_names_may_be_others_than_those_the_model_is_taken_under(graph):
    read, shapes = graph
    assert own_answers(read, (), {f"taken/{name}": name for name in shapes}, shapes) == OF_ENCODER


@pytest.mark.parametrize("change", ["another shape", "not taken", "no graph"])
def test_it_is_not_asked_where_it_is_of_another_model_or_not_there(graph, change):
    read, shapes = graph
    named, first = same(shapes), next(iter(shapes))
    if change == "another shape":
        shapes = shapes | {first: (1, 1)}
    elif change == "not taken":
        del named[first]
    assert own_answers(None if change == "no graph" else read, (), named, shapes) == ()


def test_the_shortest_sequence_is_the_gates():
    assert min(LENGTHS) == SHORTEST
