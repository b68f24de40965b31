from __future__ import annotations

import pytest
from graph_builder import GraphBuilder, bert_graph, dtype_attr, number_attr, shape_attr, truth_attr

from bertbuild.graph.graphdef import read_graph
from bertbuild.graph.node import GraphFormatError, parse_ref
from bertbuild.graph.saved_model import Port, SavedModel
from bertbuild.graph.served import known_outputs

POOLED, HIDDEN = "bert/pooler/dense/Tanh", "sequence"
WIDTH, VOCABULARY = 4, 50
TRANSFORM = "cls/predictions/transform"


def layer(g, scope, x, classes, *, by_rows=True, op="MatMul", names=("output_weights", "output_bias")):
    """A head's last layer, its weights [C, H] as google-research/bert's or [H, C] as tf.layers.dense makes them."""
    weights, bias = names
    shape = (classes, WIDTH) if by_rows else (WIDTH, classes)
    turned = {"MatMul": "transpose_b", "BatchMatMulV2": "adj_y"}[op]
    table = g.table(weights, shape, frozen=False)
    product = g.add(f"{scope}/MatMul", op, x, table, **({turned: truth_attr(value=True)} if by_rows else {}))
    g.add(bias, "VariableV2", dtype=dtype_attr("float32"), shape=shape_attr([classes]))
    return g.add(f"{scope}/BiasAdd", "BiasAdd", product, g.add(f"{bias}/read", "Identity", bias))


def positions(g, x, columns):
    return g.add("by_position", "Reshape", x, g.numbers("by_position/shape", -1, 8, columns))


def classifier(g):
    return g.add("probabilities", "Softmax", layer(g, "loss", POOLED, 3))


def columns_of_keras(g):
    return g.add("probabilities", "Softmax", layer(g, "loss", POOLED, 3, by_rows=False))


def multi_label(g):
    return g.add("probabilities", "Sigmoid", layer(g, "loss", POOLED, 3))


def logits(g):
    return layer(g, "loss", POOLED, 3)


def logits_of_many_labels(g):
    multi_label(g)
    return "loss/BiasAdd"


def regression(g):
    return g.add("score", "Squeeze", layer(g, "loss", POOLED, 1))


def tokens(g):
    return g.add("probabilities", "Softmax", positions(g, layer(g, "loss", HIDDEN, 9), 9))


def tokens_in_three_dimensions(g):
    return g.add("probabilities", "Softmax", layer(g, "loss", HIDDEN, 9, op="BatchMatMulV2"))


def tokens_by_tensordot(g):
    """As tf.layers.dense computes it over three dimensions: both are transposed as they lie, and reshaped."""
    g.table("dense/kernel", (WIDTH, 9), frozen=False)
    turned = g.add("turned", "Transpose", "dense/kernel/read", g.numbers("order", 0, 1))
    kernel = g.add("kernel", "Reshape", turned, g.numbers("kernel/shape", WIDTH, 9))
    axes = g.add("axes", "ConcatV2", g.numbers("free", 0, 1), g.numbers("gone", 2), g.numbers("axes/axis", 0))
    rows = g.add("rows", "Reshape", g.add("same", "Transpose", HIDDEN, axes), g.numbers("rows/shape", -1, WIDTH))
    made = positions(g, g.add("dense/MatMul", "MatMul", rows, kernel), 9)
    g.add("dense/bias", "VariableV2", dtype=dtype_attr("float32"), shape=shape_attr([9]))
    return g.add("logits", "BiasAdd", made, "dense/bias")


def span(g):
    made = positions(g, layer(g, "squad", HIDDEN, 2, names=("cls/squad/w", "cls/squad/b")), 2)
    turned = g.add("turned", "Transpose", made, g.numbers("order", 2, 0, 1))
    g.add("unstack", "Unpack", turned, num=number_attr(2))
    return "unstack:1"


def next_sentence(g):
    return layer(g, "nsp", POOLED, 2, names=("cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"))


