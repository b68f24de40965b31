"""The device part by itself: what lies between the boundary tensors, over inputs of a fixed batch."""

import tensorflow as tf
from stage import StageInputError

from stages import _operators

# What has no place in it: work that a fixed shape makes needless, and what is only of use in training.
UNWANTED = frozenset(["Assert", "RandomUniform", "Shape", "StridedSlice"])


def device_operators(graph_def, graph, batch_size):
    """Count the device part's operators, having made sure that a fixed batch leaves no shape to the run time.

    Args:
        graph_def: of the whole graph.
        graph: a `_neuron_graph.NeuronGraph`.
        batch_size: the batch it is going to be compiled for.

    Returns:
        collections.Counter of operator type → how many, without those that do no work.

    Raises:
        StageInputError: an operator whose shape is not known before the run, or that has no place on a device.
    """
    outputs = [tensor.op.name for tensor in graph.device_outputs.values()]
    part = cut(graph_def, graph.device_inputs.values(), outputs, batch_size)
    with tf.Graph().as_default() as alone:
        tf.import_graph_def(part, name="")
        for operation in alone.get_operations():
            if operation.type in UNWANTED or not all(out.shape.is_fully_defined() for out in operation.outputs):
                raise StageInputError("%s (%s) cannot be compiled for a device" % (operation.name, operation.type))
    return _operators.compute_operators(part, outputs)


def cut(graph_def, inputs, outputs, batch_size):
    """The part of a graph between some tensors and some nodes, over placeholders of a fixed batch.

    Args:
        graph_def: a tf.GraphDef, left as it is.
        inputs: tensors [B, …] whose nodes become placeholders.
        outputs: names of nodes.
        batch_size: B.

    Returns:
        tf.GraphDef.
    """
    placeholders = {}
    with tf.Graph().as_default() as graph:
        for tensor in inputs:
            shape = [batch_size, *tensor.shape.as_list()[1:]]
            tf.compat.v1.placeholder(tensor.dtype, shape, name=tensor.op.name)
        placeholders.update((node.name, node) for node in graph.as_graph_def().node)
    changed = tf.compat.v1.GraphDef(versions=graph_def.versions)
    changed.node.extend(placeholders.get(node.name, node) for node in graph_def.node)
    return tf.compat.v1.graph_util.extract_sub_graph(changed, list(outputs))
