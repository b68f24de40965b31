"""A graph without what may not run, for programs that are given a whole graph: the Model Optimizer, AWS's compiler.

What may not run is refused where it is needed (`loading`). Where it is not, it is left out, since TensorFlow runs
operators without being asked where it takes a graph in: a shape that comes from a ReadFile is read from that file.
"""

from __future__ import annotations

import mmap
import os
from typing import Iterable, Iterator  # noqa: UP035  (Python 3.7)

from bertbuild.graph.cutting import VARIABLES, kept_parts, needed_functions
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.loading import INITIALISES, initialisers, needed
from bertbuild.graph.node import GraphFormatError, parse_ref, parsed_fields
from bertbuild.graph.operators import RESTORES, refused
from bertbuild.graph.wire import LENGTH_DELIMITED, Field, encode_bytes, fields

_GRAPH_DEF, _COLLECTION, _ASSET = 2, 4, 6  # of a MetaGraphDef


def pruned(
    graph: Graph, path: str | os.PathLike[str], outputs: Iterable[str], fed: Iterable[str], also: Iterable[str] = ()
) -> bytes | None:
    """The GraphDef of a file without what may not run and the outputs do not need; None where all of it may run.

    A fed node stays, for its name, and reads nothing.

    Args:
        graph: as it is read.
        path: of its file.
        outputs: names of tensors, which were checked (`loading.check_outputs`).
        fed: names of the tensors that are given.
        also: more operators that may run.
    """
    with _mapped(path) as buffer:
        content: bytes = buffer  # type: ignore[assignment]
        parts = _pruned(graph, content, (0, len(buffer)), list(outputs), list(fed), also)
        return None if parts is None else b"".join(parts)


def pruned_meta(
    graph: Graph,
    path: str | os.PathLike[str],
    outputs: Iterable[str],
    fed: Iterable[str],
    also: Iterable[str] = (),
    span: tuple[int, int] | None = None,
) -> bytes | None:
    """The same of a MetaGraphDef: the file, or `span` of it. What its saver and its initialisation run is kept too.

    Raises:
        GraphFormatError: there are variables and no saver, so that nothing tells what restores them.
    """
    with _mapped(path) as buffer:
        start, end = span or (0, len(buffer))
        content = buffer[start:end]
    whole = [part for part in fields(content) if part.wire_type == LENGTH_DELIMITED]
    spans = [(part.start, part.end) for part in whole if part.number == _GRAPH_DEF]
    wanted = [*outputs, *initialisers(parsed_fields(content))]
    wanted += [graph.saver_restore_op] if graph.saver_restore_op else []
    parts = _pruned(graph, content, spans[-1], wanted, list(fed), {*also, *RESTORES})
    if parts is None:
        return None
    if not graph.saver_restore_op and any(node.op in VARIABLES for node in needed(graph, wanted)):
        raise GraphFormatError(f"{os.fspath(path)} has variables and no saver, and operators that may not run.")
    return encode_bytes(_GRAPH_DEF, b"".join(parts)) + b"".join(
        encode_bytes(part.number, content[part.start : part.end]) for part in whole if _stays(content, part)
    )


def _mapped(path: str | os.PathLike[str]) -> mmap.mmap:
    with open(path, "rb") as file:  # noqa: PTH123
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _pruned(
    graph: Graph,
    buffer: bytes,
    span: tuple[int, int],
    outputs: list[str],
    fed: list[str],
    also: Iterable[str],
) -> Iterator[bytes] | None:
    given = [parse_ref(tensor).node for tensor in fed]
    inner = [node.op for nodes in graph.functions.values() for node in nodes]
    operators = {*inner, *(node.op for name, node in graph.nodes.items() if name not in given)}
    if not refused(operators - graph.functions.keys(), also):
        return None
    kept = needed(graph, outputs, {parse_ref(tensor) for tensor in fed})
    nodes: dict[str, tuple[str, ...]] = dict.fromkeys(given, ())
    nodes.update((node.name, node.inputs) for node in kept)
    return kept_parts(buffer, span, nodes, needed_functions(graph, kept))


def _stays(content: bytes, part: Field) -> bool:
    """Whether a field of a MetaGraphDef stays: others than the graph, and of collections those that initialise it.

    Those of variables and files would name nodes that are gone.
    """
    if part.number != _COLLECTION:
        return part.number not in (_GRAPH_DEF, _ASSET)
    key = next((text for number, _, text in parsed_fields(content[part.start : part.end]) if number == 1), b"")
    return key.decode() in INITIALISES
