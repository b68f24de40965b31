"""What loading a SavedModel in TensorFlow 2 would run by itself is checked; what it would not run is no matter."""

from __future__ import annotations

import pytest
from graph_builder import GraphBuilder
from hostile_graphs import function_message, library

from bertbuild.graph.cutting import OperatorsRefusedError
from bertbuild.graph.graphdef import parse_graph
from bertbuild.graph.loading import check_loading, check_outputs
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.operators import RUN_UNASKED
from bertbuild.graph.wire import encode_bytes, encode_number

HARMLESS = function_message("harmless", ("x", "Identity", ()))
WRITES = function_message("writes", ("w", "WriteFile", ()))
CALLS = function_message("calls", ("c", "writes", ()))


def saved(tmp_path, graph_def, *parts):
    """A folder with the SavedModel of one MetaGraphDef: the graph, and other fields."""
    meta = encode_bytes(2, graph_def) + b"".join(parts)
    (tmp_path / "saved_model.pb").write_bytes(encode_number(1, 1) + encode_bytes(2, meta))
    return tmp_path


def node_of(function):
    """A SavedObject that is a function of one concrete function."""
    return encode_bytes(6, encode_bytes(1, function.encode()))


def object_graph(*, child, function="writes", saveable=False):
    """An object graph whose root has one child, a function; or that saves itself by it."""
    reference = encode_bytes(1, encode_number(1, 1) + encode_bytes(2, child.encode()))
    restores = encode_bytes(11, encode_bytes(1, b"x") + encode_bytes(2, encode_number(3, 1)))
    nodes = [restores if saveable else reference, node_of(function)]
    return encode_bytes(7, b"".join(encode_bytes(1, node) for node in nodes))


GRAPH = GraphBuilder([("x", "Placeholder", [], {})]).graph_def() + library(HARMLESS, WRITES, CALLS)


@pytest.mark.parametrize("child", ["_create_resource", "_initialize", "_destroy_resource"])
@pytest.mark.parametrize("function", ["writes", "calls"])
def test_functions_that_make_resources_are_refused_by_what_they_run(tmp_path, child, function):
    folder = saved(tmp_path, GRAPH, object_graph(child=child, function=function))
    with pytest.raises(OperatorsRefusedError, match="its loading runs WriteFile, which reads or writes files"):
        check_loading(folder)


def test_functions_that_restore_objects_are_looked_into(tmp_path):
    with pytest.raises(OperatorsRefusedError, match="WriteFile"):
        check_loading(saved(tmp_path, GRAPH, object_graph(child="", saveable=True)))


def test_a_function_that_nobody_calls_by_loading_is_no_matter(tmp_path):
    check_loading(saved(tmp_path, GRAPH, object_graph(child="notes")))
    check_loading(saved(tmp_path, GRAPH, object_graph(child="_initialize", function="harmless")))


@pytest.mark.parametrize("op", sorted(RUN_UNASKED))
def test_what_tensorflow_runs_where_it_takes_a_graph_in_is_refused_anywhere(tmp_path, op):
    graph = GraphBuilder([("x", "Placeholder", [], {})]).graph_def() + library(function_message("f", ("r", op, ())))
    folder = saved(tmp_path, graph, object_graph(child="notes", function="f"))
    check_loading(folder)
    with pytest.raises(OperatorsRefusedError, match=f"its loading may run {op}, which ") as refusal:
        check_loading(folder, whole=True)
    assert "not on the list" not in str(refusal.value) or op.startswith("Remote")


def collection(name, *values):
    names = b"".join(encode_bytes(1, value.encode()) for value in values)
    return encode_bytes(4, encode_bytes(1, name.encode()) + encode_bytes(2, encode_bytes(1, names)))


def of_tensorflow_1(op):
    builder = GraphBuilder()
    builder.add("aside", op)
    builder.add("init", "NoOp", "^aside")
    builder.add("restore", "RestoreV2")
    builder.add("save/restore_all", "NoOp", "^restore")
    return builder.graph_def()


SAVER = encode_bytes(3, encode_bytes(3, b"save/restore_all"))


@pytest.mark.parametrize("name", ["saved_model_main_op", "legacy_init_op", "table_initializer"])
def test_what_initialises_a_saved_model_of_tensorflow_1_is_looked_into(tmp_path, name):
    with pytest.raises(OperatorsRefusedError, match="its initialisation runs PyFunc, which runs Python"):
        check_loading(saved(tmp_path, of_tensorflow_1("PyFunc"), collection(name, "init"), SAVER))


def test_its_saver_may_restore_and_what_is_never_run_is_no_matter(tmp_path):
    check_loading(saved(tmp_path, of_tensorflow_1("PyFunc"), collection("losses", "init"), SAVER))


def test_a_saver_may_do_nothing_else(tmp_path):
    builder = GraphBuilder([("r", "ReadFile", [], {}), ("save/restore_all", "NoOp", ["^r"], {})])
    with pytest.raises(OperatorsRefusedError, match="its saver runs ReadFile"):
        check_loading(saved(tmp_path, builder.graph_def(), SAVER))


def test_a_folder_without_a_saved_model_is_left_to_what_loads_it(tmp_path):
    check_loading(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    check_loading(tmp_path)


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x12\xff")
    with pytest.raises(GraphFormatError, match="is not a whole SavedModel"):
        check_loading(tmp_path)


BAD_AFTER = GraphBuilder(
    [
        ("next", "IteratorGetNext", [], {}),
        ("harm", "ReadFile", [], {}),
        ("waits", "Identity", ["next", "^harm"], {}),
        ("bad", "Identity", ["harm"], {}),
        ("called", "calls", ["next"], {}),
        ("good", "Identity", ["next:0"], {}),
    ]
).graph_def() + library(HARMLESS, WRITES, CALLS)


@pytest.mark.parametrize("output", ["bad:0", "harm:0", "waits:0", "called:0"])
def test_outputs_that_need_what_may_not_run_are_refused(output):
    with pytest.raises(OperatorsRefusedError, match=f"{output} is computed by (Read|Write)File"):
        check_outputs(parse_graph(BAD_AFTER), [output], ["next:0"])


def test_what_only_fed_tensors_need_is_not_run():
    graph = parse_graph(BAD_AFTER)
    check_outputs(graph, ["good:0"], ["next:0"])
    check_outputs(graph, ["bad:0", "good:0"], ["harm:0", "next:0"])
    check_outputs(graph, ["bad:0"], [], also=["ReadFile"])
    with pytest.raises(OperatorsRefusedError, match="IteratorGetNext"):
        check_outputs(graph, ["good:0"], ["next:1"])
