"""The object graph of a TensorFlow 2 checkpoint: which variable hangs where below the root objects.

`tf.train.Checkpoint(model=…)` saves, beside the tensors, a TrackableObjectGraph under a key of its own, and restores by
walking it and its Python objects side by side; the tensors' keys are only what the graph says they are.
Source: tensorflow/core/protobuf/trackable_object_graph.proto and python/checkpoint/ (2.15).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.strings import read_string
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, encode_bytes, encode_number, fields

SAVE_COUNTER = ("save_counter",)
"""What `tf.train.Checkpoint` counts its saves in; without it `assert_consumed` fails."""

VALUE = "VARIABLE_VALUE"
_SUFFIX = f"/.ATTRIBUTES/{VALUE}"

_MOST_OBJECTS: Final = 100_000  # BERT-Large with optimizer slots has some thousands
_MOST_STEPS: Final = 1_000_000

Path = tuple[str, ...]
"""Names of attributes from the root to an object: ("model", "layer_with_weights-0", "embeddings")."""


@dataclass(slots=True)
class _Node:
    children: dict[str, int] = field(default_factory=dict)
    name: str = ""
    key: str = ""


def value_key(path: Path) -> str:
    """The key under which TensorFlow stores the variable at `path`."""
    escaped = (part.replace(".", "..").replace("/", ".S") for part in path)
    return "/".join(escaped) + _SUFFIX


def without_suffix(key: str) -> str:
    """A key as people read it: without what ends the key of every variable alike."""
    return key.removesuffix(_SUFFIX)


def encode_object_graph(variables: Mapping[Path, str], aliases: Mapping[Path, Path] | None = None) -> bytes:
    """A TrackableObjectGraph.

    Args:
        variables: path → the variable's own name (`full_name`, which nothing but old checkpoints is matched by).
        aliases: path → path of the same object under another name (("model",) → ("encoder",)).
    """
    nodes = [_Node()]
    for path, name in variables.items():
        node = nodes[_reach(nodes, path)]
        node.name, node.key = name, value_key(path)
    for path, same in (aliases or {}).items():
        parent = nodes[_reach(nodes, path[:-1])]
        parent.children[path[-1]] = _reach(nodes, same)
    return b"".join(encode_bytes(1, _encode_node(node)) for node in nodes)


def _reach(nodes: list[_Node], path: Iterable[str]) -> int:
    """The number of the node at `path`, made with those before it where it is not there."""
    number = 0
    for part in path:
        children = nodes[number].children
        if part not in children:
            nodes.append(_Node())
            children[part] = len(nodes) - 1
        number = children[part]
    return number


def _encode_node(node: _Node) -> bytes:
    message = b""
    for name, number in node.children.items():
        message += encode_bytes(1, encode_number(1, number) + encode_bytes(2, name.encode()))
    if node.key:
        attribute = (VALUE, node.name, node.key)
        message += encode_bytes(2, b"".join(encode_bytes(at, text.encode()) for at, text in enumerate(attribute, 1)))
    return message


def read_variables(reader: CheckpointReader) -> dict[Path, str]:
    """Path → key of every variable of an object-based checkpoint; an object with several names has several paths.

    Raises `CheckpointError` when the checkpoint is none, its object graph is damaged, or has more than `_MOST_OBJECTS`
    or takes more than `_MOST_STEPS`: objects with two names each, one below the other, double the paths every time.
    """
    message = read_string(reader, OBJECT_GRAPH_KEY)
    try:
        found = _paths(_decode(message))
    except (WireError, UnicodeDecodeError, IndexError) as error:
        raise CheckpointError(
            f"The object graph of the checkpoint {reader.prefix} is damaged: {error}.",
            next_step="Copy or download the checkpoint again.",
        ) from error
    return dict(sorted(found.items()))


def _decode(message: bytes) -> list[_Node]:
    nodes: list[_Node] = []
    for item in fields(message):
        if item.number == 1:
            if len(nodes) == _MOST_OBJECTS:
                raise WireError(f"it has more than {_MOST_OBJECTS} objects, the most that are read")
            nodes.append(_decode_node(message[item.start : item.end]))
    return nodes


def _paths(nodes: list[_Node]) -> dict[Path, str]:
    """Path → key of every variable below the first node."""
    found: dict[Path, str] = {(): nodes[0].key} if nodes[0].key else {}
    path: list[str] = []
    way = [0]
    above = {0}
    pending = [iter(nodes[0].children.items())]
    steps = 0
    while pending:
        name, child = next(pending[-1], ("", -1))
        if child == -1:
            pending.pop()
            above.discard(way.pop())
            del path[-1:]
            continue
        steps += 1
        if child not in above:  # an object may refer back to one above it: no path goes through an object twice
            node = nodes[child]
            path.append(name)
            way.append(child)
            above.add(child)
            pending.append(iter(node.children.items()))
            if node.key:
                found[tuple(path)] = node.key
                steps += len(path)
        if steps > _MOST_STEPS:
            raise WireError(f"the paths to its variables take more than {_MOST_STEPS} steps, the most that are taken")
    return found


def _decode_node(message: bytes) -> _Node:
    node = _Node()
    for item in fields(message):
        if item.wire_type != LENGTH_DELIMITED:
            continue
        part = message[item.start : item.end]
        if item.number == 1:  # a child
            number, name = 0, ""
            for inner in fields(part):
                if inner.number == 1:
                    number = inner.value
                elif inner.number == 2:
                    name = part[inner.start : inner.end].decode()
            node.children[name] = number
        elif item.number == 2:  # an attribute: name, full name, key
            texts = {inner.number: part[inner.start : inner.end].decode() for inner in fields(part) if inner.number < 4}
            if texts.get(1) == VALUE:
                node.name, node.key = texts.get(2, ""), texts.get(3, "")
    return node
