"""One hash for a graph, however its file orders what has no order: nodes, maps, XML attributes; constants' bytes count.

Field numbers: tensorflow/core/framework/{graph,node_def,attr_value,function}.proto and
tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto (TensorFlow 2.20; 1.15 has no others).
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from bertbuild.errors import StoreError
from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, encode_number, fields

KINDS = {"inference_graph.pb": "GraphDef", "saved_model.pb": "SavedModel", ".meta": "MetaGraphDef"}
IR = "model.xml"
IR_WEIGHTS = "model.bin"

CONTROL = b"^"


class _Part(NamedTuple):
    """What a field of a message holds: messages of a kind of ours, or bytes; and whether their order means anything."""

    kind: str = ""
    ordered: bool = True


def _map(kind: str = "") -> _Part:
    return _Part(f"map of {kind}" if kind else "", ordered=False)


_MESSAGES: dict[str, dict[int, _Part]] = {
    "SavedModel": {2: _Part("MetaGraphDef")},
    "MetaGraphDef": {
        1: _Part("MetaInfoDef"),
        2: _Part("GraphDef"),
        4: _map(),
        5: _map("SignatureDef"),
        7: _Part("SavedObjectGraph"),
    },
    "MetaInfoDef": {4: _Part(ordered=False), 8: _map()},
    "SignatureDef": {1: _map(), 2: _map(), 4: _map()},
    "SavedObjectGraph": {2: _map()},
    "GraphDef": {1: _Part("NodeDef", ordered=False), 2: _Part("FunctionDefLibrary")},
    "FunctionDefLibrary": {1: _Part("FunctionDef", ordered=False), 2: _Part(ordered=False), 3: _Part(ordered=False)},
    "FunctionDef": {
        3: _Part("NodeDef", ordered=False),
        4: _map(),
        5: _map("AttrValue"),
        6: _map(),
        7: _map("ArgAttrs"),
        8: _map(),
    },
    "ArgAttrs": {1: _map("AttrValue")},
    "NodeDef": {5: _map("AttrValue")},
    "AttrValue": {1: _Part("ListValue"), 10: _Part("NameAttrList")},
    "ListValue": {9: _Part("NameAttrList")},
    "NameAttrList": {2: _map("AttrValue")},
}
_MESSAGES |= {
    part.kind: {2: _Part(part.kind.removeprefix("map of "))}
    for message in list(_MESSAGES.values())
    for part in message.values()
    if part.kind.startswith("map of ")
}
_NODE_INPUT = 3


def graph_kind(name: str) -> str:
    """What sort of graph a result's file of this name holds; empty where it is none."""
    if name == IR:
        return "IR"
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), "")


def graph_hash(path: Path) -> str:
    """sha256, in hex, of the graph in a file: the same for two files that say the same in another order.

    Raises:
        StoreError: the file is no such graph.
    """
    kind = graph_kind(path.name)
    try:
        if kind == "IR":
            return _ir_hash(path)
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as content,
        ):
            return _message(content, 0, len(content), kind).hex()
    except (WireError, ValueError, KeyError, ET.ParseError) as error:
        raise StoreError(f"{path} cannot be read as a {kind}: {error}.", next_step="Build it again.") from error


def _message(buffer: memoryview, start: int, end: int, kind: str) -> bytes:
    """sha256 over a message's fields by number, those without an order of their own sorted."""
    parts: dict[int, list[bytes]] = {}
    layout = _MESSAGES.get(kind, {})
    for field in fields(buffer, start, end):  # type: ignore[arg-type]
        if field.wire_type != LENGTH_DELIMITED:
            value = encode_number(field.number, field.value)
        elif child := layout.get(field.number, _Part()).kind:
            value = _message(buffer, field.start, field.end, child)
        elif kind == "NodeDef" and field.number == _NODE_INPUT:
            value = bytes(buffer[field.start : field.end])
        else:
            value = hashlib.sha256(buffer[field.start : field.end]).digest()
        parts.setdefault(field.number, []).append(value)
    if kind == "NodeDef" and _NODE_INPUT in parts:
        inputs = parts[_NODE_INPUT]
        controls = sorted(name for name in inputs if name.startswith(CONTROL))
        parts[_NODE_INPUT] = [name for name in inputs if not name.startswith(CONTROL)] + controls
    state = hashlib.sha256(kind.encode())
    for number in sorted(parts):
        values = parts[number] if layout.get(number, _Part()).ordered else sorted(parts[number])
        state.update(b"\0%d:%d" % (number, len(values)))
        for value in values:
            state.update(b"\0%d:" % len(value) + value)
    return state.digest()


def _ir_hash(path: Path) -> str:
    """Of an IR: its layers and edges, each constant by its bytes and not by where they lie.

    What is written about the conversion (rt_info of the model: versions, paths, the key) is not part of the graph.
    """
    root = ET.parse(path).getroot()  # noqa: S314 - written by a stage of ours
    for info in root.findall("rt_info"):
        root.remove(info)
    with path.with_name(IR_WEIGHTS).open("rb") as weights:
        for constant in ir_constants(root):
            weights.seek(constant.offset)
            constant.data.attrib.pop("offset")
            constant.data.set("sha256", hashlib.sha256(weights.read(constant.size)).hexdigest())
    return hashlib.sha256(ET.canonicalize(ET.tostring(root), strip_text=True).encode()).hexdigest()


class Constant(NamedTuple):
    """A constant of an IR: its layer's name, the element type as OpenVINO writes it, and where its bytes lie."""

    name: str
    element_type: str
    offset: int
    size: int
    data: ET.Element


def ir_constants(root: ET.Element) -> Iterator[Constant]:
    """The constants of an IR, in file order; of its sub-graphs too."""
    for layer in root.iter("layer"):
        data = layer.find("data")
        if data is not None and "offset" in data.attrib:
            name, size = layer.get("name", ""), int(data.attrib["size"])
            yield Constant(name, data.get("element_type", ""), int(data.attrib["offset"]), size, data)
