from __future__ import annotations

import math

import pytest
from graph_builder import GraphBuilder, bert_graph, float_attr

from bertbuild.graph.geometry import head_size, layer_norm_epsilon
from bertbuild.graph.graphdef import read_graph
from bertbuild.graph.node import GraphFormatError


@pytest.fixture
def load(tmp_path):
    def read(builder):
        path = tmp_path / "graph.pb"
        path.write_bytes(builder.graph_def())
        return read_graph(path)

    return read


def with_scales(*scales, mask=-10000.0):
    """A graph of so many layers, the scores of each times a constant of its own; `mask` is the mask's factor."""
    builder, _ = bert_graph(layers=len(scales))
    for index, scale in enumerate(scales):
        for name, value in ((f"layer_{index}/scale", scale), (f"layer_{index}/far", mask)):
            replace(builder, name, "Const", value=float_attr(value))
    return builder


def replace(builder, name, op, *inputs, **attrs):
    """Put another node in the place of one."""
    index = next(index for index, node in enumerate(builder.nodes) if node[0] == name)
    builder.nodes[index] = (name, op, list(inputs), attrs)


@pytest.mark.parametrize("size", [1, 2, 8, 12, 32, 63, 64, 80, 96, 128, 256, 500])
@pytest.mark.parametrize("seed", [None, 3])
def test_the_head_size_is_what_the_scores_are_scaled_for_whatever_the_names(load, size, seed):
    builder = with_scales(*[1 / math.sqrt(size)] * 3)
    assert head_size(load(builder if seed is None else builder.renamed(seed)[0])) == size


def test_the_scale_may_be_on_either_side_of_the_mask_and_on_either_side_of_the_product(load):
    builder = with_scales(0.125)
    replace(builder, "layer_0/scores", "Mul", "layer_0/scale", "layer_0/qk")
    replace(builder, "layer_0/masked", "AddV2", "layer_0/adder", "layer_0/scores")
    assert head_size(load(builder)) == 64


def test_scores_may_be_divided(load):
    builder = with_scales(math.sqrt(48))
    replace(builder, "layer_0/scores", "RealDiv", "layer_0/qk", "layer_0/scale")
    assert head_size(load(builder)) == 48


def test_scores_may_be_transposed_after_their_scaling(load):
    builder = with_scales(0.25)
    builder.nodes.insert(0, ("layer_0/turned", "Transpose", ["layer_0/scores", "layer_0/scale"], {}))
    replace(builder, "layer_0/masked", "Add", "layer_0/turned", "layer_0/adder")
    assert head_size(load(builder)) == 16


def test_a_classifiers_softmax_says_nothing_of_heads(load):
    builder = with_scales(0.125)
    builder.add("loss/MatMul", "MatMul", "bert/pooler/dense/Tanh", "bert/pooler/dense/Tanh")
    builder.add("loss/BiasAdd", "BiasAdd", "loss/MatMul", "loss/MatMul")
    builder.add("loss/Softmax", "Softmax", "loss/BiasAdd")
    assert head_size(load(builder)) == 64


def test_layers_with_heads_of_different_sizes_are_refused_with_their_factors(load):
    with pytest.raises(GraphFormatError, match=r"no one factor .* \(factors found: 0\.125, 0\.25\)"):
        head_size(load(with_scales(0.125, 0.25)))


@pytest.mark.parametrize("scale", [0.3, 1e-30, 1e30, math.inf, math.nan])
def test_a_factor_that_belongs_to_no_whole_head_size_is_refused(load, scale):
    with pytest.raises(GraphFormatError, match="no one factor"):
        head_size(load(with_scales(scale)))


def test_scores_without_a_factor_are_refused(load):
    builder = with_scales(0.125)
    replace(builder, "layer_0/scores", "Identity", "layer_0/qk")
    with pytest.raises(GraphFormatError, match=r"factors found: none"):
        head_size(load(builder))


def test_a_graph_without_attention_is_refused(load):
    builder = GraphBuilder()
    builder.add("x", "Placeholder")
    with pytest.raises(GraphFormatError, match="no one factor"):
        head_size(load(builder))


def with_norms(*epsilons, swapped=False, add="AddV2", read=False):
    """Layer norms' roots, each of a variance plus a constant."""
    builder = GraphBuilder()
    builder.add("x", "Placeholder")
    for index, epsilon in enumerate(epsilons):
        scope = f"norm_{index}"
        constant = builder.scalar(f"{scope}/epsilon", epsilon)
        if read:
            constant = builder.add(f"{scope}/epsilon/read", "Identity", constant)
        variance = builder.add(f"{scope}/variance", "Mean", "x", "x")
        builder.add(f"{scope}/add", add, *((constant, variance) if swapped else (variance, constant)))
        builder.add(f"{scope}/Rsqrt", "Rsqrt", f"{scope}/add")
    return builder


@pytest.mark.parametrize("epsilon", [1e-12, 1e-5, 1e-3])
@pytest.mark.parametrize("form", [{}, {"swapped": True}, {"add": "Add"}, {"read": True}])
def test_epsilon_is_what_every_variance_gets_added(load, epsilon, form):
    assert layer_norm_epsilon(load(with_norms(epsilon, epsilon, **form))) == pytest.approx(epsilon, rel=1e-6)


def test_layer_norms_that_differ_in_epsilon_are_refused_with_the_numbers(load):
    with pytest.raises(GraphFormatError, match=r"no one epsilon \(found: 1e-12, 1e-05\)"):
        layer_norm_epsilon(load(with_norms(1e-12, 1e-5)))


def test_a_graph_without_layer_norms_is_refused(load):
    builder = GraphBuilder()
    builder.add("x", "Placeholder")
    builder.add("root", "Rsqrt", "x")
    for graph in (load(builder), load(with_norms())):
        with pytest.raises(GraphFormatError, match=r"no one epsilon \(found: none\)"):
            layer_norm_epsilon(graph)