def masked_lm(g):
    g.table(f"{TRANSFORM}/dense/kernel", (WIDTH, WIDTH), frozen=False)
    g.add(f"{TRANSFORM}/dense/bias", "VariableV2", dtype=dtype_attr("float32"), shape=shape_attr([WIDTH]))
    product = g.add("t/MatMul", "MatMul", HIDDEN, f"{TRANSFORM}/dense/kernel/read")
    made = g.norm("t/norm", g.add("t/Relu", "Relu", g.add("t/BiasAdd", "BiasAdd", product, f"{TRANSFORM}/dense/bias")))
    product = g.add("lm/MatMul", "MatMul", made, "word_table/read", transpose_b=truth_attr(value=True))
    g.add("cls/predictions/output_bias", "VariableV2", dtype=dtype_attr("float32"), shape=shape_attr([VOCABULARY]))
    return positions(g, g.add("lm/BiasAdd", "BiasAdd", product, "cls/predictions/output_bias"), VOCABULARY)


KNOWN = {
    "pooled": (lambda _: POOLED, "pooled", "pooled"),
    "sequence": (lambda _: HIDDEN, "sequence", "sequence"),
    "classifier": (classifier, "classifier", "probabilities"),
    "classifier of columns": (columns_of_keras, "classifier", "probabilities"),
    "multi-label": (multi_label, "multi-label", "probabilities"),
    "logits": (logits, "classifier", "logits"),
    "logits that go into a sigmoid": (logits_of_many_labels, "multi-label", "logits"),
    "regression": (regression, "regression", "score"),
    "tokens": (tokens, "tokens", "probabilities"),
    "tokens in three dimensions": (tokens_in_three_dimensions, "tokens", "probabilities"),
    "tokens by tensordot": (tokens_by_tensordot, "tokens", "logits"),
    "span": (span, "span", "end_logits"),
    "next-sentence": (next_sentence, "next-sentence", "next-sentence-logits"),
    "masked-lm": (masked_lm, "masked-lm", "masked-lm-logits"),
}


def after_a_layer_more(g):
    product = g.add("more/MatMul", "MatMul", POOLED, g.table("more", (WIDTH, WIDTH), frozen=False))
    return g.add("probabilities", "Softmax", layer(g, "loss", g.add("more/Tanh", "Tanh", product), 3))


def over_a_layer_at_each_position(g):
    product = g.add("more/MatMul", "MatMul", HIDDEN, g.table("more", (WIDTH, WIDTH), frozen=False))
    return g.add("probabilities", "Softmax", layer(g, "loss", g.add("more/Relu", "Relu", product), 3))


def without_bias(g):
    return g.add("probabilities", "Softmax", g.add("m", "MatMul", POOLED, g.table("w", (3, WIDTH), frozen=False)))


def sigmoid_of_each_position(g):
    return g.add("probabilities", "Sigmoid", layer(g, "loss", HIDDEN, 9))


def decoded(g):
    return g.add("tags", "ArgMax", tokens(g), g.numbers("axis", -1))


def over_the_mean(g):
    mean = g.add("mean", "Mean", HIDDEN, g.numbers("axis", 1))
    return g.add("probabilities", "Softmax", layer(g, "loss", mean, 3))


def next_sentence_probabilities(g):
    return g.add("probabilities", "Softmax", next_sentence(g))


UNKNOWN = {
    "a layer more": (after_a_layer_more, "of no known head: another dense layer in front of it (more)"),
    "a layer more at each position": (
        over_a_layer_at_each_position,
        "of no known head: another dense layer in front of it (more)",
    ),
    "no bias": (without_bias, "a dense layer's without a bias"),
    "a sigmoid of each position": (sigmoid_of_each_position, "of no known head: Sigmoid for each token"),
    "a tag": (decoded, "made by ArgMax, which is no head's answer"),
    "a mean": (over_the_mean, "of no known head: hidden states through Mean"),
    "probabilities of next sentences": (
        next_sentence_probabilities,
        "the probabilities of a next-sentence head, which has no such answer",
    ),
}


