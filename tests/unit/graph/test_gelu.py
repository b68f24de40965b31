from __future__ import annotations

import pathlib

import pytest
from graph_builder import bert_graph

from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import GraphFormatError, read_graph, read_meta_graph

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
