"""A frozen graph written node by node, so that no more than one tensor is ever held in memory.

`tf.graph_util.convert_variables_to_constants` holds the weights about five times over (session, NumPy, TensorProto,
GraphDef, serialised string). A GraphDef is a protobuf message whose repeated field 1 is the nodes, and repeated fields
may be written one after the other: https://protobuf.dev/programming-guides/encoding/.
"""

import collections

from stage import StageInputError

from bertbuild.graph import wire
from stages._tensorflow import as_of_1, tf

LARGEST_GRAPH = 2**31 - 1  # protobuf refuses to read a message of 2 GiB or more

# Field numbers of tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto.
GRAPH_NODE, GRAPH_VERSIONS = 1, 4
NODE_NAME, NODE_OP, NODE_ATTR = 1, 2, 5
MAP_KEY, MAP_VALUE = 1, 2
ATTR_TYPE, ATTR_TENSOR = 6, 8
TENSOR_DTYPE, TENSOR_SHAPE, TENSOR_CONTENT = 1, 2, 4


def write_frozen_graph(path, graph_def, weights=(), read_tensor=None):
    """Write `graph_def` to `path` with each node of `weights` replaced by a Const of the checkpoint's value.

    Args:
        path: the file to write.
        graph_def: a tf.GraphDef that holds nothing but what the outputs need.
        weights: names of nodes that stand for variables.
        read_tensor: function of a variable's name → NumPy array.

    Returns:
        collections.Counter of operators written, and the file's size in bytes.

    Raises:
        StageInputError: the result would be 2 GiB or more, which no reader of GraphDef accepts.
    """
    operators = collections.Counter()
    with open(path, "wb") as file:
        for node in graph_def.node:
            if node.name in weights:
                operators["Const"] += 1
                _write_constant(file, node, read_tensor(node.name))
            else:
                operators[node.op] += 1
                _write_field(file, GRAPH_NODE, as_of_1(node).SerializeToString(deterministic=True))
            if file.tell() > LARGEST_GRAPH:
                raise StageInputError("the frozen graph would be 2 GiB or more, the most a GraphDef can hold")
        _write_field(file, GRAPH_VERSIONS, graph_def.versions.SerializeToString(deterministic=True))
        return operators, file.tell()


def _write_constant(file, node, array):
    expected = [dim.size for dim in node.attr["shape"].shape.dim]
    if list(array.shape) != expected:
        raise StageInputError("%s has shape %s in the checkpoint, %s in the graph" % (node.name, array.shape, expected))
    dtype = tf.as_dtype(array.dtype).as_datatype_enum
    shape = tf.TensorShape(array.shape).as_proto().SerializeToString(deterministic=True)
    content = memoryview(array).cast("B") if array.ndim else array.tobytes()
    tensor = (
        wire.encode_number(TENSOR_DTYPE, dtype)
        + wire.encode_bytes(TENSOR_SHAPE, shape)
        + _open_field(TENSOR_CONTENT, len(content))
    )
    value = _open_field(ATTR_TENSOR, len(tensor) + len(content))
    value_bytes = len(value) + len(tensor) + len(content)
    entry = wire.encode_bytes(MAP_KEY, b"value") + _open_field(MAP_VALUE, value_bytes)
    attr_value = _open_field(NODE_ATTR, len(entry) + value_bytes) + entry + value + tensor
    dtype_entry = wire.encode_bytes(MAP_KEY, b"dtype") + wire.encode_bytes(
        MAP_VALUE, wire.encode_number(ATTR_TYPE, dtype)
    )
    head = (
        wire.encode_bytes(NODE_NAME, node.name.encode())
        + wire.encode_bytes(NODE_OP, b"Const")
        + wire.encode_bytes(NODE_ATTR, dtype_entry)
        + attr_value
    )
    file.write(_open_field(GRAPH_NODE, len(head) + len(content)))
    file.write(head)
    file.write(content)


def _open_field(number, length):
    return wire.encode_tag(number, wire.LENGTH_DELIMITED) + wire.encode_varint(length)


def _write_field(file, number, payload):
    file.write(wire.encode_bytes(number, payload))
