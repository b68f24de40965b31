from __future__ import annotations

import pytest
from graph_builder import bert_graph, dtype_attr, number_attr, shape_attr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertbuild.graph.graphdef import read_graph
from bertbuild.graph.node import GraphFormatError, parse_ref
from bertbuild.graph.outputs import UnknownOutputsError, find_outputs, written
from bertbuild.graph.roles import input_roles

POOLED = "bert/pooler/dense/Tanh"
HIDDEN = "sequence"


def span(g, state):
    logits = g.add("logits", "Reshape", g.dense("squad", state, (2, 4)), g.numbers("shape", -1, 8, 2))
    return g.add("turned", "Transpose", logits, g.numbers("order", 2, 0, 1))


def unstack(g):
    g.add("unstack", "Unpack", span(g, HIDDEN), num=number_attr(2))


def split(g):
    logits = g.add("logits", "Reshape", g.dense("squad", HIDDEN, (2, 4)), g.numbers("shape", -1, 8, 2))
    g.add("split", "Split", g.numbers("axis", -1), logits, num_split=number_attr(2))
    g.add("start", "Squeeze", "split")
    g.add("end", "Squeeze", "split:1")


def columns(g):
    logits = g.add("logits", "Reshape", g.dense("squad", HIDDEN, (2, 4)), g.numbers("shape", -1, 8, 2))
    for column, name in enumerate(("start", "end")):
        masks = {"begin_mask": 3, "end_mask": 3, "shrink_axis_mask": 4}
        g.slice(name, logits, begin=(0, 0, column), end=(0, 0, column + 1), **masks)


def softmaxes_over_span(g):
    g.add("unstack", "Unpack", span(g, HIDDEN), num=number_attr(2))
    g.add("start", "Softmax", "unstack")
    g.add("end", "Softmax", "unstack:1")


def softmax(g):
    g.add("loss/Softmax", "Softmax", g.dense("loss", POOLED))


def log_softmax(g):
    g.add("loss/LogSoftmax", "LogSoftmax", g.dense("loss", POOLED))


def softmax_and_class(g):
    softmax(g)
    g.add("class", "ArgMax", "loss/Softmax", g.numbers("axis", -1))


def class_of_logits(g):
    softmax(g)
    g.add("class", "ArgMax", "loss/BiasAdd", g.numbers("axis", -1))


def sigmoid(g):
    g.add("sigmoid", "Sigmoid", g.dense("loss", POOLED))


def logits(g):
    g.dense("loss", POOLED)


def squeeze(g):
    g.add("score", "Squeeze", g.dense("loss", POOLED, (1, 4)))


def one_label(g):
    g.add("sigmoid", "Sigmoid", g.dense("loss", POOLED, (1, 4)))


def mean(g):
    g.add("mean", "Mean", HIDDEN, g.numbers("axis", 1))


def masked_mean(g):
    g.add("weighted", "Mul", HIDDEN, "mask/Cast")
    total = g.add("total", "Sum", "weighted", g.numbers("axis", 1))
    g.add("mean", "RealDiv", total, g.add("count", "Sum", "mask/Cast", "axis"))


def tokens(g):
    g.add("softmax", "Softmax", g.dense("tags", HIDDEN))
    g.add("class", "ArgMax", "softmax", g.numbers("axis", -1))


def renamed_identity(g):
    g.add("probabilities", "Identity", g.add("loss/Softmax", "Softmax", g.dense("loss", POOLED)))


