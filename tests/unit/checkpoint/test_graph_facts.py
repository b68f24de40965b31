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
    alone, head = graph_facts(tmp_path / "alone.meta"), graph_facts(tmp_path / "head.meta")
    assert (alone.published, alone.ends_at_pooler) == ((1, 8), True)
    assert (head.published, head.ends_at_pooler) == ((1, 8), False)
