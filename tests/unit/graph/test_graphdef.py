from __future__ import annotations

import pathlib
import struct

import pytest
from graph_builder import (
    GraphBuilder,
    bert_graph,
    dtype_attr,
    float_attr,
    node_message,
    shape_attr,
    shape_message,
    tensor_attr,
)

from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.node import GraphFormatError, TensorRef, parse_ref
from bertbuild.graph.wire import encode_bytes, encode_number

DATA = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "data" / "checkpoints"


def written(tmp_path, content):
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    return path


def test_nodes_have_names_operators_and_inputs(tmp_path):
    builder = GraphBuilder()
    builder.add("x", "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr((-1, 128)))
    builder.add("y", "Split", "x:0")
    builder.add("z", "Identity", "y:1", "^x")
    graph = read_graph(written(tmp_path, builder.graph_def()))
    assert list(graph.nodes) == ["x", "y", "z"]
    assert graph.nodes["z"].op == "Identity"
    assert graph.nodes["z"].inputs == ("y:1", "^x")
    assert graph.nodes["z"].data_inputs == (TensorRef("y", 1),)
    assert graph.consumers(TensorRef("y", 1)) == [graph.nodes["z"]]
    assert graph.consumers(TensorRef("y", 0)) == []
    assert set(graph.ancestors(TensorRef("z", 0))) == {"x", "y", "z"}
    assert graph.nodes["x"].dtype() == "int32"
    assert graph.nodes["x"].shape() == (-1, 128)
    assert graph.nodes["z"].dtype() is None
    assert graph.nodes["z"].shape() is None
    assert graph.nodes["z"].tensor_dtype() is None
    assert graph.nodes["z"].tensor_shape() is None
    assert graph.nodes["z"].values() is None


def test_an_unknown_rank_is_none(tmp_path):
    builder = GraphBuilder()
    builder.add("x", "Placeholder", shape=shape_attr(None))
    assert read_graph(written(tmp_path, builder.graph_def())).nodes["x"].shape() is None


def test_ports_of_an_iterator_have_types_and_shapes(tmp_path):
    types = encode_bytes(1, encode_bytes(6, bytes([3, 9])))
    shapes = encode_bytes(1, encode_bytes(7, shape_message((-1, 8))) + encode_bytes(7, shape_message(None)))
    builder = GraphBuilder()
    builder.add("next", "IteratorGetNext", output_types=types, output_shapes=shapes)
    node = read_graph(written(tmp_path, builder.graph_def())).nodes["next"]
    assert node.output_types() == ("int32", "int64")
    assert node.output_shapes() == ((-1, 8), None)
    assert node.shape() is None


@pytest.mark.parametrize(
    ("value", "dtype", "shape", "numbers"),
    [
        (float_attr(-10000.0), "float32", (), (-10000.0,)),
        (tensor_attr("int32", (3,), struct.pack("<3i", 1, -1, 4)), "int32", (3,), (1, -1, 4)),
        (tensor_attr("int64", (), struct.pack("<q", -5)), "int64", (), (-5,)),
        (tensor_attr("float64", (1,), struct.pack("<d", 0.25)), "float64", (1,), (0.25,)),
        (encode_bytes(8, encode_number(1, 3) + encode_bytes(2, b"") + encode_number(7, -1)), "int32", (), (-1,)),
        (encode_bytes(8, encode_number(1, 9) + encode_bytes(10, b"\x07\x08")), "int64", (), (7, 8)),
        (encode_bytes(8, encode_number(1, 1) + b"\x2d" + struct.pack("<f", 1.5)), "float32", (), (1.5,)),
        (tensor_attr("string", (2,)), "string", (2,), None),
        (tensor_attr("float16", (2,), struct.pack("<2e", -10000.0, 0.5)), "float16", (2,), (-10000.0, 0.5)),
        (encode_bytes(8, encode_number(1, 19) + encode_number(13, 0x3C00)), "float16", (), (1.0,)),
        (tensor_attr("bfloat16", (2,), struct.pack("<2H", 0x3F80, 0xC61C)), "bfloat16", (2,), (1.0, -9984.0)),
        (encode_bytes(8, encode_number(1, 14) + encode_bytes(13, b"\x80\x7f")), "bfloat16", (), (1.0,)),
    ],
)
def test_small_constants_tell_their_numbers(tmp_path, value, dtype, shape, numbers):
    builder = GraphBuilder()
    builder.add("c", "Const", value=value)
    node = read_graph(written(tmp_path, builder.graph_def())).nodes["c"]
    assert node.tensor_dtype() == dtype
    assert node.tensor_shape() == shape
    assert node.values() == numbers
    assert node.scalar() == (numbers[0] if numbers and len(numbers) == 1 else None)


def test_large_constants_keep_only_dtype_and_shape(tmp_path):
    builder = GraphBuilder()
    builder.add("w", "Const", dtype=dtype_attr("float32"), value=tensor_attr("float32", (100, 50), bytes(20_000)))
    node = read_graph(written(tmp_path, builder.graph_def())).nodes["w"]
    assert node.tensor_dtype() == "float32"
    assert node.tensor_shape() == (100, 50)
    assert node.values() is None
    assert sum(map(len, node._attributes.values())) < 100


def test_a_meta_graph_also_tells_version_and_saver(tmp_path):
    builder, _ = bert_graph()
    graph = read_meta_graph(written(tmp_path, builder.meta_graph("1.12.0-rc0")))
    assert len(graph.nodes) == len(builder.nodes)
    assert graph.tensorflow_version == "1.12.0-rc0"
    assert graph.producer == 27
    assert graph.saver_filename_tensor == "save/Const:0"
    assert graph.saver_restore_op == "save/restore_all"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        b"\x00" * 100,
        encode_number(7, 1),
        node_message("x", "Placeholder") * 2,
        node_message("x", "Identity", ["gone"]),
        node_message("x", "Identity", ["^gone"]),
        node_message("", "Placeholder"),
        node_message("x", ""),
        encode_bytes(1, encode_bytes(1, b"\xff\xfe") + encode_bytes(2, b"NoOp")),
    ],
)
def test_what_is_no_graph_is_refused(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(GraphFormatError, match=r"graph\.pb"):
        read_graph(path)
    with pytest.raises(GraphFormatError, match=r"graph\.pb"):
        read_meta_graph(path)


def test_a_malformed_attribute_is_refused_when_it_is_asked_for(tmp_path):
    builder = GraphBuilder()
    builder.add(
        "x", "Placeholder", dtype=b"\x08", shape=encode_bytes(7, b"\x12\x05"), value=tensor_attr("int32", (1,), b"abc")
    )
    builder.add("y", "Const", value=encode_bytes(8, encode_number(1, 3) + encode_bytes(7, b"\x80")))
    graph = read_graph(written(tmp_path, builder.graph_def()))
    for ask in (graph.nodes["x"].dtype, graph.nodes["x"].shape, graph.nodes["x"].values, graph.nodes["y"].values):
        with pytest.raises(GraphFormatError):
            ask()


def test_a_truncated_meta_graph_never_passes(tmp_path):
    content = bert_graph()[0].meta_graph()
    whole = len(read_meta_graph(written(tmp_path, content)).nodes)
    for length in range(0, len(content), 7):
        path = written(tmp_path, content[:length])
        try:
            graph = read_meta_graph(path)
        except GraphFormatError:
            continue
        assert len(graph.nodes) == whole  # only what follows the graph (the saver) may be lacking


@pytest.mark.parametrize(
    ("text", "ref"), [("a", ("a", 0)), ("a/b:3", ("a/b", 3)), ("a:b", ("a:b", 0)), ("a:²", ("a:²", 0))]
)
def test_references_are_parsed(text, ref):
    assert parse_ref(text) == ref
    assert str(TensorRef("a", 2)) == "a:2"


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared checkpoints are not here")
def test_a_published_meta_is_read_whole():
    graph = read_meta_graph(DATA / "chinese_L-12_H-768_A-12_without_data" / "bert_model.ckpt.meta")
    assert len(graph.nodes) == 3545
    assert sum(node.op == "VariableV2" for node in graph.nodes.values()) == 206
    assert graph.tensorflow_version == "1.12.0-rc0"
