"""What `neuron-compile` made, read from its bytes: by other code than the stage's, which asks TensorFlow."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property
from pathlib import Path

from bertbuild.graph.node import parsed_fields
from bertbuild.graph.saved_model import read_saved_model
from bertbuild.graph.wire import VARINT, fields, signed

NO_WORK = {"Const", "Identity", "IdentityN", "NoOp", "Placeholder", "VariableV2"}
META_GRAPH = GRAPH = 2
NODE = 1
NAME, OP, ATTRIBUTE = 1, 2, 5
LIST, TEXT = 1, 2
NUMBERS = 3


def only(pairs, number):
    """The payload of a message's one field of this number; empty where there is none."""
    return next((payload for found, _, payload in pairs if found == number), b"")


class NeuronOp:
    """A node of that type."""

    def __init__(self, message):
        parts = parsed_fields(message)
        self.name = only(parts, NAME).decode()
        pairs = [parsed_fields(payload) for number, _, payload in parts if number == ATTRIBUTE]
        self._attributes = {only(pair, 1).decode(): parsed_fields(only(pair, 2)) for pair in pairs}

    @cached_property
    def executable(self):
        """What the compiler wrote; of the stand-in, its options."""
        return only(self._attributes["executable"], TEXT)

    def numbers(self, name):
        """A list of integers."""
        packed = only(parsed_fields(only(self._attributes[name], LIST)), NUMBERS)
        found = []
        while packed:  # fields() reads numbers with a tag before each
            field = next(fields(bytes([NODE << 3 | VARINT]) + packed))
            found.append(signed(field.value))
            packed = packed[field.end - 1 :]
        return found

    @cached_property
    def work(self):
        """The operators in it, by type."""
        return working(parsed_fields(only(self._attributes["graph_def"], TEXT)))


def working(graph):
    """Operators that do work of a GraphDef's fields, by type."""
    types = (only(parsed_fields(payload), OP).decode() for number, _, payload in graph if number == NODE)
    return Counter(kind for kind in types if kind not in NO_WORK)


class CompiledModel:
    """A result's folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = read_saved_model(self.folder)

    @property
    def bytes(self):
        """Of the SavedModel."""
        return (self.folder / "saved_model.pb").read_bytes()

    @cached_property
    def neuron_ops(self):
        """Its NeuronOps."""
        meta_graph = only(parsed_fields(self.bytes), META_GRAPH)
        nodes = parsed_fields(only(parsed_fields(meta_graph), GRAPH))
        messages = (payload for number, _, payload in nodes if number == NODE)
        return [NeuronOp(message) for message in messages if only(parsed_fields(message), OP) == b"NeuronOp"]

    @cached_property
    def neuron_op(self):
        """The only one."""
        (one,) = self.neuron_ops
        return one

    @cached_property
    def asked(self):
        """What the stand-in of the compiler was asked for."""
        return json.loads(self.neuron_op.executable)

    @cached_property
    def on_cpu(self):
        """Operators beside the NeuronOp that the outputs need, by type."""
        nodes, needed = self.model.graph.nodes, set()
        pending = [port.tensor for port in self.model.outputs.values()]
        while pending:
            name = pending.pop().lstrip("^").split(":")[0]
            if name not in needed:
                needed.add(name)
                pending += nodes[name].inputs
        return Counter(nodes[name].op for name in needed if nodes[name].op not in NO_WORK | {"NeuronOp"})

    @cached_property
    def stage(self):
        """stage.json."""
        return json.loads((self.folder / "stage.json").read_text())

    @cached_property
    def signature(self):
        """signature.json."""
        return json.loads((self.folder / "signature.json").read_text())

    @property
    def log(self):
        """The compiler's words."""
        return (self.folder / "compile.log").read_text()

    def interface(self, ports):
        """Names, types and shapes of "inputs" or "outputs", as the SavedModel itself has them."""
        return {name: (port.dtype, port.shape) for name, port in getattr(self.model, ports).items()}
