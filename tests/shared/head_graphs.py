"""Small BERT graphs with a head of every kind, in the forms that people write them in."""

from __future__ import annotations

from graph_builder import bert_graph, number_attr, shape_attr, truth_attr

POOLED, HIDDEN = "bert/pooler/dense/Tanh", "sequence"
LENGTH = 8


def head(g, x, columns, *, weights="output_weights", bias="output_bias", width=4):
    """The dense layer of run_classifier; gives the sum with its bias."""
    product = g.add(
        f"{weights}/MatMul",
        "MatMul",
        x,
        g.table(weights, (columns, width), frozen=False),
        transpose_b=truth_attr(value=True),
    )
    if not bias:
        return product
    g.add(bias, "VariableV2", shape=shape_attr((columns,)))
    return g.add(f"{weights}/BiasAdd", "BiasAdd", product, g.add(f"{bias}/read", "Identity", bias))


def rows(g, name, x, *sizes):
    return g.add(name, "Reshape", x, g.numbers(f"{name}/shape", *sizes))


def classifier(g):
    g.add("loss/Softmax", "Softmax", head(g, POOLED, 3))


def classifier_by_loss(g):
    g.add("loss", "SparseSoftmaxCrossEntropyWithLogits", rows(g, "flat", head(g, POOLED, 3), -1, 3), "input/labels")


def classifier_by_class(g):
    g.add("class", "ArgMax", head(g, POOLED, 3), g.numbers("axis", -1))


def classifier_through_dropout(g):
    g.add("loss/Softmax", "Softmax", head(g, dropout(g, POOLED), 3))


def one_class(g):
    g.add("loss/Softmax", "Softmax", head(g, POOLED, 1))


def multi_label(g):
    g.add("loss/Sigmoid", "Sigmoid", head(g, POOLED, 3))


def multi_label_by_loss(g):
    logits = head(g, POOLED, 3)
    positive = g.add("loss/GreaterEqual", "GreaterEqual", logits, g.scalar("zeros", 0.0))
    chosen = g.add("loss/Select_1", "Select", positive, g.add("loss/Neg", "Neg", logits), logits)
    g.add("loss/Log1p", "Log1p", g.add("loss/Exp", "Exp", chosen))
    g.add("loss/mul", "Mul", logits, "input/labels")


def regression(g):
    difference = g.add("loss/sub", "Sub", g.add("score", "Squeeze", head(g, POOLED, 1)), "input/labels")
    g.add("loss/Square", "Square", difference)


def regression_by_square(g):
    g.add("loss", "SquaredDifference", rows(g, "score", head(g, POOLED, 1), -1), "input/labels")


def tokens(g):
    logits = head(g, rows(g, "matrix", HIDDEN, -1, 4), 9)
    g.add("loss/LogSoftmax", "LogSoftmax", rows(g, "by_token", logits, -1, LENGTH, 9))


def tokens_of_two(g):
    g.add("loss/Softmax", "Softmax", rows(g, "by_token", head(g, HIDDEN, 2), -1, LENGTH, 2))


def tokens_without_activation(g):
    rows(g, "by_token", head(g, HIDDEN, 9), -1, LENGTH, 9)


def span(g):
    own = {"weights": "cls/squad/output_weights", "bias": "cls/squad/output_bias"}
    logits = rows(g, "by_token", head(g, rows(g, "matrix", HIDDEN, -1, 4), 2, **own), -1, LENGTH, 2)
    g.add("unstack", "Unpack", g.add("turned", "Transpose", logits, g.numbers("order", 2, 0, 1)), num=number_attr(2))
    g.add("start/LogSoftmax", "LogSoftmax", "unstack")


def span_by_split(g):
    logits = rows(g, "by_token", head(g, HIDDEN, 2), -1, LENGTH, 2)
    g.add("split", "Split", g.numbers("axis", -1), logits, num_split=number_attr(2))


def span_by_columns(g):
    logits = rows(g, "by_token", head(g, HIDDEN, 2), -1, LENGTH, 2)
    for column, name in enumerate(("start", "end")):
        masks = {"begin_mask": 3, "end_mask": 3, "shrink_axis_mask": 4}
        g.slice(name, logits, begin=(0, 0, column), end=(0, 0, column + 1), **masks)


def next_sentence(g):
    logits = head(g, POOLED, 2, weights="cls/seq_relationship/output_weights", bias="cls/seq_relationship/output_bias")
    g.add("loss/LogSoftmax", "LogSoftmax", logits)


def masked_lm(g):
    picked = g.add("picked", "GatherV2", rows(g, "matrix", HIDDEN, -1, 4), "input/positions", g.numbers("axis", 0))
    transformed = head(g, picked, 4, weights="transform/kernel", bias="transform/bias")
    normed = g.norm("transform/LayerNorm", g.add("gelu", "Relu", transformed))
    product = g.add("MatMul", "MatMul", normed, "word_table/read", transpose_b=truth_attr(value=True))
    g.add("cls/predictions/output_bias", "VariableV2", shape=shape_attr((50,)))
    g.add(
        "loss/LogSoftmax",
        "LogSoftmax",
        g.add("logits", "BiasAdd", product, g.add("lm_bias", "Identity", "cls/predictions/output_bias")),
    )


def dropout(g, x, name="dropout"):
    """As TensorFlow 1.15 writes it."""
    drawn = g.add(f"{name}/RandomUniform", "RandomUniform", g.numbers(f"{name}/shape", 1, 4))
    kept = g.add(f"{name}/GreaterEqual", "GreaterEqual", drawn, g.scalar(f"{name}/rate", 0.1))
    scaled = g.add(f"{name}/mul", "Mul", x, g.scalar(f"{name}/scale", 1.1))
    return g.add(f"{name}/mul_1", "Mul", scaled, g.add(f"{name}/Cast", "Cast", kept))


def with_head(form):
    """A small BERT with a head."""
    builder, _ = bert_graph(norms=True)
    builder.add("input/labels", "Placeholder")
    builder.add("input/positions", "Placeholder")
    form(builder)
    return builder
