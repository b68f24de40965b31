from __future__ import annotations

import pytest
from graph_builder import GraphBuilder, bert_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saved_model_bytes import INPUTS, UNUSED, meta_graph, saved_model, signature

from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.saved_model import ROLES, Port, read_saved_model
from bertbuild.graph.wire import encode_bytes


@pytest.fixture
def read(tmp_path):
    """Reads a folder whose saved_model.pb has some bytes; by default a whole one."""

    def written(content=None):
        (tmp_path / "saved_model.pb").write_bytes(saved_model(meta_graph()) if content is None else content)
        return read_saved_model(tmp_path)

    return written


def test_graph_and_ports_are_read(read):
    model = read(saved_model(meta_graph(None, signature({**INPUTS, **UNUSED}))))
    assert model.graph.tensorflow_version == "1.15.5"
    assert model.graph.nodes["bert/pooler/dense/Tanh"].op == "Tanh"
    assert model.inputs["input_ids"] == Port("input_ids:0", "int32", (-1, 128))
    assert model.inputs["label_ids"] == Port("label_ids:0", "int32", (-1,))
    assert list(model.outputs.values()) == [Port("loss/Softmax:0", "float32", (-1, 2))]


def test_an_unknown_rank_is_none(read):
    model = read(saved_model(meta_graph(None, signature(outputs={"probabilities": ("p:0", "float32", None)}))))
    assert model.outputs["probabilities"].shape is None


def test_of_two_graphs_the_one_for_serving_is_read(read):
    training = GraphBuilder()
    training.add("loss", "Placeholder")
    model = read(saved_model(meta_graph(training, tag="train"), meta_graph()))
    assert "bert/pooler/dense/Tanh" in model.graph.nodes


def test_the_only_graph_is_read_whatever_its_tag(read):
    assert "bert/pooler/dense/Tanh" in read(saved_model(meta_graph(tag="predict"))).graph.nodes


@pytest.mark.parametrize("graphs", [(), (meta_graph(), meta_graph()), (meta_graph(tag="a"), meta_graph(tag="b"))])
def test_no_graph_or_several_are_refused_with_their_number(read, graphs):
    with pytest.raises(GraphFormatError, match=f"holds {len(graphs)} graphs for serving; one is needed"):
        read(saved_model(*graphs))


def test_the_default_signature_is_read_among_others(read):
    other = signature({}, {"y": ("y:0", "float32", ())}, name="other")
    assert list(read(saved_model(meta_graph(None, other, signature()))).outputs) == ["probabilities"]


def test_the_only_signature_is_read_whatever_its_name(read):
    assert list(read(saved_model(meta_graph(None, signature(name="predict")))).outputs) == ["probabilities"]


@pytest.mark.parametrize(("names", "told"), [((), "none"), (("b", "a"), "b, a")])
def test_without_a_default_signature_those_found_are_told(read, names, told):
    signatures = [signature(name=name) for name in names] or [b""]
    with pytest.raises(GraphFormatError, match=rf"no signature serving_default \(found: {told}\)"):
        read(saved_model(meta_graph(None, *signatures)))


def test_roles_are_the_signatures(read):
    inputs = {role: (f"x{index}:0", "int32", (-1, 128)) for index, role in enumerate(ROLES)}
    model = read(saved_model(meta_graph(None, signature(inputs))))
    assert model.roles() == {"input_ids": "x0:0", "input_mask": "x1:0", "segment_ids": "x2:0"}


def test_roles_are_traced_where_the_signature_has_other_names(read):
    builder, source = bert_graph(placeholder_order=("segment_ids", "input_ids", "input_mask"))
    inputs = {label: (f"{tensor}:0", "int32", (-1, 8)) for label, tensor in zip("abc", source.values(), strict=True)}
    model = read(saved_model(meta_graph(builder, signature(inputs))))
    assert model.roles() == {role: f"{tensor}:0" for role, tensor in source.items()}
    assert model.fixed_size(1) == 8


def test_roles_that_are_nowhere_are_refused(read):
    builder = GraphBuilder()
    builder.add("x", "Placeholder")
    with pytest.raises(GraphFormatError):
        read(saved_model(meta_graph(builder, signature({"x": ("x:0", "float32", (-1,))})))).roles()


def shaped(*shapes):
    return {role: (f"{role}:0", "int32", shape) for role, shape in zip(ROLES, shapes, strict=True)}


@pytest.mark.parametrize(
    ("shapes", "batch", "length"),
    [
        ([(-1, 128)] * 3, None, 128),
        ([(4, 64)] * 3, 4, 64),
        ([(-1, -1)] * 3, None, None),
        ([None] * 3, None, None),
        ([(-1, 128), None, (-1, -1)], None, 128),
        ([(8,), (-1,), (-1, 16)], None, 16),
    ],
)
def test_sizes_are_fixed_where_an_input_says_so(read, shapes, batch, length):
    model = read(saved_model(meta_graph(None, signature(shaped(*shapes)))))
    assert (model.fixed_size(0), model.fixed_size(1)) == (batch, length)


def test_inputs_that_disagree_on_their_size_are_refused(read):
    model = read(saved_model(meta_graph(None, signature(shaped((-1, 64), (-1, 128), (-1, 64))))))
    with pytest.raises(GraphFormatError, match=r"disagree on their shape: \[64, 128\]"):
        model.fixed_size(1)


@pytest.mark.parametrize("op", ["StatefulPartitionedCall", "PartitionedCall"])
def test_functions_of_tensorflow_2_are_refused(read, op):
    builder = GraphBuilder()
    builder.add("serving_default_input_ids", "Placeholder")
    builder.add("StatefulPartitionedCall", op, "serving_default_input_ids")
    with pytest.raises(GraphFormatError, match="TensorFlow 2, whose functions TensorFlow 1 cannot take apart"):
        read(saved_model(meta_graph(builder)))


def test_a_folder_without_one_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(GraphFormatError, match=r"is not a SavedModel: it has no saved_model\.pb"):
            read_saved_model(str(folder))


def dangling():
    builder = GraphBuilder()
    builder.add("x", "Identity", "gone")
    return saved_model(meta_graph(builder))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "saved_model.pb is empty"),
        (b"hello, world\n", "saved_model.pb"),
        (b"\x00" * 100, "not a whole SavedModel"),
        (saved_model(encode_bytes(1, b"")), "holds no graph nodes"),
        (dangling(), "incomplete: x reads gone"),
        (saved_model(meta_graph(None, encode_bytes(5, encode_bytes(1, b"\xff\xfe")))), "not a whole SavedModel"),
    ],
)
def test_what_is_no_saved_model_is_refused(read, content, told):
    with pytest.raises(GraphFormatError, match=told):
        read(content)


def test_a_truncated_one_never_passes(read):
    content = saved_model(meta_graph())
    for length in range(0, len(content), 7):
        with pytest.raises(GraphFormatError, match=r"saved_model\.pb"):
            read(content[:length])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_a_spoilt_one_is_read_or_refused_and_nothing_else(read, data):
    content = bytearray(saved_model(meta_graph()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        model = read(bytes(content))
        model.roles()
        model.fixed_size(1)
    except GraphFormatError as error:
        assert str(error)  # noqa: PT017 - either end is right


def test_outputs_are_those_of_the_signature_or_those_that_are_named(read):
    model = read(saved_model(meta_graph()))
    assert model.given() == {"probabilities": "loss/Softmax:0"}
    assert model.given("a:0:start_logits,b/c:1:end_logits") == {"start_logits": "a:0", "end_logits": "b/c:1"}
