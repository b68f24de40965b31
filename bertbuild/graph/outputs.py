"""Which tensors of a BERT graph are its outputs, and what each of them is, found by following the graph's edges.

A frozen graph does not say what it was frozen for. What nothing reads is an output; and so is the pooled output, or a
head's answer, that another head was put on: a graph frozen for both is the same file as one frozen for the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bertbuild.graph.encoder import Encoder
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.kinds import ANSWERS, LOGITS, Kinds
from bertbuild.graph.node import GraphFormatError, Node, TensorRef
from bertbuild.graph.tracing import FED, unwrapped
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.regression import TENSOR as SCORE
from bertbuild.heads.sequence import TENSOR as SEQUENCE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*$")
_NO_OUTPUTS = frozenset(["Assert", "NoOp", "Const", "Shape"]) | FED
_PORTS = {"Unpack": "num", "Split": "num_split", "SplitV": "num_split"}
_MOST_PORTS = 1000
_PAIRS = frozenset(["TopK", "TopKV2"])
_DEFAULTED = "PlaceholderWithDefault"  # answers without being fed
_HOW = "--outputs NODE[:name],… says which"


class Output(NamedTuple):
    """A tensor that a graph can be asked for."""

    tensor: TensorRef
    name: str
    """What it is called: "pooled_output", "logits", …; empty where it is of no known kind."""
    per_position: bool
    """Whether its second axis is the sequence."""
    lacks: tuple[str, ...] = ()
    """The fed tensors besides the three inputs that it is computed from, so that it cannot be had."""

    @property
    def text(self) -> str:
        """It in a line: tensor, name, and what it lacks."""
        what = self.name or "of no known kind"
        return f"{self.tensor}  {what}" + (f", needs {', '.join(self.lacks)}" if self.lacks else "")


class Outputs(NamedTuple):
    """What is taken of a graph, and what could be: outputs of a known kind, and ends of the graph of no known one."""

    taken: tuple[Output, ...]
    left: tuple[Output, ...]


class UnknownOutputsError(GraphFormatError):
    """The graph does not tell its outputs, or what was named is none; `candidates` has a line for each there is."""

    def __init__(self, message: str, candidates: Iterable[Output]) -> None:
        self.candidates = [candidate.text for candidate in candidates]
        super().__init__(message)


def find_outputs(graph: Graph, roles: dict[str, str], wanted: str = "") -> Outputs:
    """The outputs that `wanted` names ("NODE[:port][:name],…"), else those that the graph itself tells.

    Args:
        graph: a frozen graph.
        roles: of `input_roles`.
        wanted: what was typed; a name that is left out is the output's kind, else made of the node's name.

    Raises:
        UnknownOutputsError: a node is not there or not computed from the inputs; two outputs have one name; or nothing
            is wanted by name, and the graph has no output of a known kind, or several of one.
    """
    finder = _Finder(graph, set(roles.values()))
    candidates = finder.candidates()
    if wanted:
        taken = [finder.named(text, candidates) for text in wanted.split(",")]
    else:
        taken = [candidate for candidate in candidates if candidate.name and finder.is_taken(candidate)]
        if not taken:
            raise UnknownOutputsError(f"The graph has no output of a known kind; {_HOW}.", candidates)
    names = [output.name for output in taken]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        tensors = " and ".join(str(output.tensor) for output in taken if output.name == twice)
        raise UnknownOutputsError(f"{tensors} would both be called {twice}; {_HOW}.", candidates)
    kept = {output.tensor for output in taken}
    return Outputs(tuple(taken), tuple(candidate for candidate in candidates if candidate.tensor not in kept))


class _Finder:
    """Looks for outputs in one graph."""

    def __init__(self, graph: Graph, fed: set[str]) -> None:
        self._graph = graph
        self._fed = fed
        self._encoder = Encoder(graph)
        self._kinds = Kinds(graph, self._encoder)
        self._ends = {ref for ref in self._refs() if not graph.consumers(ref)}

    def candidates(self) -> list[Output]:
        """All ends, and what else is of a known kind, in file order; of what only differs in shape, the last."""
        sequence = self._encoder.sequence(self._graph)
        found: dict[TensorRef, Output] = {}
        for ref in self._refs():
            is_end = ref in self._ends
            # Most of a graph is the encoder's inside, and none of that is an output.
            if not is_end and (ref.node in self._encoder.inside or self._graph.nodes[ref.node].op not in ANSWERS):
                continue
            output = self._output(ref)
            if output is None or not (is_end or output.name):
                continue
            if not is_end and (output.name == SEQUENCE or not self._is_answer(ref, output)):
                continue
            core = unwrapped(self._graph, ref)
            if core not in found or is_end:
                found[core] = output
        if sequence is not None and self._kinds.of(sequence) and unwrapped(self._graph, sequence) not in found:
            found[sequence] = Output(sequence, SEQUENCE, per_position=True)
        return list(found.values())

    def _is_answer(self, ref: TensorRef, output: Output) -> bool:
        """Whether what others read is an answer too, not a dense layer in front of an activation."""
        return output.name not in (LOGITS, SCORE) or self._kinds.is_answered(ref)

    def is_taken(self, candidate: Output) -> bool:
        """Whether an output is taken though nobody named it."""
        if candidate.lacks:
            return False
        return candidate.tensor in self._ends or candidate.name == POOLED or candidate.name in self._kinds.answers

    def named(self, text: str, candidates: list[Output]) -> Output:
        """What "NODE[:port][:name]" means."""
        node, port, name = _parsed(text)
        if node not in self._graph.nodes:
            raise UnknownOutputsError(f"The graph has no node {node!r}, which --outputs names.", candidates)
        if port >= _ports(self._graph.nodes[node]):
            raise UnknownOutputsError(f"{node} of --outputs has no output {port}.", candidates)
        if name and not _NAME.match(name):
            raise UnknownOutputsError(f"{name!r} cannot be an output's name: letters, digits and _ alone.", candidates)
        output = self._output(TensorRef(node, port))
        if output is None:
            raise UnknownOutputsError(f"{node} of --outputs is not computed from the inputs.", candidates)
        if output.lacks:
            needs = ", ".join(output.lacks)
            raise UnknownOutputsError(
                f"{node} of --outputs is computed from {needs} too, which is not an input.", candidates
            )
        return output._replace(name=name or output.name or re.sub(r"[^A-Za-z0-9_.-]+", "_", node))

    def _output(self, ref: TensorRef) -> Output | None:
        """The output at a tensor; None where it is not computed from the inputs."""
        sources = self._sources(ref)
        if not sources & self._fed:
            return None
        kind = self._kinds.of(ref)
        return Output(ref, kind or "", self._kinds.per_position(ref), tuple(sorted(sources - self._fed)))

    def _refs(self) -> Iterator[TensorRef]:
        for node in self._graph.nodes.values():
            if node.op not in _NO_OUTPUTS:
                for port in range(_ports(node)):
                    yield TensorRef(node.name, port)

    def _sources(self, ref: TensorRef) -> set[str]:
        """The fed tensors that a tensor is computed from."""
        found: set[str] = set()
        pending, seen = [ref], {ref.node}
        while pending:
            current = pending.pop()
            node = self._graph.nodes[current.node]
            if node.op in FED and (node.op != _DEFAULTED or str(current) in self._fed):
                found.add(str(current))
                continue
            for source in node.data_inputs:
                if source.node not in seen or self._graph.nodes[source.node].op in FED:
                    seen.add(source.node)
                    pending.append(source)
        return found


def _ports(node: Node) -> int:
    """How many tensors a node gives."""
    if node.op in _PORTS:
        return min(node.number(_PORTS[node.op]), _MOST_PORTS)
    return 2 if node.op in _PAIRS else 1


def _parsed(text: str) -> tuple[str, int, str]:
    node, *rest = text.strip().split(":")
    port = int(rest.pop(0)) if rest and rest[0].isdecimal() and len(rest[0]) < 10 else 0
    return node, port, ":".join(rest)


def written(outputs: Iterable[Output]) -> str:
    """Outputs as `find_outputs` takes them: "NODE:port:name,…"."""
    return ",".join(f"{output.tensor}:{output.name}" for output in outputs)
