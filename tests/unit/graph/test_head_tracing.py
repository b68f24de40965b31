from __future__ import annotations

import pytest
from head_graphs import (
    HIDDEN,
    POOLED,
    classifier,
    classifier_by_class,
    classifier_by_loss,
    classifier_through_dropout,
    dropout,
    head,
    masked_lm,
    multi_label,
    multi_label_by_loss,
    next_sentence,
    one_class,
    regression,
    regression_by_square,
    rows,
    span,
    span_by_columns,
    span_by_split,
    tokens,
    tokens_of_two,
    tokens_without_activation,
    with_head,
)

from bertbuild.graph.forward import find_dropouts, forward_part
from bertbuild.graph.graphdef import Graph, read_graph
from bertbuild.graph.head_tracing import trace_heads
from bertbuild.graph.node import GraphFormatError, TensorRef

LENGTH = 8


def traced(tmp_path, form, **how):
    graph = read(tmp_path, form, **how)
    return trace_heads(graph)


def read(tmp_path, form, *, seed=None):
    builder = with_head(form)
    if seed is not None:
        builder, _ = builder.renamed(seed)
    path = tmp_path / "graph.pb"
    path.write_bytes(builder.graph_def())
    return read_graph(path)


SETTLED = {
    classifier: ("classifier", "pooled", "Softmax"),
    classifier_by_loss: ("classifier", "pooled", "softmax cross entropy"),
    classifier_by_class: ("classifier", "pooled", "ArgMax"),
    classifier_through_dropout: ("classifier", "pooled", "Softmax"),
    one_class: ("classifier", "pooled", "Softmax"),
    multi_label: ("multi-label", "pooled", "Sigmoid"),
    multi_label_by_loss: ("multi-label", "pooled", "sigmoid cross entropy"),
    regression: ("regression", "pooled", "squared difference"),
    regression_by_square: ("regression", "pooled", "squared difference"),
    tokens: ("tokens", "sequence", "LogSoftmax"),
    tokens_of_two: ("tokens", "sequence", "Softmax"),
    tokens_without_activation: ("tokens", "sequence", "nothing"),
    span: ("span", "sequence", "start and end taken apart"),
    span_by_split: ("span", "sequence", "start and end taken apart"),
    span_by_columns: ("span", "sequence", "start and end taken apart"),
    masked_lm: ("masked-lm", "sequence", "LogSoftmax"),
    next_sentence: ("next-sentence", "pooled", "LogSoftmax"),
}


@pytest.mark.parametrize("form", SETTLED, ids=lambda form: form.__name__)
def test_a_kind_is_told_by_what_a_head_reads_and_what_comes_behind(tmp_path, form):
    (found,) = traced(tmp_path, form).heads
    kind, reads, behind = SETTLED[form]
    assert (found.kinds, found.unknown, found.reads, found.behind) == ((kind,), "", reads, behind)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "form", [form for form in SETTLED if form is not next_sentence], ids=lambda form: form.__name__
)
def test_names_and_order_of_nodes_do_not_matter(tmp_path, form, seed):
    (found,) = traced(tmp_path, form, seed=seed).heads
    assert found.kinds == SETTLED[form][:1]


def test_variables_and_tensors_are_named(tmp_path):
    (found,) = traced(tmp_path, classifier).heads
    assert (found.weights, found.bias, found.columns) == ("output_weights", "output_bias", 3)
    assert {name: str(ref) for name, ref in found.tensors.items()} == {
        "logits": "output_weights/BiasAdd:0",
        "probabilities": "loss/Softmax:0",
    }
    assert found.why == "the .meta multiplies the pooled output with output_weights, then Softmax"


@pytest.mark.parametrize(
    ("form", "ends"),
    [
        (span, ("unstack:0", "unstack:1")),
        (span_by_split, ("split:0", "split:1")),
        (span_by_columns, ("start:0", "end:0")),
    ],
)
def test_the_ends_of_a_span_are_named(tmp_path, form, ends):
    (found,) = traced(tmp_path, form).heads
    assert (str(found.tensors["start_logits"]), str(found.tensors["end_logits"])) == ends


def test_a_masked_language_model_names_its_table_and_what_its_positions_are_fed_by(tmp_path):
    (found,) = traced(tmp_path, masked_lm).heads
    assert (found.weights, found.bias, found.columns) == ("word_table", "cls/predictions/output_bias", 50)
    assert found.positions == TensorRef("input/positions", 0)


