"""What a graph computes, counted."""

from operators import count_work

from stages._tensorflow import tf


def compute_operators(graph_def, outputs):
    """Operators that the outputs need, by type.

    Args:
        graph_def: a tf.GraphDef.
        outputs: names of nodes.

    Returns:
        collections.Counter of operator type → how many, without those that do no work.
    """
    return count_work(tf.compat.v1.graph_util.extract_sub_graph(graph_def, list(outputs)).node)
