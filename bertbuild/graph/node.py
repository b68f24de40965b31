"""A node of a graph: its name, operator, inputs and small attributes, and how an output of it is written.

Field numbers: tensorflow/core/framework/{node_def,attr_value,tensor,tensor_shape}.proto (TensorFlow 1.15).
"""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.graph.constants import numbers, packed
from bertbuild.graph.dtypes import dtype_name
from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, fields, signed


class GraphFormatError(ValueError):
    """The file is not a graph, or not one in which the asked thing can be found. `str()` is one sentence."""


class TensorRef(NamedTuple):
    """An output of a node, as it stands in another node's inputs."""

    node: str
    port: int

    def __str__(self) -> str:
        return f"{self.node}:{self.port}"


def parse_ref(text: str) -> TensorRef:
    """`"name"` or `"name:2"` as a `TensorRef`. Not for control inputs (`"^name"`)."""
    name, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and len(port) < 10:
        return TensorRef(name, int(port))
    return TensorRef(text, 0)


class Node:
    """One node of a graph. `inputs` are as stored, control inputs (`^name`) included and last."""

    __slots__ = ("_attributes", "inputs", "name", "op")

    def __init__(self, name: str, op: str, inputs: tuple[str, ...], attributes: dict[str, bytes]) -> None:
        self.name = name
        self.op = op
        self.inputs = inputs
        self._attributes = attributes

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.op!r}, {self.inputs!r})"

    @property
    def data_inputs(self) -> tuple[TensorRef, ...]:
        """The tensors this node reads, in order, without control inputs."""
        return tuple(parse_ref(text) for text in self.inputs if not text.startswith("^"))

    @property
    def first_input(self) -> TensorRef | None:
        """The first of these, None where there is none."""
        return next((parse_ref(text) for text in self.inputs if not text.startswith("^")), None)

    def called(self) -> set[str]:
        """The names of the functions that its attributes hold: what a While, an If, a PartitionedCall runs."""
        found: set[str] = set()
        for attribute in self._attributes.values():
            for number, _, payload in parsed_fields(attribute):
                if number == 10:  # func
                    found.add(text_in(payload, 1))
                elif number == 1:  # list, whose functions are its field 9
                    found.update(text_in(item, 1) for place, _, item in parsed_fields(payload) if place == 9)
        return found

    def dtype(self, attribute: str = "dtype") -> str | None:
        """The name of the type in `attribute` (`"int32"`), or None when the node has no such attribute."""
        for number, value, _ in parsed_fields(self._attributes.get(attribute, b"")):
            if number == 6:
                return dtype_name(value)
        return None

    def shape(self, attribute: str = "shape") -> tuple[int, ...] | None:
        """The shape in `attribute`, -1 for an unknown size; None for an unknown rank or no such attribute."""
        for number, _, payload in parsed_fields(self._attributes.get(attribute, b"")):
            if number == 7:
                return parse_shape(payload)
        return None

    def number(self, attribute: str) -> int:
        """The whole number in `attribute`; 0, protobuf's default, when the node has no such attribute."""
        for number, value, _ in parsed_fields(self._attributes.get(attribute, b"")):
            if number == 3:
                return signed(value)
        return 0

    def truth(self, attribute: str) -> bool:
        """The truth value in `attribute`; false, protobuf's default, when the node has no such attribute."""
        return any(number == 5 and value for number, value, _ in parsed_fields(self._attributes.get(attribute, b"")))

    def output_types(self) -> tuple[str, ...]:
        """The names in the attribute `output_types` (of an IteratorGetNext: one per port)."""
        names: list[str] = []
        for number, value, payload in self._list("output_types"):
            if number == 6:
                names.extend(dtype_name(item) for item in (_packed(payload) if payload else [value]))
        return tuple(names)

    def output_shapes(self) -> tuple[tuple[int, ...] | None, ...]:
        """The shapes in the attribute `output_shapes` (of an IteratorGetNext: one per port)."""
        return tuple(parse_shape(payload) for number, _, payload in self._list("output_shapes") if number == 7)

    def tensor_dtype(self) -> str | None:
        """The type of a Const's tensor, or None when the node holds none."""
        for number, value, _ in parsed_fields(self._tensor()):
            if number == 1:
                return dtype_name(value)
        return None

    def tensor_shape(self) -> tuple[int, ...] | None:
        """The shape of a Const's tensor, or None when the node holds none."""
        tensor = self._tensor()
        for number, _, payload in parsed_fields(tensor):
            if number == 2:
                return parse_shape(payload)
        return () if tensor else None

    def values(self) -> tuple[float, ...] | None:
        """The numbers stored in a small Const, flattened; one number may stand for a tensor filled with it.

        None when the node holds no tensor, a large one (over 8 KiB, not kept), or one of another type than float16,
        bfloat16, float32, float64, int32, int64 and bool.
        """
        try:
            found = numbers(self._tensor(), self.tensor_dtype() or "")
        except WireError as error:
            raise GraphFormatError(f"A constant of the graph is malformed: {error}.") from error
        return tuple(found) if found else None

    def scalar(self) -> float | None:
        """The number in a Const that holds a single one, else None."""
        values = self.values()
        return values[0] if values is not None and len(values) == 1 else None

    def _tensor(self) -> bytes:
        for number, _, payload in parsed_fields(self._attributes.get("value", b"")):
            if number == 8:
                return payload
        return b""

    def _list(self, attribute: str) -> list[tuple[int, int, bytes]]:
        for number, _, payload in parsed_fields(self._attributes.get(attribute, b"")):
            if number == 1:
                return parsed_fields(payload)
        return []


def parsed_fields(message: bytes) -> list[tuple[int, int, bytes]]:
    """(number, value, payload) of each field; the payload of a number is empty. WireError becomes GraphFormatError."""
    try:
        return [
            (field.number, field.value, message[field.start : field.end] * (field.wire_type == LENGTH_DELIMITED))
            for field in fields(message)
        ]
    except WireError as error:
        raise GraphFormatError(f"An attribute of the graph is malformed: {error}.") from error


def parse_shape(payload: bytes) -> tuple[int, ...] | None:
    """The sizes in a TensorShapeProto, -1 for an unknown one; None for an unknown rank."""
    sizes: list[int] = []
    for number, value, dimension in parsed_fields(payload):
        if number == 3 and value:  # unknown_rank
            return None
        if number == 2:
            sizes.append(next((signed(size) for field, size, _ in parsed_fields(dimension) if field == 1), 0))
    return tuple(sizes)


def _packed(payload: bytes) -> list[int]:
    try:
        return packed(payload)
    except WireError as error:
        raise GraphFormatError(f"An attribute of the graph is malformed: {error}.") from error


def text_in(message: bytes, number: int) -> str:
    """The text in the first field of a number, "" where there is none."""
    try:
        return next((payload.decode() for found, _, payload in parsed_fields(message) if found == number), "")
    except UnicodeDecodeError as error:
        raise GraphFormatError(f"A name in the graph is not text: {error}.") from error