def test_all_heads_of_a_pretraining_are_found(tmp_path):
    def both(g):
        masked_lm(g)
        next_sentence_of_other_name(g)

    def next_sentence_of_other_name(g):
        g.add(
            "second/LogSoftmax",
            "LogSoftmax",
            head(g, POOLED, 2, weights="cls/seq_relationship/output_weights", bias="b"),
        )

    assert [found.kinds for found in traced(tmp_path, both).heads] == [("masked-lm",), ("next-sentence",)]


def test_a_head_without_a_bias_has_none(tmp_path):
    (found,) = traced(tmp_path, lambda g: g.add("Softmax", "Softmax", head(g, POOLED, 3, bias=""))).heads
    assert (found.kinds, found.bias) == (("classifier",), "")


def test_a_graph_without_a_head_has_its_pooler_and_hidden_states(tmp_path):
    found = traced(tmp_path, lambda _: None)
    assert found.heads == ()
    assert (str(found.pooled), str(found.sequence)) == (f"{POOLED}:0", "sequence:0")


def logits_alone(g):
    head(g, POOLED, 3)


def one_column_alone(g):
    g.add("score", "Squeeze", head(g, POOLED, 1))


def two_columns_of_tokens(g):
    rows(g, "by_token", head(g, HIDDEN, 2), -1, LENGTH, 2)


@pytest.mark.parametrize(
    ("form", "kinds"),
    [
        (logits_alone, ("classifier", "multi-label")),
        (one_column_alone, ("regression", "multi-label")),
        (two_columns_of_tokens, ("tokens", "span")),
    ],
)
def test_what_a_graph_leaves_open_stays_open(tmp_path, form, kinds):
    (found,) = traced(tmp_path, form).heads
    assert (found.kinds, found.unknown, found.behind) == (kinds, "", "nothing")


def multiple_choice(g):
    g.add("loss/Softmax", "Softmax", rows(g, "choices", head(g, POOLED, 1), -1, 4))


def another_dense(g):
    inner = head(g, POOLED, 5, weights="projection", bias="projection_bias")
    g.add("loss/Softmax", "Softmax", head(g, g.add("Relu", "Relu", inner), 3, width=5))


def dense_on_the_first_state(g):
    first = g.slice("first", HIDDEN, begin=(0, 0, 0), end=(0, 1, 0), begin_mask=5, end_mask=5)
    g.add("loss/Softmax", "Softmax", head(g, first, 3))


def mean_of_states(g):
    g.add("loss/Softmax", "Softmax", head(g, g.add("mean", "Mean", HIDDEN, g.numbers("axis", 1)), 3))


def crf(g):
    logits = rows(g, "by_token", head(g, HIDDEN, 9), -1, LENGTH, 9)
    g.add("spread", "ExpandDims", g.table("transitions", (9, 9), frozen=False))
    g.add("alphas", "Slice", logits, "input/labels", "input/labels")


def recurrent(g):
    g.add("array", "TensorArrayScatterV3", HIDDEN)
    g.add("loss/Softmax", "Softmax", head(g, g.add("Exit", "Exit", "array"), 9))


def sigmoid_for_each_token(g):
    g.add("loss/Sigmoid", "Sigmoid", head(g, HIDDEN, 9))


def squares_of_several(g):
    g.add("loss", "SquaredDifference", head(g, POOLED, 3), "input/labels")


def relu_between(g):
    g.add("loss/Softmax", "Softmax", head(g, g.add("Relu", "Relu", POOLED), 3))


def softmax_over_positions(g):
    logits = rows(g, "by_token", head(g, HIDDEN, 9), -1, LENGTH, 9)
    g.add("loss/Softmax", "Softmax", g.add("turned", "Transpose", logits, g.numbers("order", 0, 2, 1)))


@pytest.mark.parametrize(
    ("form", "unknown"),
    [
        (multiple_choice, "a softmax over several rows, as BertForMultipleChoice has it"),
        (another_dense, "another dense layer in front of it (projection)"),
        (dense_on_the_first_state, "a dense layer over the first hidden state, without the pooler"),
        (mean_of_states, "hidden states through Mean"),
        (crf, "a CRF behind it (transitions)"),
        (recurrent, "a recurrent layer in front of it"),
        (sigmoid_for_each_token, "Sigmoid for each token"),
        (squares_of_several, "squared differences of several columns"),
        (relu_between, "the pooled output through Relu, Tanh"),
    ],
)
def test_a_head_of_unknown_layers_is_named_and_of_no_kind(tmp_path, form, unknown):
    (found,) = traced(tmp_path, form).heads
    assert (found.kinds, found.unknown) == ((), unknown)


