"""The device part of a neuron-ready model compiled as one subgraph, with the batch left free.

As in AWS's BERT demo: the compiler gets a graph of a fixed batch; the NeuronOp that holds the result says that axis 0
of all its inputs and outputs is the batch, so that the runtime cuts and pads any batch into such pieces.
"""

import typing

import tensorflow as tf

from stages import _saved_model

NAME = "device/neuron_op"


class Compiled(typing.NamedTuple):
    """A NeuronOp as NodeDef; input name → its position, output name → its position; the functions of its graph."""

    node: typing.Any
    inputs: typing.Dict[str, int]
    outputs: typing.Dict[str, int]
    library: typing.Any


def device_part(frozen, device):
    """The nodes between the boundaries of the device part, without the boundary of its inputs.

    Args:
        frozen: tf.GraphDef of the whole model without variables.
        device: "device" of the neuron-ready signature.json.

    Returns:
        a tf.GraphDef; the boundary's nodes are named in it, and not there.
    """
    inputs, outputs = _boundary(device["inputs"]), _boundary(device["outputs"])
    names = _saved_model.needed(frozen, outputs, inputs) - inputs
    part = tf.compat.v1.GraphDef(versions=frozen.versions)
    part.node.extend(node for node in frozen.node if node.name in names)
    return part


def compile_part(fuse, part, device, batch_size):
    """Compile the device part for a fixed batch.

    Args:
        fuse: `tensorflow.neuron.fuse` with its options.
        part: as `device_part` gives it.
        device: as there.
        batch_size: rows that one run on the device takes.

    Returns:
        a `Compiled`.
    """
    names = sorted(device["outputs"])

    def build(*inputs):
        feeds = {port["tensor"]: tensor for (_, port), tensor in zip(sorted(device["inputs"].items()), inputs)}
        wanted = [device["outputs"][name]["tensor"] for name in names]
        return tf.import_graph_def(part, input_map=feeds, return_elements=wanted, name="")

    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        inputs = {
            name: tf.compat.v1.placeholder(port["dtype"], [batch_size, *port["shape"][1:]], name=name)
            for name, port in sorted(device["inputs"].items())
        }
        outputs = fuse(build)(*inputs.values())
        # What is run first in a session starts the compiler; the NeuronOp itself needs a device, and is not run.
        session.run(tf.no_op())
        operation = outputs[0].op
        _saved_model.require_small(len(operation.get_attr("executable")))
        graph_def = graph.as_graph_def()
        positions = {tensor.op.name: index for index, tensor in enumerate(operation.inputs)}
        return Compiled(
            node=next(node for node in graph_def.node if node.name == operation.name),
            inputs={name: positions[tensor.op.name] for name, tensor in inputs.items()},
            outputs={name: tensor.value_index for name, tensor in zip(names, outputs)},
            library=graph_def.library,
        )


def assemble(frozen, device, compiled, outputs):
    """The whole model with the NeuronOp in the place of the device part.

    Args:
        frozen: as for `device_part`.
        device: as there.
        compiled: a `Compiled`.
        outputs: names of the nodes that are wanted.

    Returns:
        a tf.GraphDef of what they need.
    """
    whole = tf.compat.v1.GraphDef(versions=frozen.versions, library=compiled.library)
    sources = {_saved_model.node_of(port["tensor"]): name for name, port in device["outputs"].items()}
    host = _saved_model.needed(frozen, outputs, sources) | _saved_model.needed(frozen, _boundary(device["inputs"]))
    whole.node.extend(node for node in frozen.node if node.name in host)
    for node in whole.node:
        if node.name in sources:
            node.input[:] = ["%s:%d" % (NAME, compiled.outputs[sources[node.name]])]
    neuron = whole.node.add()
    neuron.CopyFrom(compiled.node)
    neuron.name = NAME
    by_position = sorted(compiled.inputs, key=compiled.inputs.get)
    neuron.input[:] = [_saved_model.node_of(device["inputs"][name]["tensor"]) for name in by_position]
    neuron.attr["input_batch_axis"].list.i[:] = [0] * len(by_position)
    neuron.attr["output_batch_axis"].list.i[:] = [0] * len(neuron.attr["output_names"].list.s)
    return whole


def _boundary(ports):
    return {_saved_model.node_of(port["tensor"]) for port in ports.values()}
