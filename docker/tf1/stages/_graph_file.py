"""A graph written node by node, so that it is not held in memory a second time.

A GraphDef is a protobuf message whose repeated field 1 is the nodes, and repeated fields may be written one after the
other: https://protobuf.dev/programming-guides/encoding/.
"""

import collections

from stage import StageInputError

from bertbuild.graph import wire
from stages._tensorflow import as_of_1

LARGEST_GRAPH = 2**31 - 1  # protobuf refuses to read a message of 2 GiB or more
GRAPH_NODE, GRAPH_VERSIONS = 1, 4  # tensorflow/core/framework/graph.proto


def write_frozen_graph(path, graph_def):
    """Write `graph_def` to `path`.

    Args:
        path: the file to write.
        graph_def: a tf.GraphDef that holds nothing but what the outputs need.

    Returns:
        collections.Counter of operators written, and the file's size in bytes.

    Raises:
        StageInputError: the result would be 2 GiB or more, which no reader of GraphDef accepts.
    """
    operators = collections.Counter(node.op for node in graph_def.node)
    with open(path, "wb") as file:
        for node in graph_def.node:
            _write_field(file, GRAPH_NODE, as_of_1(node).SerializeToString(deterministic=True))
            if file.tell() > LARGEST_GRAPH:
                raise StageInputError("the frozen graph would be 2 GiB or more, the most a GraphDef can hold")
        _write_field(file, GRAPH_VERSIONS, graph_def.versions.SerializeToString(deterministic=True))
        return operators, file.tell()


def _write_field(file, number, payload):
    file.write(wire.encode_bytes(number, payload))
