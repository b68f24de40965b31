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
    """A .meta, and the shapes of its variables."""
    path = tmp_path / "model.meta"
    path.write_bytes(bert_graph(norms=True, shape=(1, SHORTEST))[0].meta_graph())
    nodes = read_meta_graph(path).nodes.values()
    return path, {node.name: node.shape() for node in nodes if node.op in VARIABLES}


def same(shapes):
    return {name: name for name in shapes}


def test_the_encoder_answers(graph):
    path, shapes = graph
    assert own_answers(path, (), same(shapes), shapes) == OF_ENCODER


def test_a_head_that_it_does_not_compute_is_not_asked_for(graph):
    path, shapes = graph
    head = classifier_of(2)
    named = same(shapes) | {head.weights: head.weights, head.bias: head.bias}
    assert own_answers(path, [head], named, shapes | {head.weights: (2, 4), head.bias: (2,)}) == OF_ENCODER


def test_names_may_be_others_than_those_the_model_is_taken_under(graph):
    path, shapes = graph
    assert own_answers(path, (), {f"taken/{name}": name for name in shapes}, shapes) == OF_ENCODER


@pytest.mark.parametrize("change", ["another shape", "not taken", "no file", "no graph"])
def test_it_is_not_asked_where_it_is_of_another_model_or_unreadable(graph, change):
    path, shapes = graph
    named, first = same(shapes), next(iter(shapes))
    if change == "another shape":
        shapes = shapes | {first: (1, 1)}
    elif change == "not taken":
        del named[first]
    elif change == "no graph":
        path.write_bytes(b"\x0a\xff")
    assert own_answers(None if change == "no file" else path, (), named, shapes) == ()


def test_the_shortest_sequence_is_the_gates():
    assert min(LENGTHS) == SHORTEST
