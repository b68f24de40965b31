from __future__ import annotations

import pathlib
import sys

import pytest
from graph_builder import GraphBuilder, bert_graph, dtype_attr

from bertbuild.graph.dtypes import DTYPE_NUMBERS
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.node import GraphFormatError, Node
from bertbuild.graph.wire import encode_bytes, encode_number

DATA = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "data" / "checkpoints"


@pytest.fixture
def form_of(tmp_path):
    def read(builder):
        path = tmp_path / "graph.pb"
        path.write_bytes(builder.graph_def())
        return gelu_form(read_graph(path))

    return read


@pytest.mark.parametrize("form", ["erf", "tanh", None])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_form_of_gelu_is_told_whatever_the_names(form_of, form, frozen):
    builder, _ = bert_graph(gelu=form, frozen=frozen)
    assert form_of(builder) == form
    assert form_of(builder.renamed(3)[0]) == form


def test_mixed_forms_are_refused(form_of):
    builder, _ = bert_graph(gelu=["erf", "tanh"])
    with pytest.raises(GraphFormatError, match=r"exact at layer_0/Erf, tanh approximation at layer_1/Tanh"):
        form_of(builder)


def test_a_gelu_in_front_of_a_layer_norm_does_not_count(form_of):
    builder, _ = bert_graph(gelu="tanh")
    builder.add("transform/Erf", "Erf", "layer_1/output")
    builder.add("transform/Mul", "Mul", "transform/Erf", "layer_1/output")
    builder.add("transform/Mean", "Mean", "transform/Mul")
    assert form_of(builder) == "tanh"


def test_a_tanh_activation_is_no_gelu(form_of):
    builder, _ = bert_graph(gelu=None)
    for i, node in enumerate(builder.nodes):
        if node[1] == "Relu":
            builder.nodes[i] = (node[0], "Tanh", node[2], node[3])
    assert form_of(builder) is None


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared checkpoints are not here")
@pytest.mark.parametrize(
    "name", ["chinese_L-12_H-768_A-12_without_data", "git_lfs_pointer_as_data", "pretraining_step20_L-2_H-4"]
)
def test_genuine_graphs_have_the_exact_form(name):
    assert gelu_form(read_meta_graph(DATA / name / "bert_model.ckpt.meta")) == "erf"


def test_very_many_activations_over_one_polynomial_take_a_step_for_each_node(form_of):
    builder = GraphBuilder()
    builder.add("x", "Placeholder", dtype=dtype_attr("float32"))
    for number in range(500):
        builder.add(f"m{number}", "Mul", f"m{number - 1}" if number else "x", "x")
    for number in range(200):
        builder.add(f"t{number}", "Tanh", "m499")
    steps = 0

    def count(_frame, event, _argument):
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        assert form_of(builder) is None
    finally:
        sys.settrace(before)
    assert steps < 700 * 600  # of a walk from each activation: 200 · 500 nodes


@pytest.mark.parametrize("number", [5, 6])
def test_a_constant_with_a_varint_in_place_of_a_float_is_malformed(number):
    tensor = encode_number(1, DTYPE_NUMBERS["float32"]) + encode_number(number, 1 << 40)
    node = Node("c", "Const", (), {"value": encode_bytes(8, tensor)})
    with pytest.raises(GraphFormatError, match=f"malformed: field {number} of a constant has the wire type 0"):
        node.values()


def test_a_functions_name_that_is_not_text_is_malformed():
    node = Node("c", "PartitionedCall", (), {"f": encode_bytes(10, encode_bytes(1, b"\xff"))})
    with pytest.raises(GraphFormatError, match="is not text"):
        node.called()
