"""What a graph computes, counted: constants, variables and mere names of tensors are no work."""

import collections

import tensorflow as tf

NO_WORK = frozenset(
    ["Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp", "VarHandleOp", "Variable", "VariableV2"]
)


def compute_operators(graph_def, outputs):
    """Operators that the outputs need, by type.

    Args:
        graph_def: a tf.GraphDef.
        outputs: names of nodes.

    Returns:
        collections.Counter of operator type → how many, without those that do no work.
    """
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, list(outputs))
    return collections.Counter(node.op for node in needed.node if node.op not in NO_WORK)
