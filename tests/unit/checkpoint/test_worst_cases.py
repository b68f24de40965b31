"""Small files of the other formats that would cost much: each is read, or refused by the bound that it breaks."""

from __future__ import annotations

import contextlib
import io
import json
import math
import pickle
import struct
import zipfile

import numpy as np
import pytest
from bounded import within
from first_format import write_v1
from graph_builder import bert_graph, dtype_attr, node_message, shape_attr, tensor_attr
from torch_files import state_dict, tensor, write_zip

from bertbuild.buildfile.load import load_build_file
from bertbuild.checkpoint import v1
from bertbuild.checkpoint.table import read_table, write_table
from bertbuild.checkpoint.v1 import V1Reader
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.graph import graphdef, saved_model
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.geometry import head_size, layer_norm_epsilon
from bertbuild.graph.graphdef import parse_graph
from bertbuild.graph.head_tracing import trace_heads
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.roles import input_roles
from bertbuild.graph.wire import encode_bytes, encode_number, fields
from bertbuild.huggingface import safetensors, torch_files
from bertbuild.huggingface.pickles import PickleError, read_pickle
from bertbuild.json_text import parse_json
from bertbuild.toml import document

MANY = 600
TABLE = {"dtype": dtype_attr("float32"), "shape": shape_attr([30, 8])}
NUMBER = {"dtype": dtype_attr("float32"), "value": tensor_attr("float32", [], struct.pack("<f", 0.044715))}