@pytest.mark.parametrize(
    ("form", "kinds", "unknown"),
    [
        (
            lambda g: g.add("scaled", "RealDiv", head(g, POOLED, 3), g.scalar("temperature", 2.0)),
            ("classifier", "multi-label"),
            "RealDiv behind it",
        ),
        (softmax_over_positions, ("tokens",), "Softmax behind Transpose"),
    ],
)
def test_what_comes_behind_and_is_not_known_leaves_the_kind_to_who_knows(tmp_path, form, kinds, unknown):
    (found,) = traced(tmp_path, form).heads
    assert (found.kinds, found.unknown) == (kinds, unknown)


def test_gradients_and_optimizer_do_not_count(tmp_path):
    def training(g):
        classifier(g)
        gradient = g.add("gradients/MatMul_grad/MatMul_1", "MatMul", "loss/Softmax", POOLED)
        moment = g.add("Mul", "Mul", gradient, g.scalar("beta", 0.9))
        g.add("Assign", "Assign", "output_weights", g.add("sub", "Sub", "output_weights/read", moment))

    graph = read(tmp_path, training)
    assert {"gradients/MatMul_grad/MatMul_1", "Mul", "sub", "Assign"}.isdisjoint(forward_part(graph).nodes)
    (found,) = trace_heads(graph).heads
    assert found.kinds == ("classifier",)


def dropout_before_114(g, x):
    drawn = g.add("random_uniform/RandomUniform", "RandomUniform", g.numbers("shape", 1, 4))
    kept = g.add("Floor", "Floor", g.add("spread", "Add", g.scalar("keep_prob", 0.9), drawn))
    return g.add("mul", "Mul", g.add("div", "RealDiv", x, "keep_prob"), kept)


def dropout_of_tensorflow_2(g, x):
    drawn = g.add("random_uniform/RandomUniform", "RandomUniform", g.numbers("shape", 1, 4))
    kept = g.add("GreaterEqual", "GreaterEqual", drawn, g.scalar("rate", 0.1))
    return g.add("SelectV2", "SelectV2", kept, g.add("Mul", "Mul", x, g.scalar("scale", 1.1)), g.scalar("zero", 0.0))


@pytest.mark.parametrize("form", [dropout, dropout_before_114, dropout_of_tensorflow_2])
def test_a_dropout_is_found_with_what_it_is_without(tmp_path, form):
    ends = []

    def dropped(g):
        ends.append(form(g, POOLED))
        g.add("loss/Softmax", "Softmax", head(g, ends[0], 3))

    graph = read(tmp_path, dropped)
    (found,) = find_dropouts(graph)
    assert (str(found.output), str(found.input)) == (f"{ends[0]}:0", f"{POOLED}:0")
    assert trace_heads(graph).heads[0].kinds == ("classifier",)


def test_an_initialiser_is_no_dropout(tmp_path):
    def initialised(g):
        drawn = g.add("init/RandomUniform", "RandomUniform", g.numbers("shape", 1, 4))
        scaled = g.add("init/mul", "Mul", drawn, g.scalar("width", 0.2))
        g.add("Assign", "Assign", "word_table", g.add("init", "Add", scaled, g.scalar("low", -0.1)))

    assert find_dropouts(read(tmp_path, initialised)) == ()


def test_more_layers_than_a_head_can_have_are_refused(tmp_path):
    def many(g):
        for number in range(70):
            head(g, POOLED, 3, weights=f"weights_{number}", bias="")

    with pytest.raises(GraphFormatError, match="71 dense layers"):
        traced(tmp_path, many)


def test_a_graph_of_shared_random_numbers_takes_no_square_of_its_size(tmp_path):
    def hostile(g):
        shared = [g.add(f"random/{number}", "RandomUniform", g.numbers(f"shape/{number}", 1)) for number in range(800)]
        g.add("joined", "AddV2", *shared)
        for number in range(800):
            g.add(f"reader/{number}", "Floor", "joined")

    graph = read(tmp_path, hostile)
    with pytest.raises(GraphFormatError, match="steps, the most that are taken"):
        find_dropouts(graph)


def test_a_graph_without_an_encoder_is_refused():
    with pytest.raises(GraphFormatError, match="no one encoder"):
        trace_heads(Graph({}))
