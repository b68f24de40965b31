"""SavedModels of TensorFlow 1: the graph and the signature in a folder's saved_model.pb.

Field numbers: tensorflow/core/protobuf/{saved_model,meta_graph}.proto (TensorFlow 1.15).
"""

from __future__ import annotations

import mmap
import os
from typing import NamedTuple

from bertbuild.graph.dtypes import dtype_name
from bertbuild.graph.graphdef import Graph, parse_meta_graph, require_whole
from bertbuild.graph.node import GraphFormatError, parse_shape, parsed_fields
from bertbuild.graph.roles import INPUT_IDS, INPUT_MASK, SEGMENT_IDS, input_roles
from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, fields

FILE = "saved_model.pb"
TAG = "serve"
SIGNATURE = "serving_default"
ROLES = (INPUT_IDS, INPUT_MASK, SEGMENT_IDS)


class Port(NamedTuple):
    """An input or output of a signature: its tensor, dtype and shape (-1 unknown size, None unknown rank)."""

    tensor: str
    dtype: str
    shape: tuple[int, ...] | None


class SavedModel(NamedTuple):
    """The graph for serving, and the ports of its signature by name."""

    graph: Graph
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    span: tuple[int, int] = (0, 0)
    """Where its MetaGraphDef is in the file."""

    def roles(self) -> dict[str, str]:
        """The tensor name of each of input_ids, input_mask and segment_ids: as the signature says, else traced.

        Raises `GraphFormatError` when one of them is not found.
        """
        if all(role in self.inputs for role in ROLES):
            return {role: self.inputs[role].tensor for role in ROLES}
        return input_roles(self.graph)

    def given(self, named: str = "") -> dict[str, str]:
        """Name → tensor of its outputs: as `named` says ("TENSOR:name" with commas), else all by their own names."""
        if not named:
            return {name: port.tensor for name, port in self.outputs.items()}
        pairs = (part.rpartition(":") for part in named.split(","))
        return {name: tensor for tensor, _, name in pairs}

    def fixed_size(self, axis: int) -> int | None:
        """The one size that the inputs take along an axis (0 batch, 1 sequence), or None where it is free."""
        sizes = set()
        for tensor in self.roles().values():
            shape = next((port.shape for port in self.inputs.values() if port.tensor == tensor), None)
            sizes.add(shape[axis] if shape is not None and len(shape) == 2 else -1)
        sizes.discard(-1)
        if len(sizes) > 1:
            raise GraphFormatError(f"The SavedModel's inputs disagree on their shape: {sorted(sizes)}.")
        return sizes.pop() if sizes else None


def read_saved_model(folder: str | os.PathLike[str]) -> SavedModel:
    """Read the graph tagged "serve" and its signature "serving_default" (or the only ones there are).

    Raises `GraphFormatError` for a folder without a SavedModel, a damaged one, one of TensorFlow 2's functions, or
    one without such a graph or signature; OSError for one that cannot be read.
    """
    path = os.path.join(os.fspath(folder), FILE)  # noqa: PTH118  (`folder` may be a plain string)
    if not os.path.isfile(path):  # noqa: PTH113
        raise GraphFormatError(f"{os.fspath(folder)} is not a SavedModel: it has no {FILE}.")
    with open(path, "rb") as file:  # noqa: PTH123
        if os.fstat(file.fileno()).st_size == 0:
            raise GraphFormatError(f"{path} is empty.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            try:
                return _saved_model(buffer, path)  # type: ignore[arg-type]
            except (WireError, UnicodeDecodeError) as error:
                raise GraphFormatError(f"{path} is not a whole SavedModel: {error}.") from error


def _saved_model(buffer: bytes, path: str) -> SavedModel:
    spans = [
        (field.start, field.end)
        for field in fields(buffer)
        if field.number == 2 and field.wire_type == LENGTH_DELIMITED
    ]
    tagged = [span for span in spans if TAG in _tags(buffer, *span)]
    chosen = tagged or spans
    if len(chosen) != 1:
        raise GraphFormatError(f"{path} holds {len(chosen)} graphs for serving; one is needed.")
    graph = parse_meta_graph(buffer, *chosen[0])
    require_whole(graph, path, "SavedModel")
    if any(node.op in ("StatefulPartitionedCall", "PartitionedCall") for node in graph.nodes.values()):
        raise GraphFormatError(f"{path} was written by TensorFlow 2, whose functions TensorFlow 1 cannot take apart.")
    signatures = _signatures(buffer, *chosen[0])
    signature = signatures.get(SIGNATURE) or (next(iter(signatures.values())) if len(signatures) == 1 else None)
    if signature is None:
        raise GraphFormatError(f"{path} has no signature {SIGNATURE} (found: {', '.join(signatures) or 'none'}).")
    return SavedModel(graph, *signature, chosen[0])


def _tags(buffer: bytes, start: int, end: int) -> list[str]:
    for field in fields(buffer, start, end):
        if field.number == 1 and field.wire_type == LENGTH_DELIMITED:  # meta_info_def
            info = parsed_fields(buffer[field.start : field.end])
            return [payload.decode() for number, _, payload in info if number == 4]
    return []


def _signatures(buffer: bytes, start: int, end: int) -> dict[str, tuple[dict[str, Port], dict[str, Port]]]:
    found = {}
    for field in fields(buffer, start, end):
        if field.number == 5 and field.wire_type == LENGTH_DELIMITED:
            name, signature = _entry(buffer[field.start : field.end])
            ports: tuple[dict[str, Port], dict[str, Port]] = ({}, {})
            for number, _, payload in parsed_fields(signature):
                if number in (1, 2):  # inputs, outputs
                    port, info = _entry(payload)
                    ports[number - 1][port] = _port(info)
            found[name] = ports
    return found


def _entry(message: bytes) -> tuple[str, bytes]:
    """Key and value of an entry of a map."""
    key, value = "", b""
    for number, _, payload in parsed_fields(message):
        if number == 1:
            key = payload.decode()
        elif number == 2:
            value = payload
    return key, value


def _port(info: bytes) -> Port:
    tensor, dtype = "", ""
    shape: tuple[int, ...] | None = None
    for number, value, payload in parsed_fields(info):
        if number == 1:
            tensor = payload.decode()
        elif number == 2:
            dtype = dtype_name(value)
        elif number == 3:
            shape = parse_shape(payload)
    return Port(tensor, dtype, shape)
