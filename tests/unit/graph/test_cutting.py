"""What outputs need is cut out of a graph; what may not run is cut away, or refused where it is needed."""

from __future__ import annotations

import pytest
from graph_builder import GraphBuilder, bert_graph, dtype_attr, number_attr, shape_attr
from hostile_graphs import func_attr, func_list_attr, function_message, library

from bertbuild.graph.cutting import OperatorsRefusedError, check_operators, cut, written
from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.node import GraphFormatError, TensorRef
from bertbuild.graph.roles import input_roles
from bertbuild.graph.wire import encode_bytes

POOLED = TensorRef("bert/pooler/dense/Tanh", 0)


def saved(tmp_path, content, name="graph.pb"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def cut_graph(tmp_path, content, outputs=(POOLED,), instead=None):
    """The graph that is cut out of a GraphDef, read back."""
    path = saved(tmp_path, content)
    graph = read_graph(path)
    found = cut(graph, input_roles(graph), outputs, instead or {})
    return read_graph(saved(tmp_path, written(path, found), "cut.pb")), found


@pytest.mark.parametrize("fed", ["placeholders", "iterator"])
def test_the_inputs_are_placeholders_and_the_rest_is_what_the_output_needs(tmp_path, fed):
    builder, source = bert_graph(fed=fed)
    builder.add("loss", "Mean", str(POOLED))
    if fed == "iterator":
        types = encode_bytes(1, encode_bytes(6, bytes([3] * 5)))
        name, op, inputs, _ = next(node for node in builder.nodes if node[0] == "IteratorGetNext")
        builder.nodes[builder.nodes.index((name, op, inputs, {}))] = (name, op, inputs, {"output_types": types})
    made, found = cut_graph(tmp_path, builder.graph_def())
    assert {name: node.dtype() for name, node in made.nodes.items() if node.op == "Placeholder"} == {
        "bertbuild/input_ids": "int32",
        "bertbuild/input_mask": "int32",
        "bertbuild/segment_ids": "int32",
    }
    assert not {"loss", "IteratorGetNext", "Placeholder"} & made.nodes.keys()
    assert POOLED.node in made.nodes
    roles = input_roles(made)
    assert roles == {role: f"bertbuild/{role}:0" for role in source}
    assert {"word_table", "type_table", "position"} <= set(found.variables)


def test_the_shape_of_an_input_is_kept(tmp_path):
    made, _ = cut_graph(tmp_path, bert_graph(shape=(3, 8))[0].graph_def())
    assert made.nodes["bertbuild/input_ids"].shape() == (3, 8)


def test_a_meta_graph_is_cut_as_a_graph_is(tmp_path):
    path = saved(tmp_path, bert_graph()[0].meta_graph(), "bert_model.ckpt.meta")
    graph = read_meta_graph(path)
    found = cut(graph, input_roles(graph), [POOLED])
    made = read_graph(saved(tmp_path, written(path, found, meta=True)))
    assert made.nodes.keys() == {*found.nodes, "bertbuild/input_ids", "bertbuild/input_mask", "bertbuild/segment_ids"}
    assert made.producer == 27


def test_what_is_read_instead_takes_the_place_of_a_dropout(tmp_path):
    builder, _ = bert_graph(dropout=True)
    instead = {TensorRef("dropout", 0): TensorRef("twice", 0), TensorRef("twice", 0): TensorRef("add_1", 0)}
    made, _ = cut_graph(tmp_path, builder.graph_def(), instead=instead)
    assert not {"dropout", "RandomUniform"} & made.nodes.keys()
    assert [node.name for node in made.nodes.values() if TensorRef("add_1", 0) in node.data_inputs] == ["layer_0/query"]


def with_head(**attrs):
    """A BERT graph whose output goes through one more node, "last"."""
    builder, _ = bert_graph()
    builder.add("last", attrs.pop("op"), str(POOLED), **attrs)
    return builder


LAST = [TensorRef("last", 0)]


def test_an_operator_that_may_not_run_is_refused_by_name_where_the_output_needs_it(tmp_path):
    with pytest.raises(OperatorsRefusedError, match=r"last:0 is computed by PyFunc, which runs Python\.") as raised:
        cut_graph(tmp_path, with_head(op="PyFunc").graph_def(), LAST)
    assert raised.value.operators == {"PyFunc": "runs Python"}


@pytest.mark.parametrize("op", ["WriteFile", "PyFunc", "RpcCall", "SaveV2", "TFRecordDataset"])
def test_it_is_cut_away_where_no_output_needs_it(tmp_path, op):
    builder, _ = bert_graph()
    builder.add("aside", op, str(POOLED))
    made, _ = cut_graph(tmp_path, builder.graph_def())
    assert op not in {node.op for node in made.nodes.values()}


def test_what_only_comes_before_is_cut_away_too(tmp_path):
    builder, _ = bert_graph()
    builder.add("aside", "WriteFile", "position")
    builder.add("last", "Identity", str(POOLED), "^aside")
    made, _ = cut_graph(tmp_path, builder.graph_def(), LAST)
    assert made.nodes["last"].inputs == (str(POOLED),)
    assert "aside" not in made.nodes


def test_what_a_branch_decides_still_waits_for_it(tmp_path):
    builder, _ = bert_graph()
    builder.scalar("predicate", 1.0)
    builder.add("switch", "Switch", "predicate", "predicate")
    builder.add("pivot", "Identity", "switch:1")
    builder.add("one", "Const", "^pivot")
    builder.add("last", "Mul", str(POOLED), "one")
    made, _ = cut_graph(tmp_path, builder.graph_def(), LAST)
    assert made.nodes["one"].inputs == ("^pivot",)
    assert "switch" in made.nodes


INNER = function_message("inner", ("w", "WriteFile", ()))
OUTER = function_message("outer", ("call", "inner", ()))
HARMLESS = function_message("harmless", ("x", "Identity", ()))


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("PartitionedCall", {"f": func_attr("inner")}),
        ("StatefulPartitionedCall", {"f": func_attr("outer")}),
        ("While", {"cond": func_attr("harmless"), "body": func_attr("outer")}),
        ("Case", {"branches": func_list_attr("harmless", "inner")}),
        ("outer", {}),
    ],
)
def test_functions_are_looked_into_wherever_they_are_named(tmp_path, op, attrs):
    content = with_head(op=op, **attrs).graph_def() + library(INNER, OUTER, HARMLESS)
    with pytest.raises(OperatorsRefusedError, match="WriteFile, which reads or writes files"):
        cut_graph(tmp_path, content, LAST)


