from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.object_graph import SAVE_COUNTER, VALUE, encode_object_graph, read_variables, value_key
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import LENGTH_DELIMITED, encode_bytes, encode_number, fields

PARTS = st.one_of(st.sampled_from(("a", "b", "a/b", "a.b", ".S", "..", "layer_with_weights-0")), st.text(min_size=1))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(tuple)

TENSORFLOW = bytes.fromhex(
    "0a250a0508011201620a0508011201630a0908021205782e792f7a0a061204726f6f742a0208010a110a0508031201760a04120275702a"
    "0208010a3f12390a0e5641524941424c455f56414c554512036f64641a22782e2e792e537a2f2e415454524942555445532f5641524941"
    "424c455f56414c55452a0208010a3912330a0e5641524941424c455f56414c554512016e1a1e622f762f2e415454524942555445532f56"
    "41524941424c455f56414c55452a020801"
)
"""Of a module `root` with a module `b`, also called `c`, that has a variable `v` and refers back to the root as `up`;
and with a variable `x.y/z`; as tf.train.Checkpoint of TensorFlow 2.20 wrote it."""


@pytest.fixture
def reading(tmp_path):
    """A function that writes an object graph into a checkpoint and reads it back."""

    def read(message):
        write_checkpoint(tmp_path / "m", {OBJECT_GRAPH_KEY: message})
        return read_variables(CheckpointReader(tmp_path / "m"))

    return read


@settings(max_examples=30)
@given(st.sets(PATHS, max_size=8))
@example({("a", "b"), ("a",)})
def test_every_variable_is_found_where_it_was_put(tmp_path_factory, paths):
    prefix = tmp_path_factory.mktemp("graph") / "m"
    write_checkpoint(prefix, {OBJECT_GRAPH_KEY: encode_object_graph(dict.fromkeys(paths, "name"))})
    assert read_variables(CheckpointReader(prefix)) == {path: value_key(path) for path in paths}


@given(st.sets(PATHS, min_size=2))
def test_two_variables_never_share_a_key(paths):
    assert len({value_key(path) for path in paths}) == len(paths)


def test_keys_escape_names_as_tensorflow_does():
    assert value_key(("masked_lm", "output_bias/bias")) == f"masked_lm/output_bias.Sbias/.ATTRIBUTES/{VALUE}"
    assert value_key(("next_sentence.pooler_dense", "bias")) == f"next_sentence..pooler_dense/bias/.ATTRIBUTES/{VALUE}"
    assert value_key(SAVE_COUNTER) == f"save_counter/.ATTRIBUTES/{VALUE}"


def test_a_graph_of_tensorflows_is_read_with_its_aliases_and_without_going_in_circles(reading):
    assert reading(TENSORFLOW) == {
        ("b", "v"): f"b/v/.ATTRIBUTES/{VALUE}",
        ("c", "v"): f"b/v/.ATTRIBUTES/{VALUE}",
        ("x.y/z",): f"x..y.Sz/.ATTRIBUTES/{VALUE}",
    }


def test_an_alias_is_another_way_to_the_same_objects(reading):
    variables = {("encoder", "pooler", "kernel"): "pooler_transform/kernel", ("encoder", "norm"): "norm"}
    aliases = {("model",): ("encoder",), ("encoder", "_pooler_layer"): ("encoder", "pooler")}
    found = reading(encode_object_graph(variables, aliases))
    kernel = value_key(("encoder", "pooler", "kernel"))
    assert {path for path, key in found.items() if key == kernel} == {
        (root, pooler, "kernel") for root in ("encoder", "model") for pooler in ("pooler", "_pooler_layer")
    }
    assert found["model", "norm"] == value_key(("encoder", "norm"))
    assert len(found) == 6


def test_an_object_that_refers_back_to_one_above_it_is_walked_once(reading):
    found = reading(encode_object_graph({("a", "b", "v"): "v"}, {("a", "b", "up"): ("a",)}))
    assert found == {("a", "b", "v"): value_key(("a", "b", "v"))}


def test_the_variables_own_names_are_written_for_checkpoints_that_are_matched_by_name():
    message = encode_object_graph({("encoder", "kernel"): "pooler_transform/kernel"})
    assert b"\x12" + bytes([len("pooler_transform/kernel")]) + b"pooler_transform/kernel" in message


def test_attributes_other_than_a_variables_value_are_none(reading):
    texts = ("OBJECT_CONFIG_JSON", "x", "x/.ATTRIBUTES/OBJECT_CONFIG_JSON")
    attribute = b"".join(encode_bytes(at, text.encode()) for at, text in enumerate(texts, 1))
    assert reading(encode_bytes(1, encode_bytes(2, attribute) + encode_number(9, 1))) == {}


def test_every_truncation_of_a_graph_is_noticed(reading):
    for length in range(len(TENSORFLOW)):
        with pytest.raises(CheckpointError, match=r"The object graph of the checkpoint .* is damaged") as raised:
            reading(TENSORFLOW[:length])
        assert raised.value.next_step


@pytest.mark.parametrize(
    "message",
    [
        b"",
        encode_bytes(1, encode_bytes(1, encode_number(1, 5) + encode_bytes(2, b"gone"))),
        encode_bytes(1, encode_bytes(1, encode_number(1, -1) + encode_bytes(2, b"before"))),
        encode_bytes(1, encode_bytes(1, encode_number(1, 0) + encode_bytes(2, b"\xff"))),
    ],
    ids=["no node", "a child that is not there", "a child below 0", "a name that is not text"],
)
def test_graphs_that_cannot_be_are_refused(reading, message):
    with pytest.raises(CheckpointError, match="is damaged"):
        reading(message)


@settings(max_examples=50)
@given(place=st.integers(0, len(TENSORFLOW) - 1), value=st.integers(0, 255))
def test_a_changed_byte_leads_to_an_answer_or_to_the_error_that_is_meant_for_it(tmp_path_factory, place, value):
    changed = TENSORFLOW[:place] + bytes([value]) + TENSORFLOW[place + 1 :]
    prefix = tmp_path_factory.mktemp("changed") / "m"
    write_checkpoint(prefix, {OBJECT_GRAPH_KEY: changed})
    try:
        told = read_variables(CheckpointReader(prefix)).values()
    except CheckpointError as error:
        told = [str(error)]
    assert all("is damaged" in text or len(text) <= len(TENSORFLOW) for text in told)


def test_a_checkpoint_of_tensorflow_1_has_no_object_graph(tiny):
    with pytest.raises(CheckpointError, match="has no scalar string _CHECKPOINTABLE_OBJECT_GRAPH"):
        read_variables(CheckpointReader(tiny / "bert_model.ckpt"))


def test_a_graph_is_a_run_of_nodes():
    message = encode_object_graph({("a",): "x", ("b", "c"): "y"})
    assert [(item.number, item.wire_type) for item in fields(message)] == [(1, LENGTH_DELIMITED)] * 4
