"""What may not run and is not needed is left out of a graph that a program is given whole."""

from __future__ import annotations

import pytest
from graph_builder import GraphBuilder, bert_graph
from hostile_graphs import function_message, library

from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.loading import check_outputs
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.pruning import pruned, pruned_meta
from bertbuild.graph.roles import input_roles
from bertbuild.graph.wire import encode_bytes, fields

POOLED = "bert/pooler/dense/Tanh:0"
FED = ["ids:0"]
NODES = [("ids", "Placeholder", [], {}), ("out", "Identity", ["ids"], {})]
VARIABLE = [
    ("weight", "VariableV2", [], {}),
    ("restored", "RestoreV2", [], {}),
    ("assign", "Assign", ["weight", "restored"], {}),
    ("save/restore_all", "NoOp", ["^assign"], {}),
    ("product", "Mul", ["out", "weight"], {}),
    ("file", "ReadFile", [], {}),
]
SAVER = encode_bytes(3, encode_bytes(3, b"save/restore_all"))


def made(tmp_path, content, name="graph.pb"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def left(tmp_path, graph_def, outputs=("out:0",), fed=FED):
    """The graph without what may not run; None where nothing goes."""
    path = made(tmp_path, graph_def)
    graph = read_graph(path)
    check_outputs(graph, outputs, fed)
    content = pruned(graph, path, outputs, fed)
    return None if content is None else read_graph(made(tmp_path, content, "left.pb"))


def collection(name):
    return encode_bytes(4, encode_bytes(1, name.encode()) + encode_bytes(2, b""))


@pytest.mark.parametrize("op", ["ReadFile", "PyFunc", "SomethingNew"])
def test_what_may_not_run_goes_and_what_is_needed_stays(tmp_path, op):
    graph = left(tmp_path, GraphBuilder([*NODES, ("aside", op, ["out"], {})]).graph_def())
    assert list(graph.nodes) == ["ids", "out"]


def test_functions_that_hold_it_go_too(tmp_path):
    graph_def = GraphBuilder(NODES).graph_def() + library(
        function_message("reads", ("r", "ReadFile", ())), function_message("calls", ("c", "reads", ()))
    )
    graph = left(tmp_path, graph_def)
    assert graph.functions == {}
    assert list(graph.nodes) == ["ids", "out"]


def test_a_graph_all_of_which_may_run_is_left_as_it_is(tmp_path):
    assert left(tmp_path, GraphBuilder([*NODES, ("aside", "Mul", ["out", "out"], {})]).graph_def()) is None


def test_a_fed_pipeline_stays_for_its_name_and_reads_nothing(tmp_path):
    builder, _ = bert_graph(fed="iterator")
    builder.add("loss", "PyFunc", POOLED)
    path = made(tmp_path, builder.graph_def())
    fed = list(input_roles(read_graph(path)).values())
    graph = left(tmp_path, builder.graph_def(), [POOLED], fed)
    assert graph.nodes["IteratorGetNext"].inputs == ()
    assert not any(node.op in ("PyFunc", "IteratorV2") for node in graph.nodes.values())
    assert input_roles(graph)


def test_of_a_meta_graph_the_saver_stays_and_what_restores_and_no_list_of_variables(tmp_path):
    content = encode_bytes(2, GraphBuilder([*NODES, *VARIABLE]).graph_def()) + SAVER
    content += collection("variables") + collection("legacy_init_op")
    path = made(tmp_path, content, "m.meta")
    kept = pruned_meta(read_meta_graph(path), path, ["product:0"], FED)
    graph = read_meta_graph(made(tmp_path, kept, "left.meta"))
    assert graph.nodes.keys() == {name for name, *_ in (*NODES, *VARIABLE)} - {"file"}
    assert graph.saver_restore_op == "save/restore_all"
    names = [kept[part.start : part.end] for part in fields(kept) if part.number == 4]
    assert names == [encode_bytes(1, b"legacy_init_op") + encode_bytes(2, b"")]


def test_variables_that_nothing_restores_are_refused_where_something_must_go(tmp_path):
    path = made(tmp_path, encode_bytes(2, GraphBuilder([*NODES, *VARIABLE]).graph_def()), "m.meta")
    with pytest.raises(GraphFormatError, match="variables and no saver"):
        pruned_meta(read_meta_graph(path), path, ["product:0"], FED)