def graph_def(*nodes):
    return b"".join(node_message(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes)


def chain(op, name, first, length=MANY):
    """Nodes in a row, each of which reads the one before twice."""
    yield (f"{name}0", op, [first, first])
    for number in range(1, length):
        yield (f"{name}{number}", op, [f"{name}{number - 1}"] * 2)


GRAPHS = {
    "many lookups that many sums join": [
        ("ids", "Placeholder", []),
        ("table", "VariableV2", [], TABLE),
        *((f"picked{number}", "Gather", ["table", "ids"]) for number in range(MANY)),
        ("joined", "AddN", [f"picked{number}" for number in range(MANY)]),
        *chain("Add", "sum", "joined"),
    ],
    "many lookups behind many names of one table": [
        ("ids", "Placeholder", []),
        ("table", "VariableV2", [], TABLE),
        *chain("Identity", "name", "table"),
        *((f"picked{number}", "Gather", [f"name{MANY - 1}", "ids"]) for number in range(MANY)),
    ],
    "many softmaxes behind many products": [
        ("x", "Placeholder", []),
        *chain("Mul", "product", "x"),
        ("scores", "Add", [f"product{MANY - 1}"] * 2),
        *((f"softmax{number}", "Softmax", ["scores"]) for number in range(MANY)),
    ],
    "many softmaxes behind many sums": [
        ("x", "Placeholder", []),
        *chain("Add", "sum", "x"),
        *((f"softmax{number}", "Softmax", [f"sum{MANY - 1}"]) for number in range(MANY)),
    ],
    "many tanhs behind many products": [
        ("x", "Const", [], NUMBER),
        *chain("Mul", "product", "x"),
        *((f"tanh{number}", "Tanh", [f"product{MANY - 1}"]) for number in range(MANY)),
    ],
    "many roots behind many names": [
        ("x", "Placeholder", []),
        *chain("Identity", "name", "x"),
        *((f"root{number}", "Rsqrt", [f"name{MANY - 1}"]) for number in range(MANY)),
    ],
    "many norms of one wide product": [
        ("x", "Placeholder", []),
        ("root", "Rsqrt", ["x"]),
        ("wide", "Mul", ["x", "root"] * MANY),
        *((f"norm{number}", "Add", ["wide", "wide"]) for number in range(MANY)),
    ],
}


@pytest.mark.parametrize("name", GRAPHS)
def test_no_question_on_a_graph_takes_the_square_of_its_size(name, monkeypatch):
    monkeypatch.setattr(graphdef, "_MOST_STEPS", 2000)
    content = graph_def(*GRAPHS[name])
    for ask in (input_roles, head_size, layer_norm_epsilon, gelu_form, trace_heads):
        graph = parse_graph(content)
        with within(size=len(content), steps=300 * len(graph.nodes)), contextlib.suppress(GraphFormatError):
            ask(graph)
        assert graph._steps <= 2000 + (graphdef._STEPS_OF_NODE + 2) * len(graph.nodes) + 1


def test_the_refusal_says_which_bound(monkeypatch):
    monkeypatch.setattr(graphdef, "_MOST_STEPS", 2000)
    graph = parse_graph(graph_def(*GRAPHS["many lookups behind many names of one table"]))
    with pytest.raises(GraphFormatError, match=r"edges takes over \d+ steps, the most that are taken"):
        input_roles(graph)


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_berts_graph_is_far_from_that_bound(size):
    graph = parse_graph(bert_graph(gelu="tanh", norms=True, layers=2 if size == "small" else 24)[0].graph_def())
    for ask in (input_roles, gelu_form, trace_heads):
        ask(graph)
    assert graph._steps < graphdef._MOST_STEPS / 10


def test_more_nodes_than_their_file_may_take_in_memory_are_refused(monkeypatch):
    monkeypatch.setattr(graphdef, "_MOST_MEMORY", 10_000)
    content = graph_def(*((f"{number:x}", "A", []) for number in range(2000)))
    with within(size=len(content), steps=300_000), pytest.raises(GraphFormatError, match="bytes of memory, the most"):
        parse_graph(content)
    assert len(parse_graph(graph_def(*((f"a node with a name {'o' * 40} {n}", "NoOp", []) for n in range(500)))).nodes)


@pytest.mark.parametrize("what", ["inputs", "attributes"])
def test_a_node_of_more_inputs_or_attributes_than_any_is_refused(what, monkeypatch):
    monkeypatch.setattr(graphdef, "_MOST_INPUTS", 600)
    monkeypatch.setattr(graphdef, "_MOST_ATTRIBUTES", 500)
    parts = [(3, b"a") if what == "inputs" else (5, encode_bytes(1, b"%d" % number)) for number in range(9000)]
    more = b"".join(encode_bytes(*part) for part in parts)
    node = encode_bytes(1, encode_bytes(1, b"n") + encode_bytes(2, b"A") + more)
    with within(size=len(node), steps=60_000), pytest.raises(GraphFormatError, match="600 inputs or 500 attributes"):
        parse_graph(node)


def test_a_saved_model_is_held_to_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(graphdef, "_MOST_MEMORY", 10_000)
    nodes = graph_def(*((f"{number:x}", "A", []) for number in range(500)))
    meta = encode_bytes(1, encode_bytes(4, b"serve")) + encode_bytes(2, nodes)
    (tmp_path / "saved_model.pb").write_bytes(encode_number(1, 1) + encode_bytes(2, meta))
    with pytest.raises(GraphFormatError, match="bytes of memory, the most"):
        saved_model.read_saved_model(tmp_path)


def tensors_file(tmp_path, header, size=0):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    return path


def test_a_header_of_more_tensors_than_any_model_has_is_refused(tmp_path, monkeypatch):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    monkeypatch.setattr(safetensors, "_MOST_TENSORS", 1000)
    path = tensors_file(tmp_path, {f"{number}": entry for number in range(1001)})
    with (
        within(size=path.stat().st_size, steps=100_000),
        pytest.raises(CheckpointError, match="more than 1000 tensors"),
    ):
        safetensors.read_safetensors(path)
    path = tensors_file(tmp_path, {f"{number}": entry for number in range(1000)})
    assert len(safetensors.read_safetensors(path)) == 1000


def test_a_header_of_nothing_but_brackets_is_refused_unparsed(tmp_path):
    path = tensors_file(tmp_path, b'{"a":[' + b"[]," * 500_000 + b"[]]}")
    with within(size=path.stat().st_size, steps=10_000), pytest.raises(CheckpointError, match="more than 400000 lists"):
        safetensors.read_safetensors(path)


def test_json_of_many_lists_and_objects_takes_the_memory_that_is_stated():
    text = '{"a":1},'
    whole = "[" + text * 399_000 + "0]"
    with within(size=len(whole), steps=100_000):
        assert len(parse_json(whole)) == 399_001
    with pytest.raises(ValueError, match="more than 400000 lists and objects, the most that are read"):
        parse_json("[" + text * (399_000 * 3) + "0]")


def test_json_of_one_list_in_many_bytes_is_read_however_large():
    whole = json.dumps([["x" * 40]] * 500_000)
    assert len(parse_json(whole)) == 500_000


def test_a_first_format_of_more_tensors_or_parts_than_any_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(v1, "_MOST_TENSORS", 3)
    write_v1(tmp_path / "few", {f"{number}": np.zeros(2, np.float32) for number in range(3)})
    assert len(V1Reader([tmp_path / "few"]).entries) == 3
    write_v1(tmp_path / "many", {f"{number}": np.zeros(2, np.float32) for number in range(4)})
    with pytest.raises(CheckpointError, match="more than 3 tensors, the most that are read"):
        V1Reader([tmp_path / "many"])
    entries = read_table((tmp_path / "few").read_bytes())
    part = encode_bytes(4, encode_bytes(1, encode_number(1, 0) + encode_number(2, 0)))
    tensors = next(entries[0][1][field.start : field.end] for field in fields(entries[0][1]) if field.number == 1)
    first = next(tensors[field.start : field.end] for field in fields(tensors) if field.number == 1)
    (tmp_path / "parts").write_bytes(
        write_table([(b"", encode_bytes(1, encode_bytes(1, first + part * 4))), *entries[1:]])
    )
    with pytest.raises(CheckpointError, match="more than 3 parts, the most that are read"):
        V1Reader([tmp_path / "parts"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 1\n" * 50_000, "more than 262144 characters, the most that are read"),
        ("a." * 100 + "b = 1", "a key of more than 64 parts, the most that are read"),
        ("[" + "a." * 100 + "b]", "a key of more than 64 parts"),
        ("x = {" + '"a" . ' * 100 + "b = 1}", "a key of more than 64 parts"),
    ],
)
def test_toml_that_would_take_long_is_refused_unparsed(tmp_path, text, words):
    path = tmp_path / "bertbuild.toml"
    path.write_text(text)
    with within(size=len(text), steps=50_000), pytest.raises(UsageError, match=words):
        load_build_file(path)


def test_the_line_of_a_value_among_very_many_is_looked_for_with_patience_that_ends(tmp_path, monkeypatch):
    """What is open at the end of each of these lines is closed by none of the endings that are tried."""
    monkeypatch.setattr(document, "_MOST_PARSED", 20_000)
    text = "a = [[[[[[\n" + "1,\n" * 800 + "]]]]]]\nb = 2\n"
    found = document.Document(path=tmp_path / "x", text=text, values={"a": [[[[[[1] * 800]]]]], "b": 2})
    with within(size=len(text), steps=1_000_000):
        assert 1 <= found.line(("b",)) <= text.count("\n") + 1


def test_a_text_of_a_pickle_that_is_said_to_be_longer_than_its_file_makes_no_room_for_it():
    content = b"\x80\x02X" + struct.pack("<I", 0x7FFF_0000) + b"abc"
    with within(size=len(content), steps=20_000), pytest.raises(PickleError):
        read_pickle(io.BytesIO(content))
    assert read_pickle(io.BytesIO(pickle.dumps([1, "two"], 2) + b"behind")) == [1, "two"]


def test_a_storage_is_held_against_its_checksum_once_however_many_tensors_use_it(tmp_path, monkeypatch):
    value = np.arange(4, dtype=np.float32)
    entries = {f"t{number}": tensor("0", value) for number in range(300)}
    write_zip(tmp_path / "t", state_dict(entries), {"0": value.tobytes()})
    counted = []
    whole = torch_files._checksum
    monkeypatch.setattr(torch_files, "_checksum", lambda *args: counted.append(args) or whole(*args))
    assert len(torch_files.read_torch(tmp_path / "t")) == 300
    assert len(counted) <= 3


@pytest.mark.parametrize("kind", ["large", "lying"])
def test_a_zip_of_pytorch_whose_directory_is_not_what_it_says_is_refused(tmp_path, kind):
    path = tmp_path / "t"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\5\6")
    form, offset, value = ("<I", 12, 5 << 20) if kind == "large" else ("<H", 10, 9)
    struct.pack_into(form, content, place + offset, value)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="most that are read" if kind == "large" else "directory is damaged"):
        torch_files.read_torch(path)


def test_the_bounds_of_memory_are_what_the_docs_say():
    assert (graphdef._MOST_MEMORY, graphdef._GROWTH) == (100_000_000, 8)
    assert math.isclose(safetensors._MOST_TENSORS, v1._MOST_TENSORS)
