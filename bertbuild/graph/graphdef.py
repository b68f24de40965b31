"""GraphDef and MetaGraphDef files as a `Graph` of `Node`s.

Only structure is kept: names, operators, inputs and small attributes. The contents of a tensor of more than a few
kilobytes (the weights of a frozen graph) are stepped over and never loaded, so a 2 GiB file costs little memory.
Field numbers: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto and
tensorflow/core/protobuf/{meta_graph,saver}.proto (TensorFlow 1.15).
"""

from __future__ import annotations

import mmap
import os
import struct

from bertbuild.graph.node import GraphFormatError, Node, TensorRef, parse_ref, parsed_fields, text_in
from bertbuild.graph.wire import (
    LENGTH_DELIMITED,
    VARINT,
    WireError,
    encode_bytes,
    encode_number,
    fields,
)

_MOST_INPUTS, _MOST_ATTRIBUTES = 65_536, 4096
"""Of one node; a node of a training graph that groups all its updates has some thousand inputs."""
_OF_NODE, _OF_INPUT, _OF_ATTRIBUTE = 400, 60, 300
"""Bytes that each takes in memory, about."""
_MOST_MEMORY, _GROWTH = 100_000_000, 8
"""A graph may take so many bytes, and so many times its file's; a BERT's takes less than its file."""
_MOST_STEPS, _STEPS_OF_NODE = 50_000, 5
"""Steps along edges for all that is asked of a graph, and more for each node; Google's graphs take 500."""
_SMALL_ATTRIBUTE = 8192  # bytes; every constant that steers a BERT graph (shapes, scalars) is far below


class Graph:
    """The nodes of a graph by name, in file order, and the nodes of its functions by theirs.

    `tensorflow_version` is empty and the saver's names are None where the file does not tell (a frozen graph).
    """

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.nodes = nodes
        self.functions: dict[str, tuple[Node, ...]] = {}
        self.tensorflow_version = ""
        self.producer = 0
        self.saver_filename_tensor: str | None = None
        self.saver_restore_op: str | None = None
        self._consumers: dict[TensorRef, list[Node]] | None = None
        self._steps = 0

    def step(self, count: int = 1) -> None:
        """Note steps along the graph's edges.

        Raises:
            GraphFormatError: there were more than any model's graph takes, so that following them might have no end.
        """
        self._steps += count
        most = _MOST_STEPS + _STEPS_OF_NODE * len(self.nodes)
        if self._steps > most:
            raise GraphFormatError(f"Following the graph's edges takes over {most} steps, the most that are taken.")

    def consumers(self, tensor: TensorRef) -> list[Node]:
        """The nodes that read `tensor`, in file order."""
        if self._consumers is None:
            index: dict[TensorRef, list[Node]] = {}
            for node in self.nodes.values():
                for ref in dict.fromkeys(node.data_inputs):
                    index.setdefault(ref, []).append(node)
            self._consumers = index
        found = self._consumers.get(tensor, [])
        self.step(1 + len(found))
        return found

    def ancestors(self, tensor: TensorRef) -> dict[str, Node]:
        """Every node that `tensor` is computed from, itself included, by name."""
        found: dict[str, Node] = {}
        pending = [tensor.node]
        while pending:
            name = pending.pop()
            if name not in found:
                found[name] = self.nodes[name]
                pending.extend(ref.node for ref in found[name].data_inputs)
        return found


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """Read a binary GraphDef (a frozen graph's `.pb`).

    Raises `GraphFormatError` for a file that is not a GraphDef or is cut off, OSError for one that cannot be read.
    """
    return _read(path, meta=False)


def read_meta_graph(path: str | os.PathLike[str]) -> Graph:
    """Read a checkpoint's `.meta` (a binary MetaGraphDef): its graph, saver names and TensorFlow version.

    Raises `GraphFormatError` for a file that is not a MetaGraphDef or is cut off, OSError for one that cannot be read.
    """
    return _read(path, meta=True)