def test_functions_that_nothing_calls_are_cut_away(tmp_path):
    content = with_head(op="PartitionedCall", f=func_attr("harmless")).graph_def() + library(INNER, OUTER, HARMLESS)
    made, found = cut_graph(tmp_path, content, LAST)
    assert made.functions.keys() == found.functions == {"harmless"}


def test_a_function_that_is_not_there_is_refused(tmp_path):
    content = with_head(op="PartitionedCall", f=func_attr("gone")).graph_def() + library(HARMLESS)
    with pytest.raises(OperatorsRefusedError, match="last:0 is computed by gone, which the graph lacks"):
        cut_graph(tmp_path, content, LAST)


def test_a_large_attribute_hides_no_function(tmp_path):
    names = [f"harmless{'x' * 90}{index}" for index in range(100)]
    functions = [function_message(name, ("x", "Identity", ())) for name in names]
    attrs = {"branches": func_list_attr(*names, "inner")}
    content = with_head(op="Case", **attrs).graph_def() + library(INNER, *functions)
    with pytest.raises(OperatorsRefusedError, match="WriteFile"):
        cut_graph(tmp_path, content, LAST)


def test_an_output_that_needs_another_fed_tensor_is_told(tmp_path):
    builder, _ = bert_graph()
    builder.add("labels", "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr((1,)))
    builder.add("last", "Mul", str(POOLED), "labels")
    with pytest.raises(GraphFormatError, match="last:0 needs labels too"):
        cut_graph(tmp_path, builder.graph_def(), LAST)


def test_colocations_and_devices_are_left_out(tmp_path):
    builder, _ = bert_graph()
    place = encode_bytes(1, encode_bytes(2, b"loc:@loss"))
    builder.add("last", "Identity", str(POOLED), _class=place, T=dtype_attr("float32"), num=number_attr(2))
    made, _ = cut_graph(tmp_path, builder.graph_def(), LAST)
    assert (made.nodes["last"].dtype("T"), made.nodes["last"].number("num")) == ("float32", 2)
    assert b"loc:@" not in (tmp_path / "cut.pb").read_bytes()


def test_an_input_whose_type_is_not_told_is_refused(tmp_path):
    with pytest.raises(GraphFormatError, match="does not tell the type of its input IteratorGetNext"):
        cut_graph(tmp_path, bert_graph(fed="iterator")[0].graph_def())


def test_a_restore_may_read_its_file_and_no_other_file(tmp_path):
    builder = GraphBuilder()
    builder.add("restore", "RestoreV2")
    builder.add("other", "ReadFile")
    graph = read_graph(saved(tmp_path, builder.graph_def()))
    check_operators(graph, [graph.nodes["restore"]], "the saver runs", also=["RestoreV2"])
    with pytest.raises(OperatorsRefusedError, match="the saver runs ReadFile"):
        check_operators(graph, graph.nodes.values(), "the saver runs", also=["RestoreV2"])
