"""The stand-in's NeuronOp: a TensorFlow function of that name, so that a node of that type is a call of it.

The function is generic, as the real operator is. The node's attributes are the real ones and two more, which name
functions of the graph's library: `stand_in_subgraph` computes the subgraph on the CPU; `stand_in_fixed` does the same
after checking that the inputs have the shapes compiled for, and is called unless one of `input_batch_axis` is 0. Like
the real operator it refuses to run with an empty `executable`.
"""

import hashlib

from google.protobuf import text_format
from tensorflow.core.framework import function_pb2, graph_pb2, node_def_pb2
from tensorflow.python import pywrap_tensorflow
from tensorflow.python.framework import c_api_util, importer, ops

NEURON_OP = "NeuronOp"

# Arguments have a type besides the attribute that lists their types: TensorFlow's Python insists on one, its core
# prefers the list. StringFormat is an operator whose string attribute can be looked at, Squeeze one for a list of
# integers: squeezing [1, 2, 1] leaves a first dimension of 2 where an axis is 0, of 1 where all are -1.
_FUNCTION = r"""
signature {
  name: "NeuronOp" is_stateful: true
  input_arg { name: "input_tensors" type: DT_FLOAT type_list_attr: "input_dtypes" }
  output_arg { name: "output_tensors" type: DT_FLOAT type_list_attr: "output_dtypes" }
  attr { name: "graph_def" type: "string" }
  attr { name: "input_names" type: "list(string)" }
  attr { name: "input_dtypes" type: "list(type)" has_minimum: true }
  attr { name: "input_shapes" type: "list(shape)" }
  attr { name: "output_names" type: "list(string)" }
  attr { name: "output_dtypes" type: "list(type)" has_minimum: true }
  attr { name: "output_shapes" type: "list(shape)" }
  attr { name: "executable" type: "string" default_value { s: "" } }
  attr { name: "input_batch_axis" type: "list(int)" default_value { list {} } }
  attr { name: "output_batch_axis" type: "list(int)" default_value { list {} } }
  attr { name: "model_config" type: "list(int)" default_value { list {} } }
  attr { name: "stand_in_subgraph" type: "func" }
  attr { name: "stand_in_fixed" type: "func" }
}
node_def {
  name: "executable" op: "StringFormat"
  attr { key: "T" value { list {} } }
  attr { key: "template" value { placeholder: "executable" } }
  attr { key: "placeholder" value { s: "\001no such text\002" } }
  attr { key: "summarize" value { i: 3 } }
}
node_def {
  name: "length" op: "StringLength" input: "executable:output:0"
  attr { key: "unit" value { s: "BYTE" } }
}
node_def {
  name: "zero" op: "Const"
  attr { key: "dtype" value { type: DT_INT32 } }
  attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape {} int_val: 0 } } }
}
node_def {
  name: "compiled" op: "Greater" input: "length:output:0" input: "zero:output:0"
  attr { key: "T" value { type: DT_INT32 } }
}
node_def {
  name: "message" op: "Const"
  attr { key: "dtype" value { type: DT_STRING } }
  attr { key: "value" value { tensor { dtype: DT_STRING tensor_shape {}
    string_val: "NeuronOp (a stand-in): its executable is empty; it was not compiled" } } }
}
node_def {
  name: "refuse" op: "Assert" input: "compiled:z:0" input: "message:output:0"
  attr { key: "T" value { list { type: DT_STRING } } }
  attr { key: "summarize" value { i: 3 } }
}
node_def {
  name: "probe" op: "Const"
  attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "value" value { tensor { dtype: DT_FLOAT
    tensor_shape { dim { size: 1 } dim { size: 2 } dim { size: 1 } } float_val: 0 } } }
}
node_def {
  name: "squeezed" op: "Squeeze" input: "probe:output:0"
  attr { key: "T" value { type: DT_FLOAT } }
  attr { key: "squeeze_dims" value { placeholder: "input_batch_axis" } }
}
node_def {
  name: "shape" op: "Shape" input: "squeezed:output:0"
  attr { key: "T" value { type: DT_FLOAT } }
  attr { key: "out_type" value { type: DT_INT32 } }
}
node_def {
  name: "first" op: "GatherV2" input: "shape:output:0" input: "zero:output:0" input: "zero:output:0"
  attr { key: "Tparams" value { type: DT_INT32 } }
  attr { key: "Tindices" value { type: DT_INT32 } }
  attr { key: "Taxis" value { type: DT_INT32 } }
  attr { key: "batch_dims" value { i: 0 } }
}
node_def {
  name: "two" op: "Const"
  attr { key: "dtype" value { type: DT_INT32 } }
  attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape {} int_val: 2 } } }
}
node_def {
  name: "any_batch" op: "Equal" input: "first:output:0" input: "two:output:0"
  attr { key: "T" value { type: DT_INT32 } }
}
node_def {
  name: "run" op: "If" input: "any_batch:z:0" input: "input_tensors" input: "^refuse"
  attr { key: "Tcond" value { type: DT_BOOL } }
  attr { key: "Tin" value { placeholder: "input_dtypes" } }
  attr { key: "Tout" value { placeholder: "output_dtypes" } }
  attr { key: "then_branch" value { placeholder: "stand_in_subgraph" } }
  attr { key: "else_branch" value { placeholder: "stand_in_fixed" } }
  attr { key: "output_shapes" value { list {} } }
}
ret { key: "output_tensors" value: "run:output" }
"""


