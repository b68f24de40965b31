"""Which operators go on the device, and the graph in which one NeuronOp replaces them."""

import hashlib
import os

from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import dtypes

from tensorflow_neuron import compiler
from tensorflow_neuron.folding import graph_of
from tensorflow_neuron.neuron_op import neuron_node

NEVER = ("Const", "Placeholder", "NoOp")


def largest_segment(graph, supported, no_fuse, force):
    """The largest convex part of a graph that can be fused, as operators in topological order.

    Forced operators are fused whatever `no_fuse` and `supported` say. Operators with unknown shapes, strings or control
    edges never are. Constants are not listed: they go where they are used. So does what is computed from constants
    alone, if nothing else uses it.
    """
    level, segments, constant = {}, {}, []
    for op in graph.get_operations():
        if op.type == "Const":
            continue
        wanted = op.name in force or (op.type in supported and op.name not in no_fuse)
        fused = wanted and _can_be_fused(op)
        above = [level[tensor.op] for tensor in op.inputs if tensor.op in level]
        if fused and not above:
            constant.append(op)
            continue
        # Fused levels are odd: leaving or entering the device is one level down, so no level holds a way round.
        level[op] = max([int(fused)] + [one if one % 2 == int(fused) else one + 1 for one in above])
        if fused:
            segments.setdefault(level[op], []).append(op)
    chosen = set(max(segments.values(), key=len, default=[]))
    for op in reversed(constant):
        consumers = [consumer for tensor in op.outputs for consumer in tensor.consumers()]
        if consumers and chosen.issuperset(consumers):
            chosen.add(op)
    return [op for op in graph.get_operations() if op in chosen]


def _can_be_fused(op):
    tensors = list(op.inputs) + op.outputs
    return (
        op.type not in NEVER
        and bool(op.outputs)
        and not op.control_inputs
        and not op._control_outputs
        and all(tensor.shape.is_fully_defined() and tensor.dtype != dtypes.string for tensor in tensors)
    )


class Fused:
    """A segment taken out of a graph: the subgraph, and what remains.

    Args:
        shaped: the graph with static shapes, which the segment is of.
        graph_def: the graph to cut; its nodes have the same names.
        segment: operators of `shaped`.
        kept: names of tensors that must stay available under their names.
    """

    def __init__(self, shaped, graph_def, segment, kept):
        self._shaped = shaped
        self._nodes = {node.name: node for node in graph_def.node}
        self._members = {op.name for op in segment}
        self._graph_def = graph_def
        self._kept = set(kept)
        self.sources = []
        self._subgraph_def = graph_pb2.GraphDef(versions=graph_def.versions)
        self._fill()
        self.graph = graph_of(self._subgraph_def)
        self.inputs = [self.graph.get_tensor_by_name(self._placeholder(name) + ":0") for name in self.sources]
        self.output_names = self._left_by(segment)
        self.outputs = [self.graph.get_tensor_by_name(name) for name in self.output_names]

    @property
    def subgraph_def(self):
        """The subgraph, its inputs as placeholders of static shape."""
        return self._subgraph_def

    def operator_name(self):
        """Scope and name of the NeuronOp."""
        scope = compiler.most_popular_scope(sorted(self._members))
        digest = hashlib.sha256("\n".join(sorted(self._members)).encode()).hexdigest()[:16]
        return os.path.join(scope, "neuron_op_" + digest)

    def spliced(self, executable, dynamic):
        """The graph with the NeuronOp in the segment's place."""
        name = self.operator_name()
        small = compiler.without_large_constants(self._subgraph_def).SerializeToString()
        axes = None
        if dynamic:
            free = graph_of(self._graph_def)
            axes = [[_batch_axis(free, tensor) for tensor in names] for names in (self.sources, self.output_names)]
        node, functions = neuron_node(
            name, self.graph, self.inputs, self.outputs, self.sources, small, executable, axes
        )
        node.attr["model_config"].list.i.extend(compiler.model_config(executable))
        made = graph_pb2.GraphDef(versions=self._graph_def.versions, library=self._graph_def.library)
        made.library.function.extend(functions)
        made.node.extend(old for old in self._graph_def.node if old.name not in self._members)
        renamed = {_edge(old): _edge("%s:%d" % (name, index)) for index, old in enumerate(self.output_names)}
        for old in made.node:
            old.input[:] = [renamed.get(source, source) for source in old.input]
        made.node.append(node)
        for tensor, dtype in ((t, o.dtype) for t, o in zip(self.output_names, self.outputs) if t in self._kept):
            same = made.node.add(name=tensor.split(":")[0], op="Identity", input=[renamed[_edge(tensor)]])
            same.attr["T"].type = dtype.as_datatype_enum
        return made

    def _fill(self):
        """Copy the segment, constants it uses, and placeholders for all else it uses."""
        constants = set()
        for name in sorted(self._members):
            copy = self._subgraph_def.node.add()
            copy.CopyFrom(self._nodes[name])
            for index, source in enumerate(copy.input):
                producer = source.split(":")[0]
                if producer in self._members:
                    continue
                if self._nodes[producer].op == "Const":
                    constants.add(producer)
                    continue
                if source not in self.sources:
                    self.sources.append(source)
                copy.input[index] = self._placeholder(source)
        for name in sorted(constants):
            copy = self._subgraph_def.node.add()
            copy.CopyFrom(self._nodes[name])
            del copy.input[:]  # control edges
        for source in self.sources:
            tensor = self._shaped.get_tensor_by_name(_tensor(source))
            node = self._subgraph_def.node.add(name=self._placeholder(source), op="Placeholder")
            node.attr["dtype"].type = tensor.dtype.as_datatype_enum
            node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())

    def _placeholder(self, source):
        producer, _, index = source.partition(":")
        return "%s/_%s" % (producer, index or "0")

    def _left_by(self, segment):
        """Names of the tensors that others use, or that must stay."""
        used = {source for node in self._graph_def.node if node.name not in self._members for source in node.input}
        used |= {_edge(name) for name in self._kept}
        return [tensor.name for op in segment for tensor in op.outputs if _edge(tensor.name) in used]


def _batch_axis(graph, name):
    shape = graph.get_tensor_by_name(_tensor(name)).shape
    return 0 if shape.rank and shape.as_list()[0] is None else -1


def _tensor(edge):
    """`a` as a graph says it: `a:0`."""
    return edge if ":" in edge else edge + ":0"


def _edge(tensor_name):
    """`a:0` as a NodeDef says it: `a`."""
    name, _, index = tensor_name.partition(":")
    return tensor_name if index not in ("", "0") else name
