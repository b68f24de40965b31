"""What some outputs of a graph need, cut out of it: over placeholders in the place of its inputs, and nothing else.

A training graph holds its input pipeline, its loss and its optimizer; a stranger's may hold anything. What is cut out
holds what the outputs are computed from. An edge that only orders (a control input) is kept where it comes from a
branch or loop, which decide whether an operator runs at all; what else it leads to has no part in any value.
"""

from __future__ import annotations

import mmap
import os
from io import BytesIO
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence  # noqa: UP035  (Python 3.7)

from bertbuild.graph.dtypes import DTYPE_NUMBERS
from bertbuild.graph.graphdef import Graph, function_name
from bertbuild.graph.node import GraphFormatError, Node, TensorRef, parse_ref
from bertbuild.graph.operators import refused
from bertbuild.graph.tracing import FED
from bertbuild.graph.wire import LENGTH_DELIMITED, Field, encode_bytes, encode_number, fields

SCOPE = "bertbuild/"
"""Where the placeholders are that take the place of the inputs."""
FED_AS = "int32"
"""Their type; an input of another type is cast."""
VARIABLES = frozenset(["Variable", "VariableV2", "VarHandleOp"])

_BRANCHES = frozenset(["Switch", "RefSwitch", "Merge", "RefMerge"])
_DEFAULTED = "PlaceholderWithDefault"
_COLOCATION = b"_class"
_SHOWN = 3
_NOTHING: Mapping[TensorRef, TensorRef] = {}


class Input(NamedTuple):
    """An input of what is cut out: the fed tensor whose place it takes, its dtype and shape (None: of any rank)."""

    tensor: TensorRef
    dtype: str
    shape: tuple[int, ...] | None


class OperatorsRefusedError(GraphFormatError):
    """What is asked for is computed by operators that may not run; `operators` has each with the reason."""

    def __init__(self, operators: dict[str, str], where: str) -> None:
        self.operators = operators
        shown = [f"{op}, which {why}" for op, why in list(operators.items())[:_SHOWN]]
        more = len(operators) - len(shown)
        super().__init__(f"{where} {' and by '.join(shown)}" + (f" (and {more} more)" if more else "") + ".")


class Cut(NamedTuple):
    """What is to be cut out of a graph."""

    nodes: dict[str, tuple[str, ...]]
    """The name of each node that is kept → its inputs."""
    inputs: dict[str, Input]
    """By role."""
    functions: frozenset[str]
    """The names of those that are kept."""
    variables: tuple[str, ...]
    """The names of the nodes that hold variables."""


def cut(
    graph: Graph,
    roles: dict[str, str],
    outputs: Sequence[TensorRef],
    instead: Mapping[TensorRef, TensorRef] = _NOTHING,
) -> Cut:
    """Find what the outputs are computed from, and whether it may run.

    Args:
        graph: as it is read.
        roles: of `input_roles`: role → tensor name.
        outputs: tensors of the graph.
        instead: tensors that are not read → what is read in their place, as the input of a dropout for its result.

    Raises:
        OperatorsRefusedError: an operator, in a function too, that may not run.
        GraphFormatError: an output needs another fed tensor, or an input's dtype is not told.
    """
    inputs = {role: _input(graph, parse_ref(tensor)) for role, tensor in roles.items()}
    fed = {item.tensor: _name(role) if item.dtype == FED_AS else f"{_name(role)}/Cast" for role, item in inputs.items()}
    nodes: dict[str, tuple[str, ...]] = {}
    pending = [ref.node for ref in outputs]
    while pending:
        name = pending.pop()
        if name in nodes:
            continue
        node = graph.nodes[name]
        read = [_read_instead(ref, instead) for ref in node.data_inputs]
        branches = [text for text in node.inputs if text.startswith("^") and _decides(graph, text[1:])]
        nodes[name] = (*(fed.get(ref, str(ref)) for ref in read), *branches)
        pending.extend(ref.node for ref in read if ref not in fed)
        pending.extend(text[1:] for text in branches)
    where = ", ".join(map(str, outputs))
    others = sorted(name for name in nodes if graph.nodes[name].op in FED and graph.nodes[name].op != _DEFAULTED)
    if others:
        raise GraphFormatError(f"{where} needs {', '.join(others[:_SHOWN])} too, which is not one of the three inputs.")
    in_order = [node for name, node in graph.nodes.items() if name in nodes]
    check_operators(graph, in_order, f"{where} is computed by")
    return Cut(
        nodes={node.name: nodes[node.name] for node in in_order},
        inputs=inputs,
        functions=needed_functions(graph, in_order),
        variables=tuple(node.name for node in in_order if node.op in VARIABLES),
    )


