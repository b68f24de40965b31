"""A frozen graph made by somebody else: its inputs found by tracing, its outputs by what they are."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from stage import StageInputError

from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import GraphFormatError, parse_ref, read_graph
from bertbuild.graph.roles import input_roles

KNOWN_OUTPUTS = (("pooler/dense/Tanh", "pooled_output"), ("loss/Softmax", "probabilities"))
NOT_OUTPUTS = ("Assert", "NoOp", "Const", "Placeholder")


class Foreign(object):
    """What is known of a frozen graph: graph_def, roles (role → tensor name), outputs (name → tensor name), gelu."""

    def __init__(self, graph_def, graph, roles, outputs, gelu):
        self.graph_def = graph_def
        self.graph = graph
        self.roles = roles
        self.outputs = outputs
        self.gelu = gelu

    def input_shape(self, role):
        """[batch, sequence length] of an input as the graph declares it, None where it is free or not told."""
        ref = parse_ref(self.roles[role])
        node = self.graph.nodes[ref.node]
        shapes = node.output_shapes()
        shape = shapes[ref.port] if ref.port < len(shapes) else node.shape()
        if shape is None or len(shape) != 2:
            return [None, None]
        return [None if size < 0 else size for size in shape]

    def fixed_size(self, axis):
        """The one size that the graph takes along an axis (0 batch, 1 sequence), or None."""
        sizes = {self.input_shape(role)[axis] for role in self.roles} - {None}
        if len(sizes) > 1:
            raise StageInputError("the graph's inputs disagree on their shape: %s" % sorted(sizes))
        return sizes.pop() if sizes else None


def read(path):
    """Read a frozen graph.

    Raises:
        StageInputError: not a GraphDef, variables not frozen, inputs not found, or no output of a known kind.
    """
    try:
        graph = read_graph(path)
        roles = input_roles(graph)
        gelu = gelu_form(graph)
    except GraphFormatError as error:
        raise StageInputError(str(error)) from error
    variables = [node.name for node in graph.nodes.values() if node.op in ("VariableV2", "VarHandleOp", "Variable")]
    if variables:
        raise StageInputError("the graph is not frozen: %s and %d more are variables" % (variables[0], len(variables)))
    graph_def = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph_def.ParseFromString(file.read())
    return Foreign(graph_def, graph, roles, _outputs(graph), gelu)


def _outputs(graph):
    read_by_others = {ref.node for node in graph.nodes.values() for ref in node.data_inputs}
    ends = [name for name, node in graph.nodes.items() if name not in read_by_others and node.op not in NOT_OUTPUTS]
    found = {}
    for name in ends:
        for ending, output in KNOWN_OUTPUTS:
            if name.endswith(ending):
                found[output] = name + ":0"
        if name.endswith("LayerNorm/batchnorm/add_1") or name.startswith("bert/encoder/Reshape"):
            found["sequence_output"] = name + ":0"
    if not found:
        raise StageInputError("no output of a known kind (pooled, sequence, probabilities) among %s" % ", ".join(ends))
    return found