def _read(path: str | os.PathLike[str], *, meta: bool) -> Graph:
    kind = "MetaGraphDef" if meta else "GraphDef"
    with open(path, "rb") as file:  # noqa: PTH123  (`path` may be a plain string)
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise GraphFormatError(f"{os.fspath(path)} is empty, not a {kind}.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            try:
                graph = parse_meta_graph(buffer, 0, size) if meta else _graph(buffer, 0, size)  # type: ignore[arg-type]
            except (WireError, UnicodeDecodeError, struct.error) as error:
                raise GraphFormatError(f"{os.fspath(path)} is not a whole {kind}: {error}.") from error
    require_whole(graph, path, kind)
    return graph


def require_whole(graph: Graph, path: str | os.PathLike[str], kind: str) -> None:
    """Do nothing for a graph whose nodes find all they read; `path` and `kind` are for the message.

    Raises `GraphFormatError` for one without nodes, or with a node that reads one it lacks.
    """
    if not graph.nodes:
        raise GraphFormatError(f"{os.fspath(path)} holds no graph nodes, so it is not a {kind}.")
    for node in graph.nodes.values():
        for text in node.inputs:
            source = text[1:] if text.startswith("^") else parse_ref(text).node
            if source not in graph.nodes:
                raise GraphFormatError(f"{os.fspath(path)} is incomplete: {node.name} reads {source}, which it lacks.")


def parse_graph(content: bytes) -> Graph:
    """The graph in the bytes of a GraphDef; raises `GraphFormatError` where it is none."""
    try:
        return _graph(content, 0, len(content))
    except (WireError, UnicodeDecodeError, struct.error) as error:
        raise GraphFormatError(f"The bytes are not a whole GraphDef: {error}.") from error


def parse_meta_graph(buffer: bytes, start: int, end: int) -> Graph:
    """The graph in the MetaGraphDef `buffer[start:end]`; `WireError` where that is none."""
    graph = Graph({})
    version, saver = "", b""
    for field in fields(buffer, start, end):
        if field.wire_type != LENGTH_DELIMITED:
            continue
        if field.number == 1:  # meta_info_def
            version = text_in(buffer[field.start : field.end], 5)
        elif field.number == 2:  # graph_def
            graph = _graph(buffer, field.start, field.end)
        elif field.number == 3:  # saver_def
            saver = buffer[field.start : field.end]
    graph.tensorflow_version = version
    graph.saver_filename_tensor = text_in(saver, 1) or None
    graph.saver_restore_op = text_in(saver, 3) or None
    return graph


def _graph(buffer: bytes, start: int, end: int) -> Graph:
    graph = Graph({})
    memory = _Memory(end - start)
    for field in fields(buffer, start, end):
        if field.wire_type != LENGTH_DELIMITED:
            continue
        if field.number == 1:
            node = _node(buffer, field.start, field.end, memory)
            if node.name in graph.nodes:
                raise WireError(f"the node {node.name} occurs twice")
            graph.nodes[node.name] = node
        elif field.number == 2:
            graph.functions.update(_functions(buffer, field.start, field.end, memory))
        elif field.number == 4:  # versions
            for number, value, _ in parsed_fields(buffer[field.start : field.end]):
                if number == 1:
                    graph.producer = value
    return graph


class _Memory:
    """What the nodes of a GraphDef of so many bytes take in memory, about."""

    def __init__(self, size: int) -> None:
        self._most = _MOST_MEMORY + _GROWTH * size
        self._taken = 0

    def take(self, inputs: int, attributes: int) -> None:
        """Count a node; raises `WireError` where it is one too many."""
        if inputs > _MOST_INPUTS or attributes > _MOST_ATTRIBUTES:
            raise WireError(f"a node has more than {_MOST_INPUTS} inputs or {_MOST_ATTRIBUTES} attributes")
        self._taken += _OF_NODE + _OF_INPUT * inputs + _OF_ATTRIBUTE * attributes
        if self._taken > self._most:
            raise WireError(f"its nodes take more than {self._most} bytes of memory, the most for its size")


def _functions(buffer: bytes, start: int, end: int, memory: _Memory) -> dict[str, tuple[Node, ...]]:
    """Name and nodes of each function of the FunctionDefLibrary `buffer[start:end]`."""
    found: dict[str, tuple[Node, ...]] = {}
    for function in fields(buffer, start, end):
        if function.number == 1 and function.wire_type == LENGTH_DELIMITED:
            name = function_name(buffer, function.start, function.end)
            if name in found:
                raise WireError(f"the function {name} occurs twice")
            parts = fields(buffer, function.start, function.end)
            nodes = [part for part in parts if part.number == 3 and part.wire_type == LENGTH_DELIMITED]
            found[name] = tuple(_node(buffer, part.start, part.end, memory) for part in nodes)
    return found


def function_name(buffer: bytes, start: int, end: int) -> str:
    """The name in the signature of the FunctionDef `buffer[start:end]`: as protobuf has it, the last there is."""
    name = ""
    for part in fields(buffer, start, end):
        if part.number == 1 and part.wire_type == LENGTH_DELIMITED:
            for text in fields(buffer, part.start, part.end):
                if text.number == 1 and text.wire_type == LENGTH_DELIMITED:
                    name = buffer[text.start : text.end].decode()
    return name


def _node(buffer: bytes, start: int, end: int, memory: _Memory) -> Node:
    name, op = "", ""
    inputs: list[str] = []
    attributes: dict[str, bytes] = {}
    for field in fields(buffer, start, end):
        if field.wire_type != LENGTH_DELIMITED:
            continue
        if field.number == 1:
            name = buffer[field.start : field.end].decode()
        elif field.number == 2:
            op = buffer[field.start : field.end].decode()
        elif field.number == 3:
            inputs.append(buffer[field.start : field.end].decode())
            if len(inputs) > _MOST_INPUTS:
                break
        elif field.number == 5:
            key, value = "", b""
            for part in fields(buffer, field.start, field.end):
                if part.wire_type == LENGTH_DELIMITED and part.number == 1:
                    key = buffer[part.start : part.end].decode()
                elif part.wire_type == LENGTH_DELIMITED and part.number == 2:
                    value = _slim(buffer, part.start, part.end)
            attributes[key] = value
            if len(attributes) > _MOST_ATTRIBUTES:
                break
    memory.take(len(inputs), len(attributes))
    if not name or not op:
        raise WireError("a node has no name or no operator")
    return Node(name, op, tuple(inputs), attributes)


def _slim(buffer: bytes, start: int, end: int) -> bytes:
    """The AttrValue in `buffer[start:end]`; of a large tensor only its dtype and shape."""
    if end - start <= _SMALL_ATTRIBUTE:
        return buffer[start:end]
    kept = b""
    for field in fields(buffer, start, end):
        if field.number in (1, 10) and field.wire_type == LENGTH_DELIMITED:  # list, func: what the node runs
            kept += encode_bytes(field.number, buffer[field.start : field.end])
        elif field.number == 8 and field.wire_type == LENGTH_DELIMITED:
            tensor = b""
            for part in fields(buffer, field.start, field.end):
                if part.number == 1 and part.wire_type == VARINT:
                    tensor += encode_number(1, part.value)
                elif part.number == 2 and part.wire_type == LENGTH_DELIMITED:
                    tensor += encode_bytes(2, buffer[part.start : part.end])
            kept += encode_bytes(8, tensor)
    return kept