def sized(cut: Cut, batch: int | None, seq_len: int | None) -> Cut:
    """The same with all three inputs of shape [batch, seq_len], None where that is free."""
    shape = tuple(-1 if size is None else size for size in (batch, seq_len))
    return cut._replace(inputs={role: item._replace(shape=shape) for role, item in cut.inputs.items()})


def check_operators(graph: Graph, nodes: Iterable[Node], where: str, also: Iterable[str] = ()) -> None:
    """Do nothing where all that these nodes run, in functions too, may run; `also` are more operators that may.

    Raises:
        OperatorsRefusedError: one may not; `where` begins the message, "x:0 is computed by".
    """
    kept = list(nodes)
    reached = [node for name in needed_functions(graph, kept) for node in graph.functions[name]]
    operators = {node.op for node in (*kept, *reached) if node.op not in graph.functions}
    bad = refused(operators, also)
    for node in (*kept, *reached):
        bad.update(dict.fromkeys(sorted(node.called() - graph.functions.keys()), "the graph lacks"))
    if bad:
        raise OperatorsRefusedError(bad, where)


def needed_functions(graph: Graph, nodes: Iterable[Node]) -> frozenset[str]:
    """The functions of a graph that these nodes call, and those that these call."""
    found: set[str] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        for name in (node.called() | {node.op}) & graph.functions.keys() - found:
            found.add(name)
            pending.extend(graph.functions[name])
    return frozenset(found)


def written(
    path: str | os.PathLike[str], cut: Cut, *, meta: bool = False, span: tuple[int, int] | None = None
) -> bytes:
    """The GraphDef that is cut out of a file, which `cut` was made of. Devices and colocations are left out.

    Args:
        path: of the file.
        cut: what of it.
        meta: whether it holds a MetaGraphDef, not a GraphDef.
        span: where in the file that is; None: it is all of it.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:  # noqa: PTH123
        buffer: bytes = mapped  # type: ignore[assignment]
        start, end = span or (0, len(mapped))
        if meta:
            start, end = [(part.start, part.end) for part in _messages(buffer, start, end) if part.number == 2][-1]
        made = BytesIO()  # whose value is not copied
        for role, item in cut.inputs.items():
            made.write(b"".join(encode_bytes(1, node) for node in _placeholder(_name(role), item)))
        for part in kept_parts(buffer, (start, end), cut.nodes, cut.functions):
            made.write(part)
        return made.getvalue()


def kept_parts(
    buffer: bytes, span: tuple[int, int], nodes: Mapping[str, tuple[str, ...]], functions: frozenset[str]
) -> Iterator[bytes]:
    """The fields of the GraphDef in a span of a buffer, with these nodes (name → inputs) and functions alone."""
    for field in _messages(buffer, *span):
        if field.number == 1:
            node = _rewritten(buffer, field.start, field.end, nodes)
            yield encode_bytes(1, node) if node else b""
        elif field.number == 2:
            yield encode_bytes(2, _library(buffer, field.start, field.end, functions))
        elif field.number == 4:
            yield encode_bytes(4, buffer[field.start : field.end])


def _messages(buffer: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields that hold messages or text."""
    return (field for field in fields(buffer, start, end) if field.wire_type == LENGTH_DELIMITED)