@pytest.fixture
def saved(tmp_path):
    """A function that gives the SavedModel of a graph with a head, its outputs at some tensors."""

    def make(*heads, names=("output",)):
        g = bert_graph(frozen=False, norms=True)[0]
        tensors = [head(g) for head in heads]
        (tmp_path / "graph.pb").write_bytes(g.graph_def())
        ports = {
            name: Port(str(parse_ref(tensor)), "float32", None) for name, tensor in zip(names, tensors, strict=True)
        }
        return SavedModel(read_graph(tmp_path / "graph.pb"), {}, ports)

    return make


@pytest.mark.parametrize("case", KNOWN)
def test_the_head_behind_an_output_is_found_whatever_the_output_is_called(saved, case):
    head, kind, output = KNOWN[case]
    taken, left = known_outputs(saved(head))
    assert not left
    assert {name: found.answer.kind for name, found in taken.items()} == {output: kind}


@pytest.mark.parametrize(
    ("case", "by_rows", "weights", "bias", "width"),
    [
        ("classifier", True, "output_weights", "output_bias", 3),
        ("classifier of columns", False, "output_weights", "output_bias", 3),
        ("regression", True, "output_weights", "output_bias", 1),
        ("tokens by tensordot", False, "dense/kernel", "dense/bias", 9),
        ("span", True, "cls/squad/w", "cls/squad/b", 2),
        ("masked-lm", True, "word_table", "cls/predictions/output_bias", VOCABULARY),
    ],
)
def test_the_heads_tables_are_named_with_the_way_they_lie(saved, case, by_rows, weights, bias, width):
    (output,) = known_outputs(saved(KNOWN[case][0])).taken.values()
    head = output.answer.head
    assert (head.by_rows, head.weights, head.bias, head.columns) == (by_rows, weights, bias, width)


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_no_head_answers_is_refused_with_what_it_is(saved, case):
    head, why = UNKNOWN[case]
    with pytest.raises(GraphFormatError, match="outputs is of a known kind: output is") as told:
        known_outputs(saved(head))
    assert why in str(told.value)


def test_beside_a_known_output_the_unknown_one_is_left(saved):
    taken, left = known_outputs(saved(tokens, lambda g: g.add("tags", "ArgMax", "probabilities"), names=("p", "tags")))
    assert taken["probabilities"].answer.kind == "tokens"
    assert taken["probabilities"].name == "p"
    assert left == {"tags": "made by ArgMax, which is no head's answer"}


def test_one_answer_under_two_names_is_one(saved):
    taken, left = known_outputs(
        saved(classifier, lambda g: g.add("same", "Identity", "probabilities"), names=("a", "b"))
    )
    assert {name: found.name for name, found in taken.items()} == {"probabilities": "a"}
    assert not left


def test_two_heads_of_one_answer_are_not_chosen_between(saved):
    def other(g):
        return g.add("other", "Softmax", layer(g, "b", HIDDEN, 9, names=("w2", "b2")))

    with pytest.raises(GraphFormatError, match="outputs a and b are both probabilities, of two heads"):
        known_outputs(saved(classifier, other, names=("a", "b")))


def test_an_output_that_is_not_in_the_graph_is_told(saved):
    with pytest.raises(GraphFormatError, match="output is a tensor that the graph does not have"):
        known_outputs(saved(lambda _: "gone"))


def test_no_output_at_all_is_told(saved):
    with pytest.raises(GraphFormatError, match="of a known kind: it has none"):
        known_outputs(saved(names=()))


def test_a_graph_without_a_bert_is_refused(tmp_path):
    g = GraphBuilder()
    g.add("x", "Placeholder")
    (tmp_path / "graph.pb").write_bytes(g.graph_def())
    with pytest.raises(GraphFormatError):
        known_outputs(SavedModel(read_graph(tmp_path / "graph.pb"), {}, {}))
