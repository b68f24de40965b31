"""How many rows the tables of an ONNX model have: a model.onnx read without the package onnx (`ir_tables`: of an IR).

Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from bertbuild.graph.wire import LENGTH_DELIMITED, fields, read_varint
from bertbuild.packaging.ir_tables import IDS, SEGMENTS

_GRAPH: Final = 7  # of ModelProto
_NODE, _INITIALIZER = 1, 5  # of GraphProto
_INPUT, _OUTPUT, _OPERATOR = 1, 2, 4  # of NodeProto
_DIMS, _NAME = 1, 8  # of TensorProto
_STORED: Final = ("Cast", "DequantizeLinear")
"""Operators behind which a table is still that table."""


class _Node(NamedTuple):
    operator: str
    inputs: list[str]
    outputs: list[str]


def rows(path: Path) -> Mapping[str, int]:
    """Input → rows of the table that it picks from, of `IDS` and `SEGMENTS`; without those where that is not found.

    Args:
        path: of a model.onnx, of a stage of ours.
    """
    nodes: list[_Node] = []
    sizes: dict[str, int] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
        for graph in (field for field in fields(buffer) if field.number == _GRAPH):  # type: ignore[arg-type]
            for field in fields(buffer, graph.start, graph.end):  # type: ignore[arg-type]
                if field.number == _NODE:
                    nodes.append(_node(buffer, field.start, field.end))
                elif field.number == _INITIALIZER:
                    name, first = _tensor(buffer, field.start, field.end)
                    sizes[name] = first
    for node in nodes:  # each stands behind what it reads
        if node.operator in _STORED and node.inputs[0] in sizes:
            sizes[node.outputs[0]] = sizes[node.inputs[0]]
    return dict(_found(nodes, sizes))


def _found(nodes: list[_Node], sizes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    marked = {node.outputs[0]: node.inputs[0] for node in nodes if node.operator == "OneHot"}
    for node in nodes:
        if node.operator == "Gather" and node.inputs[1] in (IDS, SEGMENTS) and node.inputs[0] in sizes:
            yield node.inputs[1], sizes[node.inputs[0]]
        elif node.operator == "MatMul" and marked.get(node.inputs[0]) in (IDS, SEGMENTS) and node.inputs[1] in sizes:
            yield marked[node.inputs[0]], sizes[node.inputs[1]]


def _node(buffer: mmap.mmap, start: int, end: int) -> _Node:
    found: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _OPERATOR: []}
    for field in fields(buffer, start, end):  # type: ignore[arg-type]
        if field.number in found:
            found[field.number].append(buffer[field.start : field.end].decode())
    return _Node("".join(found[_OPERATOR]), found[_INPUT], found[_OUTPUT])


def _tensor(buffer: mmap.mmap, start: int, end: int) -> tuple[str, int]:
    """Name and first size of a constant, 0 of one without sizes."""
    name, dims = "", []
    for field in fields(buffer, start, end):  # type: ignore[arg-type]
        if field.number == _NAME:
            name = buffer[field.start : field.end].decode()
        elif field.number == _DIMS and field.wire_type == LENGTH_DELIMITED:
            dims.append(read_varint(buffer, field.start, field.end)[0])  # type: ignore[arg-type]
        elif field.number == _DIMS:
            dims.append(field.value)
    return name, dims[0] if dims else 0