def neuron_node(name, graph, inputs, outputs, sources, graph_def, executable=b"", batch_axes=None):
    """A NeuronOp that computes a graph.

    Args:
        name: of the node.
        graph: the subgraph.
        inputs: its placeholders, with the shapes to compile for.
        outputs: its outputs.
        sources: tensor names of the graph to put the node in, as a NodeDef says them.
        graph_def: serialized, for the attribute.
        executable: what the compiler made.
        batch_axes: (of the inputs, of the outputs); all -1 by default.

    Returns:
        (NodeDef, list of the FunctionDefs that its graph's library must have).
    """
    free = _function(graph, inputs, outputs)
    fixed = _checking(free, inputs)
    node = node_def_pb2.NodeDef(name=name, op=NEURON_OP, input=sources)
    node.attr["graph_def"].s = graph_def
    node.attr["executable"].s = executable
    for side, tensors, axes in zip(("input", "output"), (inputs, outputs), batch_axes or (None, None)):
        node.attr[side + "_names"].list.s.extend(tensor.name.encode() for tensor in tensors)
        node.attr[side + "_dtypes"].list.type.extend(tensor.dtype.as_datatype_enum for tensor in tensors)
        node.attr[side + "_shapes"].list.shape.extend(tensor.shape.as_proto() for tensor in tensors)
        node.attr[side + "_batch_axis"].list.i.extend([-1] * len(tensors) if axes is None else axes)
    node.attr["model_config"].list.SetInParent()
    node.attr["stand_in_subgraph"].func.name = free.signature.name
    node.attr["stand_in_fixed"].func.name = fixed.signature.name
    return node, [text_format.Parse(_FUNCTION, function_pb2.FunctionDef()), free, fixed]


def add_to_graph(node, functions, inputs, scope):
    """Put a node and its functions into the default graph; gives the operation."""
    piece = graph_pb2.GraphDef(node=[node])
    piece.versions.CopyFrom(ops.get_default_graph().as_graph_def().versions)
    piece.library.function.extend(functions)
    feeds = dict(zip(node.input, inputs))
    return importer.import_graph_def(piece, input_map=feeds, return_elements=[node.name], name=scope)[0]


def _function(graph, inputs, outputs):
    """A graph as a FunctionDef that is named by its content."""
    fed = {tensor.op for tensor in inputs}
    made = c_api_util.ScopedTFFunction(
        pywrap_tensorflow.TF_GraphToFunction_wrapper(
            graph._c_graph,
            "stand_in",
            False,
            [op._c_op for op in graph.get_operations() if op not in fed],
            [tensor._as_tf_output() for tensor in inputs],
            [tensor._as_tf_output() for tensor in outputs],
            [],
            [],
            [],
            None,
            "",
        )
    )
    with c_api_util.tf_buffer() as buffer:
        pywrap_tensorflow.TF_FunctionToFunctionDef(made.func, buffer)
        definition = function_pb2.FunctionDef.FromString(pywrap_tensorflow.TF_GetBuffer(buffer))
    digest = hashlib.sha256(definition.SerializeToString(deterministic=True)).hexdigest()[:16]
    definition.signature.name = "stand_in_subgraph_" + digest
    return definition


def _checking(free, inputs):
    """A function that checks the shapes of its inputs before it calls another one."""
    fixed = function_pb2.FunctionDef()
    fixed.signature.CopyFrom(free.signature)
    shapes = "".join(str(tensor.shape) for tensor in inputs)
    fixed.signature.name = free.signature.name + "_fixed_" + hashlib.sha256(shapes.encode()).hexdigest()[:8]
    call = node_def_pb2.NodeDef(name="stand_in_call", op="PartitionedCall")
    for index, (argument, tensor) in enumerate(zip(free.signature.input_arg, inputs)):
        check = fixed.node_def.add(name="stand_in_check_%d" % index, op="EnsureShape", input=[argument.name])
        check.attr["T"].type = argument.type
        check.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
        call.input.append(check.name + ":output:0")
    call.attr["Tin"].list.type.extend(argument.type for argument in free.signature.input_arg)
    call.attr["Tout"].list.type.extend(argument.type for argument in free.signature.output_arg)
    call.attr["f"].func.name = free.signature.name
    for name in ("config", "config_proto", "executor_type"):
        call.attr[name].s = b""
    fixed.node_def.append(call)
    for index, argument in enumerate(free.signature.output_arg):
        fixed.ret[argument.name] = "stand_in_call:output:%d" % index
    return fixed
