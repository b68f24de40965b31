"""A frozen graph: somebody else's, its inputs and outputs found by tracing, or ours, with its signature beside it."""

import os

from ir_file import read_signature
from stage import StageInputError

from bertbuild.graph.cutting import SCOPE, cut, sized, written
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import read_graph
from bertbuild.graph.node import GraphFormatError, parse_ref
from bertbuild.graph.outputs import UnknownOutputsError, find_outputs
from bertbuild.graph.roles import input_roles
from bertbuild.graph.sizes import input_sizes

GRAPH = "inference_graph.pb"


class Foreign(object):
    """What is known of a frozen graph.

    Attributes:
        content: the bytes of the GraphDef that is cut out of it, whose inputs are placeholders.
        inputs: role → tensor name of the placeholder.
        found: role → tensor name of what that takes the place of in the file.
        outputs: name → tensor name.
        per_position: names of the outputs whose second axis is the sequence.
        gelu: its form, or None.
        sizes: batch size and sequence length that are built in, None where free.
    """

    def __init__(self, content, found, outputs, per_position, gelu, sizes):
        self.content = content
        self.inputs = {role: "%s%s:0" % (SCOPE, role) for role in found}
        self.found = found
        self.outputs = outputs
        self.per_position = per_position
        self.gelu = gelu
        self.sizes = sizes


def read(path, wanted=None):
    """Read a frozen graph.

    Args:
        path: the .pb, or the folder of freeze or extract, whose signature says what its inputs and outputs are.
        wanted: outputs as `bertbuild.graph.outputs.find_outputs` takes them; None: those that the graph tells.

    Raises:
        StageInputError: not a GraphDef, variables not frozen, inputs not found, outputs not told, or computed by
            operators that may not run.
    """
    folder = path if os.path.isdir(path) else None
    path = path if folder is None else os.path.join(folder, GRAPH)
    try:
        graph = read_graph(path)
        variables = [node.name for node in graph.nodes.values() if node.op in ("VariableV2", "VarHandleOp", "Variable")]
        if variables:
            more = len(variables) - 1
            raise StageInputError("the graph is not frozen: %s and %d more are variables" % (variables[0], more))
        if folder is None:
            roles, gelu = input_roles(graph), gelu_form(graph)
            taken = find_outputs(graph, roles, wanted or "").taken
            outputs = {output.name: str(output.tensor) for output in taken}
            per_position = [output.name for output in taken if output.per_position]
        else:
            roles, outputs, per_position, gelu = read_signature(folder)
        sizes = input_sizes(graph, roles)
        found = cut(graph, roles, [parse_ref(tensor) for tensor in outputs.values()])
        content = written(path, sized(found, *sizes))
    except UnknownOutputsError as error:
        raise StageInputError("%s (%s)" % (error, "; ".join(error.candidates) or "none found")) from error
    except (GraphFormatError, OSError) as error:
        raise StageInputError(str(error)) from error
    return Foreign(content, roles, outputs, per_position, gelu, sizes)
