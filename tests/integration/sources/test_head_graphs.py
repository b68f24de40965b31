"""Graphs that TensorFlow 1.15 and google-research/bert's own programs write: which heads are traced in them."""

from __future__ import annotations

import pytest
from backends import run as run_script
from training_graphs import HEAD_CONFIG, KINDS, UNKNOWN

from bertbuild.graph.graphdef import read_meta_graph
from bertbuild.graph.head_tracing import trace_heads
from bertbuild.graph.roles import input_roles

INPUTS = {"input_ids": "IteratorGetNext:1", "input_mask": "IteratorGetNext:2", "segment_ids": "IteratorGetNext:9"}
DROPOUTS = 7
"""Of the encoder: one behind the embeddings, three in each layer."""
MORE_KINDS = {
    "run-classifier-eval": [("classifier",)],
    "run-squad-predict": [("span",)],
    "run-pretraining-eval": [("masked-lm",), ("next-sentence",)],
    "classes": [("classifier",)],
    "multi-label-loss": [("multi-label",)],
    "regression-squares": [("regression",)],
    "regression-inference": [("regression", "multi-label")],
    "tokens-inference": [("tokens",)],
    "logits": [("classifier", "multi-label")],
}
MORE_UNKNOWN = {
    "another-dense": "another dense layer in front of it (projection/kernel)",
    "lstm": "a recurrent layer in front of it",
    "first-token": "a dense layer over the first hidden state, without the pooler",
}


def traced(folder):
    graph = read_meta_graph(folder / "bert_model.ckpt.meta")
    assert input_roles(graph) == INPUTS
    return trace_heads(graph)


@pytest.mark.parametrize("name", KINDS)
def test_a_training_graph_tells_its_heads(head_graphs, name):
    found = traced(head_graphs / name)
    assert [head.kinds for head in found.heads] == KINDS[name]
    assert not any(head.unknown for head in found.heads)
    assert str(found.pooled) == "bert/pooler/dense/Tanh:0"
    assert len(found.dropouts) in (DROPOUTS, DROPOUTS + 1)


def test_the_rows_of_a_masked_language_model_are_fed_by_name(head_graphs):
    masked, following = traced(head_graphs / "run-pretraining").heads
    assert (masked.weights, masked.bias) == ("bert/embeddings/word_embeddings", "cls/predictions/output_bias")
    assert (str(masked.positions), following.positions) == ("IteratorGetNext:6", None)


@pytest.mark.parametrize("name", UNKNOWN)
def test_layers_of_no_known_head_are_named(head_graphs, name):
    (found,) = traced(head_graphs / name).heads
    assert (found.kinds, found.unknown) == ((), UNKNOWN[name])


@pytest.mark.whole
def test_more_graphs(tmp_path, bertbuild):
    assert bertbuild.artifacts.is_dir()
    run_script("tf1", "make_head_graphs", out=tmp_path, config=HEAD_CONFIG, seed=3, names=[*MORE_KINDS, *MORE_UNKNOWN])
    assert {name: [head.kinds for head in traced(tmp_path / name).heads] for name in MORE_KINDS} == MORE_KINDS
    assert {name: traced(tmp_path / name).heads[0].unknown for name in MORE_UNKNOWN} == MORE_UNKNOWN
