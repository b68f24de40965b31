"""What a .meta tells of a graph as a whole."""

from __future__ import annotations

from graph_builder import bert_graph

from bertbuild.checkpoint.graph_facts import graph_facts

POOLED = "bert/pooler/dense/Tanh"


def test_a_graph_that_goes_on_behind_the_pooler_is_not_converted_as_it_is(tmp_path):
    builder, _ = bert_graph()
    (tmp_path / "alone.meta").write_bytes(builder.meta_graph())
    builder.add("loss/Softmax", "Softmax", builder.dense("loss", POOLED))
    (tmp_path / "head.meta").write_bytes(builder.meta_graph())
    assert graph_facts(tmp_path / "alone.meta").published == (1, 8)
    assert graph_facts(tmp_path / "head.meta").published is None
