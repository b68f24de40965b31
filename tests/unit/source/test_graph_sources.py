from __future__ import annotations

import json

import pytest
from graph_builder import bert_graph, dtype_attr
from saved_model_bytes import meta_graph, saved_model, signature

from bertbuild.errors import CheckpointError, UsageError
from bertbuild.files.digests import DigestCache
from bertbuild.source.graphs import frozen_source, saved_model_source

POOLED = "bert/pooler/dense/Tanh"


@pytest.fixture
def source_of(tmp_path):
    """A function that writes a graph with some heads and reads it as a source."""

    def read(*scopes, wanted="", beside=None, **options):
        g, _ = bert_graph(frozen=True, norms=True, **options)
        for scope in scopes:
            g.add(f"{scope}/Softmax", "Softmax", g.dense(scope, POOLED))
        (tmp_path / "graph.pb").write_bytes(g.graph_def())
        if beside is not None:
            (tmp_path / "signature.json").write_text(beside)
        return frozen_source(tmp_path / "graph.pb", "m", wanted, DigestCache(tmp_path / "digests.json"))[0]

    return read


def recorded(**tensors):
    return json.dumps({"outputs": {name: {"tensor": tensor} for name, tensor in tensors.items()}})


def test_pooled_output_and_probabilities_are_both_taken(source_of):
    source = source_of("loss")
    assert source.tensors == f"{POOLED}:0:pooled_output,loss/Softmax:0:probabilities"
    assert source.chosen == ""
    assert {part.kind: part.taken_by for part in source.parts} == {
        "logits": "--outputs loss/BiasAdd",
        "sequence_output": "--outputs sequence",
    }


def test_a_fixed_shape_is_known_before_any_stage(source_of):
    source = source_of("loss", shape=(4, 8))
    assert (source.batch, source.seq_len) == (4, 8)
    source = source_of("loss", shape=(-1, -1))
    assert (source.batch, source.seq_len) == (None, None)


def test_two_heads_are_refused_with_the_list_of_what_there_is(source_of):
    with pytest.raises(UsageError, match="would both be called probabilities") as caught:
        source_of("a", "b")
    assert caught.value.details.splitlines()[0] == "It could give:"
    assert "b/Softmax:0  probabilities" in caught.value.details
    assert "--outputs NODE[:name]" in caught.value.next_step


def test_named_outputs_are_taken_and_name_the_targets(source_of):
    source = source_of("a", "b", wanted="b/Softmax,a/BiasAdd:scores")
    assert source.tensors == "b/Softmax:0:probabilities,a/BiasAdd:0:scores"
    assert source.chosen == "probabilities+scores"


@pytest.mark.parametrize("wanted", ["nothing", "a/Softmax:x:y", ",", "a/weights", ":", "a/Softmax:99999999999"])
def test_a_name_that_is_none_is_refused(source_of, wanted):
    with pytest.raises(UsageError) as caught:
        source_of("a", wanted=wanted)
    assert caught.value.next_step


def test_an_empty_name_is_none(source_of):
    assert source_of("a", wanted="a/Softmax:").tensors == "a/Softmax:0:probabilities"


def test_the_signature_beside_our_own_graph_says_what_its_outputs_are(source_of):
    source = source_of("a", "b", beside=recorded(first="a/Softmax:0", second="b/Softmax:0"))
    assert source.tensors == "a/Softmax:0:first,b/Softmax:0:second"
    assert source.chosen == ""


UNUSABLE = ["", "[]", "{}", '{"outputs": 3}', '{"outputs": {"a": 3}}', recorded(x="gone:0")]


@pytest.mark.parametrize("beside", [*UNUSABLE, pytest.param("[" * 200_000, id="nested without end")])
def test_a_signature_that_is_not_this_graphs_says_nothing(source_of, beside):
    assert source_of("loss", beside=beside).tensors.endswith("loss/Softmax:0:probabilities")


def test_a_graph_of_float16_products_is_known(tmp_path):
    for dtype, half in (("float32", False), ("float16", True), ("bfloat16", True)):
        g, _ = bert_graph(frozen=True, norms=True)
        nodes = [
            (name, op, inputs, {**attrs, "T": dtype_attr(dtype)} if op == "MatMul" else attrs)
            for name, op, inputs, attrs in g.nodes
        ]
        g.nodes[:] = nodes
        (tmp_path / "graph.pb").write_bytes(g.graph_def())
        source, _ = frozen_source(tmp_path / "graph.pb", "m", "", DigestCache(tmp_path / "digests.json"))
        assert source.half is half


def test_what_is_no_graph_is_refused(tmp_path):
    digests = DigestCache(tmp_path / "digests.json")
    with pytest.raises(CheckpointError, match="is not a file"):
        frozen_source(tmp_path, "m", "", digests)
    (tmp_path / "photo.pb").write_bytes(b"\x89PNG" + bytes(20))
    with pytest.raises(CheckpointError, match=r"photo\.pb"):
        frozen_source(tmp_path / "photo.pb", "m", "", digests)


@pytest.fixture
def saved_source(tmp_path):
    """A function that writes a SavedModel with some heads and reads it as a source."""

    def read(heads, outputs):
        g, fed = bert_graph(norms=True, shape=(-1, 8), gelu="erf")
        heads(g)
        inputs = {role: (f"{tensor}:0", "int32", (-1, 8)) for role, tensor in fed.items()}
        ports = {name: (tensor, "float32", None) for name, tensor in outputs.items()}
        (tmp_path / "saved_model.pb").write_bytes(saved_model(meta_graph(g, signature(inputs, ports))))
        return saved_model_source(tmp_path, "m", DigestCache(tmp_path / "digests.json"))[0]

    return read


def tags_and_score(g):
    g.add("loss/Softmax", "Softmax", g.dense("loss", "sequence", (9, 4)))
    g.add("tags", "ArgMax", "loss/Softmax", g.numbers("axis", -1))
    g.add("score", "Squeeze", g.dense("sts", POOLED, (1, 4)))


def test_a_saved_model_has_the_heads_that_its_graph_tells_under_whatever_names(saved_source):
    source = saved_source(tags_and_score, {"probabilities": "loss/Softmax:0", "out": "score:0", "tags": "tags:0"})
    assert {(head.kind, head.weights, head.bias, head.labels) for head in source.heads} == {
        ("tokens", "loss/weights", "loss/bias", 9),
        ("regression", "sts/weights", "sts/bias", 1),
    }
    assert not any(head.assumed for head in source.heads)
    assert set(source.outputs) == {"probabilities", "score"}
    assert set(source.tensors.split(",")) == {"loss/Softmax:0:probabilities", "score:0:score"}
    assert source.seq_len == 8
    assert {part.kind: part.what for part in source.parts} == {
        "probabilities": "output probabilities",
        "score": "output out",
        "tags:0": "output tags, made by ArgMax, which is no head's answer",
    }


def test_a_saved_model_of_no_known_answer_is_refused_with_what_its_outputs_are(saved_source):
    with pytest.raises(CheckpointError, match="is of a known kind: tags is made by ArgMax") as told:
        saved_source(tags_and_score, {"tags": "tags:0"})
    assert told.value.next_step