def _read_instead(ref: TensorRef, instead: Mapping[TensorRef, TensorRef]) -> TensorRef:
    """What is read in the place of a tensor, which may be replaced itself."""
    passed = set()
    while ref in instead and ref not in passed:
        passed.add(ref)
        ref = instead[ref]
    return ref


def _decides(graph: Graph, name: str) -> bool:
    """Whether a node that another waits for decides if that one runs: a branch, or a name for one."""
    node = graph.nodes[name]
    if node.op == "Identity" and node.data_inputs:
        node = graph.nodes[node.data_inputs[0].node]
    return node.op in _BRANCHES


def _input(graph: Graph, tensor: TensorRef) -> Input:
    node = graph.nodes[tensor.node]
    types, shapes = node.output_types(), node.output_shapes()
    told = node.dtype() or node.dtype("T") or node.dtype("DstT")
    dtype = types[tensor.port] if tensor.port < len(types) else told
    if dtype not in DTYPE_NUMBERS:
        raise GraphFormatError(f"The graph does not tell the type of its input {tensor}.")
    return Input(tensor, dtype, shapes[tensor.port] if tensor.port < len(shapes) else node.shape())


def _name(role: str) -> str:
    return f"{SCOPE}{role}"


def _placeholder(name: str, item: Input) -> Iterator[bytes]:
    """The NodeDefs that an input comes from: the placeholder, and the cast to its type."""
    shape = encode_number(3, 1)  # unknown_rank
    if item.shape is not None:
        shape = b"".join(encode_bytes(2, encode_number(1, size)) for size in item.shape)
    int32 = encode_number(6, DTYPE_NUMBERS[FED_AS])
    yield _node(name, "Placeholder", dtype=int32, shape=encode_bytes(7, shape))
    if item.dtype != FED_AS:
        dtype = encode_number(6, DTYPE_NUMBERS[item.dtype])
        yield _node(f"{name}/Cast", "Cast", name, SrcT=int32, DstT=dtype)


def _node(name: str, op: str, *inputs: str, **attributes: bytes) -> bytes:
    texts = ((1, name), (2, op), *((3, text) for text in inputs))
    entries = (encode_bytes(1, key.encode()) + encode_bytes(2, value) for key, value in attributes.items())
    return b"".join(
        (
            *(encode_bytes(number, text.encode()) for number, text in texts),
            *(encode_bytes(5, entry) for entry in entries),
        )
    )


def _rewritten(buffer: bytes, start: int, end: int, kept: Mapping[str, tuple[str, ...]]) -> bytes:
    """The NodeDef in `buffer[start:end]` with its inputs as they are kept; empty where it is not kept."""
    parts = list(_messages(buffer, start, end))
    texts = {part.number: buffer[part.start : part.end] for part in parts if part.number in (1, 2)}  # the last of each
    name = texts[1].decode()
    if name not in kept:
        return b""
    attributes = [
        encode_bytes(5, buffer[part.start : part.end])
        for part in parts
        if part.number == 5 and not _is_colocation(buffer, part.start, part.end)
    ]
    inputs = [encode_bytes(3, text.encode()) for text in kept[name]]
    return b"".join((encode_bytes(1, texts[1]), encode_bytes(2, texts[2]), *inputs, *attributes))


def _is_colocation(buffer: bytes, start: int, end: int) -> bool:
    return any(
        part.number == 1 and buffer[part.start : part.end] == _COLOCATION for part in _messages(buffer, start, end)
    )


def _library(buffer: bytes, start: int, end: int, kept: frozenset[str]) -> bytes:
    """The FunctionDefLibrary in `buffer[start:end]` with the functions that are kept; their gradients go."""
    return b"".join(
        encode_bytes(1, buffer[found.start : found.end])
        for found in _messages(buffer, start, end)
        if found.number == 1 and function_name(buffer, found.start, found.end) in kept
    )
