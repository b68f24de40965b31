"""What TensorFlow 2 runs of a SavedModel merely because it is loaded: checked before that is done.

Of one with an object graph these are the functions that make and fill tables and other resources, and that restore
variables of objects which save themselves in their own way. Of one of TensorFlow 1 they are the operators that
initialise it, and its saver's.

Field numbers: tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto, variable.proto (TensorFlow
2.20).
"""

from __future__ import annotations

import mmap
import os
from typing import Collection, Iterable, Iterator  # noqa: UP035  (Python 3.7)

from bertbuild.graph.cutting import OperatorsRefusedError, check_operators
from bertbuild.graph.graphdef import Graph, parse_meta_graph
from bertbuild.graph.node import GraphFormatError, Node, TensorRef, parse_ref, parsed_fields
from bertbuild.graph.operators import RESTORES, RUN_UNASKED, refused
from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, fields

FILE = "saved_model.pb"

_OF_RESOURCES = frozenset(["_create_resource", "_initialize", "_destroy_resource"])
INITIALISES = frozenset(["saved_model_main_op", "legacy_init_op", "local_init_op", "table_initializer"])
_LOCAL_VARIABLES = "local_variables"
_INIT_SIGNATURE = "__saved_model_init_op"


def check_loading(folder: str | os.PathLike[str], *, whole: bool = False) -> None:
    """Do nothing for a SavedModel that may be loaded.

    Args:
        folder: of it.
        whole: whether all of it is taken in, and not what is left of it after `pruning`: then none of its operators,
            needed or not, may be one that TensorFlow runs by that.

    Raises:
        OperatorsRefusedError: loading it would run operators that may not run.
        GraphFormatError: there is no whole SavedModel in the folder.
    """
    path = os.path.join(os.fspath(folder), FILE)  # noqa: PTH118  (`folder` may be a plain string)
    if not os.path.isfile(path) or not os.path.getsize(path):  # noqa: PTH113, PTH202
        return  # another format, or none: what loads it says so
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:  # noqa: PTH123
        buffer: bytes = mapped  # type: ignore[assignment]
        try:
            for part in fields(buffer):
                if part.number == 2 and part.wire_type == LENGTH_DELIMITED:
                    graph = parse_meta_graph(buffer, part.start, part.end)
                    _check(graph, buffer[part.start : part.end])
                    if whole:
                        _check_unasked(graph)
        except (WireError, UnicodeDecodeError) as error:
            raise GraphFormatError(f"{path} is not a whole SavedModel: {error}.") from error


def check_outputs(graph: Graph, outputs: Iterable[str], fed: Iterable[str], also: Iterable[str] = ()) -> None:
    """Do nothing where all that computes these tensors from the fed ones may run; `also` are more operators that may.

    For programs that are given a whole graph and the names of both, as the Model Optimizer and AWS's compiler are. What
    the outputs do not need is not looked at: they do not run it.

    Raises:
        OperatorsRefusedError: an operator, in a function too, may not.
    """
    names, ends = list(outputs), {parse_ref(tensor) for tensor in fed}
    where = ", ".join(names) + (" is" if len(names) == 1 else " are")
    check_operators(graph, needed(graph, names, ends), f"{where} computed by", also)


def check_saver(graph: Graph) -> None:
    """Do nothing where all that its saver runs to restore variables may run; it reads the checkpoint.

    Raises:
        OperatorsRefusedError: an operator may not.
    """
    restores = [graph.saver_restore_op] if graph.saver_restore_op else []
    check_operators(graph, needed(graph, restores), "its saver runs", also=RESTORES)


def _check(graph: Graph, meta_graph: bytes) -> None:
    parts = parsed_fields(meta_graph)
    objects = [payload for number, _, payload in parts if number == 7]
    if objects:
        names = {name for payload in objects for name in _run_by_loading(payload)}
        check_operators(graph, [node for name in names for node in graph.functions.get(name, ())], "its loading runs")
        return
    check_operators(graph, needed(graph, initialisers(parts)), "its initialisation runs")
    check_saver(graph)


def _check_unasked(graph: Graph) -> None:
    found = {node.op for nodes in (graph.nodes.values(), *graph.functions.values()) for node in nodes} & RUN_UNASKED
    if found:
        raise OperatorsRefusedError(refused(found), "its loading may run")


def _run_by_loading(object_graph: bytes) -> Iterator[str]:
    """The names of the functions that loading runs, by the SavedObjectGraph."""
    nodes = [parsed_fields(payload) for number, _, payload in parsed_fields(object_graph) if number == 1]
    run: set[int] = set()
    for node in nodes:
        for number, _, payload in node:
            if number in (1, 15):  # children, dependencies
                place, name = _reference(payload)
                run |= {place} if name in _OF_RESOURCES else set()
            elif number == 11:  # saveable_objects
                value = next((item for field, _, item in parsed_fields(payload) if field == 2), b"")
                run |= {place for field, place, _ in parsed_fields(value) if field in (2, 3)}
    for place in run:
        for number, _, payload in nodes[place] if place < len(nodes) else ():
            if number in (6, 8):  # function, bare_concrete_function
                yield from (text.decode() for field, _, text in parsed_fields(payload) if field == 1)


def _reference(payload: bytes) -> tuple[int, str]:
    """Node and local name of an ObjectReference."""
    place, name = 0, ""
    for number, value, text in parsed_fields(payload):
        if number == 1:
            place = value
        elif number == 2:
            name = text.decode()
    return place, name


def initialisers(meta_graph: list[tuple[int, int, bytes]]) -> Iterator[str]:
    """The tensors and operators that initialise a SavedModel of TensorFlow 1."""
    for number, _, payload in meta_graph:
        if number not in (4, 5):  # collection_def, signature_def
            continue
        entry = {field: item for field, _, item in parsed_fields(payload)}
        key, value = entry.get(1, b"").decode(), parsed_fields(entry.get(2, b""))
        if number == 5 and key == _INIT_SIGNATURE:
            for port in (item for field, _, item in value if field == 2):  # outputs
                info = next((item for field, _, item in parsed_fields(port) if field == 2), b"")
                yield from (text.decode() for field, _, text in parsed_fields(info) if field == 1)
        elif number == 4 and key in INITIALISES:
            for names in (item for field, _, item in value if field == 1):  # node_list
                yield from (text.decode() for _, _, text in parsed_fields(names))
        elif number == 4 and key == _LOCAL_VARIABLES:
            for items in (item for field, _, item in value if field == 2):  # bytes_list of VariableDef
                for _, _, variable in parsed_fields(items):
                    yield from (text.decode() for field, _, text in parsed_fields(variable) if field == 2)


def needed(graph: Graph, names: Iterable[str], fed: Collection[TensorRef] = ()) -> list[Node]:
    """All nodes that run where these are run, those they only wait for among them; none that only fed tensors need."""
    found: dict[str, Node] = {}
    pending = [ref for ref in map(parse_ref, names) if ref not in fed]
    while pending:
        name = pending.pop().node
        if name in graph.nodes and name not in found:
            found[name] = graph.nodes[name]
            texts = (text.lstrip("^") for text in found[name].inputs)
            pending.extend(ref for ref in map(parse_ref, texts) if ref not in fed)
    return list(found.values())