def with_labels(g):
    softmax(g)
    g.add("labels", "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr([-1]))
    picked = g.add("picked", "Mul", "loss/Softmax", g.add("one_hot", "OneHot", "labels"))
    g.add("loss/Mean", "Mean", picked, g.numbers("axis", 0))


EITHER = {POOLED + ":0": "pooled_output"}
HEADS = {
    "the encoder alone": (lambda _: None, EITHER),
    "unstack of a span": (unstack, EITHER | {"unstack:0": "start_logits", "unstack:1": "end_logits"}),
    "split and squeeze": (split, EITHER | {"start:0": "start_logits", "end:0": "end_logits"}),
    "columns of a span": (columns, EITHER | {"start:0": "start_logits", "end:0": "end_logits"}),
    "softmaxes over a span": (
        softmaxes_over_span,
        EITHER | {"start:0": "start_probabilities", "end:0": "end_probabilities"},
    ),
    "softmax": (softmax, EITHER | {"loss/Softmax:0": "probabilities"}),
    "log softmax": (log_softmax, EITHER | {"loss/LogSoftmax:0": "log_probabilities"}),
    "softmax and its class": (
        softmax_and_class,
        EITHER | {"loss/Softmax:0": "probabilities", "class:0": "classes"},
    ),
    "softmax beside a class": (class_of_logits, EITHER | {"loss/Softmax:0": "probabilities", "class:0": "classes"}),
    "sigmoid": (sigmoid, EITHER | {"sigmoid:0": "probabilities"}),
    "logits": (logits, EITHER | {"loss/BiasAdd:0": "logits"}),
    "a score": (squeeze, EITHER | {"score:0": "score"}),
    "one label": (one_label, EITHER | {"sigmoid:0": "probabilities"}),
    "mean": (mean, EITHER | {"mean:0": "sentence_embedding"}),
    "mean of what is not padding": (masked_mean, EITHER | {"mean:0": "sentence_embedding"}),
    "a class for each position": (tokens, EITHER | {"softmax:0": "probabilities", "class:0": "classes"}),
    "an identity behind": (renamed_identity, EITHER | {"probabilities:0": "probabilities"}),
    "a loss that needs labels": (with_labels, EITHER | {"loss/Softmax:0": "probabilities"}),
}
PER_POSITION = {"start_logits", "end_logits", "start_probabilities", "end_probabilities"}


@pytest.fixture
def parsed(tmp_path):
    def read(head, builder=None):
        g = builder or bert_graph(frozen=True, norms=True)[0]
        head(g)
        (tmp_path / "graph.pb").write_bytes(g.graph_def())
        graph = read_graph(tmp_path / "graph.pb")
        return graph, input_roles(graph)

    return read


@pytest.mark.parametrize("name", HEADS)
def test_a_heads_outputs_are_found_and_told_apart(parsed, name):
    head, expected = HEADS[name]
    found = find_outputs(*parsed(head))
    assert {str(output.tensor): output.name for output in found.taken} == expected
    per_position = {output.name for output in found.taken if output.per_position}
    assert per_position == (
        {"probabilities", "classes"} if head is tokens else PER_POSITION & {output.name for output in found.taken}
    )


@pytest.mark.parametrize("name", HEADS)
def test_names_tell_nothing(tmp_path, name):
    head, expected = HEADS[name]
    g = bert_graph(frozen=True, norms=True)[0]
    head(g)
    other, new = g.renamed(7)
    (tmp_path / "graph.pb").write_bytes(other.graph_def())
    graph = read_graph(tmp_path / "graph.pb")
    taken = find_outputs(graph, input_roles(graph)).taken
    wanted = {f"{new[parse_ref(tensor).node]}:{parse_ref(tensor).port}": name for tensor, name in expected.items()}
    assert {str(output.tensor): output.name for output in taken} == wanted


def test_what_is_not_taken_is_told(parsed):
    left = {str(output.tensor): output.name for output in find_outputs(*parsed(softmax)).left}
    assert left == {"loss/BiasAdd:0": "logits", "sequence:0": "sequence_output"}


def test_what_needs_another_input_is_told_and_never_taken(parsed):
    graph, roles = parsed(with_labels)
    loss = next(output for output in find_outputs(graph, roles).left if output.tensor.node == "loss/Mean")
    assert loss.lacks == ("labels:0",)
    assert loss.text.endswith(", needs labels:0")
    with pytest.raises(UnknownOutputsError, match="computed from labels:0 too"):
        find_outputs(graph, roles, "loss/Mean")


def test_two_outputs_of_one_kind_are_not_chosen_between(parsed):
    def heads(g):
        for scope in ("a", "b"):
            g.add(f"{scope}/Softmax", "Softmax", g.dense(scope, POOLED))

    graph, roles = parsed(heads)
    with pytest.raises(UnknownOutputsError, match="a/Softmax:0 and b/Softmax:0 would both be called") as caught:
        find_outputs(graph, roles)
    assert any(line.startswith("a/Softmax:0  probabilities") for line in caught.value.candidates)
    taken = find_outputs(graph, roles, "a/Softmax:first,b/Softmax:0:second").taken
    assert [(str(output.tensor), output.name) for output in taken] == [
        ("a/Softmax:0", "first"),
        ("b/Softmax:0", "second"),
    ]


def test_an_end_of_no_known_kind_is_listed_and_taken_by_name(parsed):
    def head(g):
        g.slice("first", HIDDEN, begin=(0, 0, 0), end=(0, 1, 0), begin_mask=5, end_mask=5)
        g.add("norm", "Softplus", "first")

    graph, roles = parsed(head)
    assert "norm:0" in {str(output.tensor) for output in find_outputs(graph, roles).left}
    (output,) = find_outputs(graph, roles, "norm").taken
    assert (output.name, output.per_position) == ("norm", False)


def test_a_graph_without_an_output_of_a_known_kind_is_refused_with_what_it_has(parsed):
    def cut(g):
        del g.nodes[[node[0] for node in g.nodes].index("pooler/slice") :]
        g.nodes[:] = [node for node in g.nodes if not node[0].startswith("pooler")]
        g.add("strange", "Softplus", HIDDEN)

    with pytest.raises(UnknownOutputsError, match="no output of a known kind") as caught:
        find_outputs(*parsed(cut))
    assert sorted(caught.value.candidates) == ["sequence:0  sequence_output", "strange:0  of no known kind"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("gone", "has no node 'gone'"),
        ("loss/Softmax:a b", "cannot be an output's name"),
        ("loss/Softmax:a/b", "cannot be an output's name"),
        ("loss/Softmax:1", "loss/Softmax of --outputs has no output 1"),
        ("loss/weights", "not computed from the inputs"),
        ("loss/Softmax:x,loss/BiasAdd:x", "would both be called x"),
        ("loss/Softmax,", "has no node ''"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_there_is(parsed, wanted, told):
    with pytest.raises(UnknownOutputsError, match=told) as caught:
        find_outputs(*parsed(softmax), wanted)
    assert "loss/Softmax:0  probabilities" in caught.value.candidates


@pytest.mark.parametrize("name", HEADS)
def test_what_is_written_is_read_again(parsed, name):
    graph, roles = parsed(HEADS[name][0])
    taken = find_outputs(graph, roles).taken
    assert find_outputs(graph, roles, written(taken)).taken == taken


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.data())
def test_a_spoilt_graph_is_read_or_refused_and_nothing_else(tmp_path, data):
    g = bert_graph(frozen=True, norms=True)[0]
    unstack(g)
    content = bytearray(g.graph_def())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "graph.pb").write_bytes(content)
    try:
        graph = read_graph(tmp_path / "graph.pb")
        find_outputs(graph, input_roles(graph))
    except GraphFormatError as error:
        assert str(error)  # noqa: PT017 - either end is right
