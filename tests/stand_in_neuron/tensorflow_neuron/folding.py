"""Shape arithmetic that fixed input shapes decide, replaced by constants under the same names."""

import numpy as np
from tensorflow.core.framework import graph_pb2
from tensorflow.python.client import session
from tensorflow.python.framework import dtypes, importer, ops, tensor_util

SHAPE_READERS = ("Shape", "Size", "Rank")
ARITHMETIC = frozenset(
    """
    Add AddV2 Cast Concat ConcatV2 ExpandDims FloorDiv Identity Maximum Minimum Mul Pack Prod Range Reshape Slice
    Squeeze StridedSlice Sub Tile
    """.split()  # noqa: SIM905 - it reads as a list
)
INTEGERS = (dtypes.int32, dtypes.int64)
LARGEST = 1024
"""Elements of the largest constant that is looked at."""


def graph_of(graph_def):
    """A GraphDef as a graph, the shapes inferred."""
    graph = ops.Graph()
    with graph.as_default():
        importer.import_graph_def(graph_def, name="")
    return graph


def with_input_shapes(graph_def, shapes):
    """A GraphDef whose placeholders have these shapes (name → list), and whose shapes are to be inferred again."""
    shaped = graph_pb2.GraphDef()
    shaped.CopyFrom(graph_def)
    for node in shaped.node:
        node.attr.pop("_output_shapes", None)
        if node.name in shapes:
            shape = node.attr["shape"].shape
            shape.Clear()
            for size in shapes[node.name]:
                shape.dim.add().size = size
    return shaped


def folded(graph_def):
    """A GraphDef in which integers that follow from static shapes are constants."""
    while True:
        values = _known_values(graph_def)
        if not values:
            return graph_def
        graph_def = _with_constants(graph_def, values)


def _known_values(graph_def):
    """Operator name → value, for integers that are not yet constants and can be."""
    graph = graph_of(graph_def)
    shapes, known = {}, set()
    for op in graph.get_operations():
        if op.type == "Const":
            if op.outputs[0].shape.num_elements() <= LARGEST:
                known.add(op)
        elif len(op.outputs) != 1 or op.outputs[0].dtype not in INTEGERS or op.control_inputs:
            continue
        elif op.type in SHAPE_READERS:
            value = tensor_util.constant_value(op.outputs[0])
            if value is not None:
                shapes[op.name] = value
                known.add(op)
        elif op.type in ARITHMETIC and all(tensor.op in known for tensor in op.inputs):
            known.add(op)
    wanted = [op.name for op in known if op.type != "Const" and op.name not in shapes]
    if wanted:
        with session.Session(graph=graph_of(_with_constants(graph_def, shapes))) as sess:
            shapes.update(zip(wanted, sess.run([name + ":0" for name in wanted])))
    return shapes


def _with_constants(graph_def, values):
    constant = graph_pb2.GraphDef()
    constant.CopyFrom(graph_def)
    for node in constant.node:
        if node.name in values:
            value = np.asarray(values[node.name])
            del node.input[:]
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = dtypes.as_dtype(value.dtype).as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value))
    return constant
