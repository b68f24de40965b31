"""The canonical hash: blind to order where there is none, and to nothing else."""

from __future__ import annotations

import pytest

from bertbuild.errors import StoreError
from bertbuild.gate.graph_hash import graph_hash, graph_kind
from bertbuild.graph.wire import encode_bytes, encode_number

VALUE, TYPE = encode_bytes(8, encode_bytes(4, b"\x01\x02\x03\x04")), encode_number(6, 1)


def node(name, inputs=(), attrs=None):
    message = encode_bytes(1, name.encode()) + encode_bytes(2, b"Op")
    message += b"".join(encode_bytes(3, text.encode()) for text in inputs)
    return message + entries(5, attrs or {})


def entries(number, values):
    """A map field."""
    return b"".join(
        encode_bytes(number, encode_bytes(1, key.encode()) + encode_bytes(2, value)) for key, value in values.items()
    )


def graph(*nodes, functions=()):
    library = b"".join(encode_bytes(1, function) for function in functions)
    return b"".join(encode_bytes(1, entry) for entry in nodes) + (encode_bytes(2, library) if library else b"")


def saved_model(graph_def, signatures):
    return encode_number(1, 1) + encode_bytes(2, encode_bytes(2, graph_def) + entries(5, signatures))


def function(*nodes, returned):
    return encode_bytes(1, b"signature") + b"".join(encode_bytes(3, entry) for entry in nodes) + entries(4, returned)


A, B = node("a", attrs={"value": VALUE, "dtype": TYPE}), node("b", ["a", "c:1", "^x", "^y"])
SAME = {
    "nodes": (graph(A, B), graph(B, A)),
    "attributes": (graph(A), graph(node("a", attrs={"dtype": TYPE, "value": VALUE}))),
    "control inputs": (graph(B), graph(node("b", ["a", "c:1", "^y", "^x"]))),
    "attributes of a function that is called": (
        graph(node("a", attrs={"f": encode_bytes(10, encode_bytes(1, b"g") + entries(2, {"p": TYPE, "q": VALUE}))})),
        graph(node("a", attrs={"f": encode_bytes(10, encode_bytes(1, b"g") + entries(2, {"q": VALUE, "p": TYPE}))})),
    ),
    "functions, their nodes and results": (
        graph(A, functions=[function(A, B, returned={"x": b"1", "y": b"2"}), b""]),
        graph(A, functions=[b"", function(B, A, returned={"y": b"2", "x": b"1"})]),
    ),
}
OTHER = {
    "a byte of a constant": (graph(A), graph(node("a", attrs={"value": VALUE[:-1] + b"\x05", "dtype": TYPE}))),
    "a node more": (graph(A), graph(A, B)),
    "a node twice": (graph(A), graph(A, A)),
    "data inputs": (graph(B), graph(node("b", ["c:1", "a", "^x", "^y"]))),
    "a name": (graph(A), graph(node("aa", attrs={"value": VALUE, "dtype": TYPE}))),
    "an attribute's name": (graph(A), graph(node("a", attrs={"other": VALUE, "dtype": TYPE}))),
    "a control input": (graph(B), graph(node("b", ["a", "c:1", "^x"]))),
    "what a function returns": (
        graph(A, functions=[function(A, returned={"x": b"1"})]),
        graph(A, functions=[function(A, returned={"x": b"2"})]),
    ),
}


def hashed(tmp_path, content, name="inference_graph.pb"):
    path = tmp_path / name
    path.write_bytes(content)
    return graph_hash(path)


@pytest.mark.parametrize("what", SAME)
def test_the_order_of_what_has_none(tmp_path, what):
    one, other = SAME[what]
    assert one != other
    assert hashed(tmp_path, one) == hashed(tmp_path, other)


@pytest.mark.parametrize("what", OTHER)
def test_everything_else_counts(tmp_path, what):
    one, other = OTHER[what]
    assert hashed(tmp_path, one) != hashed(tmp_path, other)


def test_the_signatures_of_a_saved_model(tmp_path):
    first, second = entries(1, {"ids": b"1", "mask": b"2"}), entries(1, {"mask": b"2", "ids": b"1"})
    one = saved_model(graph(A, B), {"serving_default": first, "init": b""})
    other = saved_model(graph(B, A), {"init": b"", "serving_default": second})
    assert one != other
    assert hashed(tmp_path, one, "saved_model.pb") == hashed(tmp_path, other, "saved_model.pb")
    changed = saved_model(graph(A, B), {"serving_default": entries(1, {"ids": b"1", "mask": b"3"}), "init": b""})
    assert hashed(tmp_path, one, "saved_model.pb") != hashed(tmp_path, changed, "saved_model.pb")


def test_the_graph_of_a_checkpoint(tmp_path):
    metas = [encode_bytes(2, content) for content in (graph(A, B), graph(B, A))]
    assert hashed(tmp_path, metas[0], "bert_model.ckpt.meta") == hashed(tmp_path, metas[1], "bert_model.ckpt.meta")


IR = """<?xml version="1.0"?>
<net name="n" version="11"><layers>
<layer id="0" name="w" type="Const"><data element_type="f32" {place} shape="1" /></layer>
</layers><edges><edge from-layer="0" to-layer="1" /></edges>{info}</net>
"""


def ir_hash(tmp_path, weights, place='offset="0" size="4"', info="", change=lambda text: text):
    (tmp_path / "model.bin").write_bytes(weights)
    return hashed(tmp_path, change(IR.format(place=place, info=info)).encode(), "model.xml")


def test_an_ir_is_its_layers_edges_and_constants(tmp_path):
    plain = ir_hash(tmp_path, b"abcd")
    assert ir_hash(tmp_path, b"abcd", 'size="4" offset="0"') == plain
    assert ir_hash(tmp_path, b"....abcd", 'offset="4" size="4"') == plain
    assert ir_hash(tmp_path, b"abcd", info='<rt_info><output_dir value="/tmp/x" /></rt_info>') == plain
    assert ir_hash(tmp_path, b"abcd", change=lambda text: text.replace("\n", "\n\t")) == plain
    assert ir_hash(tmp_path, b"abce") != plain
    assert ir_hash(tmp_path, b"abcd", change=lambda text: text.replace('to-layer="1"', 'to-layer="2"')) != plain
    assert ir_hash(tmp_path, b"abcd", change=lambda text: text.replace("f32", "i32")) != plain


def test_what_is_no_graph_is_said_to_be_none(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    for name, content in (("inference_graph.pb", b"\x0a\xff"), ("model.xml", b"<net>"), ("saved_model.pb", b"")):
        with pytest.raises(StoreError, match=f"{name} cannot be read as a"):
            hashed(tmp_path, content, name)


def test_which_files_are_graphs():
    names = ("inference_graph.pb", "saved_model.pb", "bert_model.ckpt.meta", "model.xml", "fingerprint.pb", "vocab.txt")
    assert [graph_kind(name) for name in names] == ["GraphDef", "SavedModel", "MetaGraphDef", "IR", "", ""]
