"""What came out of a compilation, judged."""

import collections
import typing

import tensorflow as tf
from operators import count_work
from stage import StageInputError

from stages import _saved_model


class Placement(typing.NamedTuple):
    """Operators that do work, type → how many, on the device and on the CPU; bytes of all executables together."""

    on_neuron: collections.Counter
    on_cpu: collections.Counter
    executable_bytes: int


def placement(meta_graph):
    """Where the operators are that the outputs need.

    Raises:
        StageInputError: nothing was compiled, or a NeuronOp is empty.
    """
    signature = meta_graph.signature_def[_saved_model.SIGNATURE]
    outputs = [_saved_model.node_of(info.name) for info in signature.outputs.values()]
    names = _saved_model.needed(meta_graph.graph_def, outputs)
    nodes = [node for node in meta_graph.graph_def.node if node.name in names]
    on_neuron, size = collections.Counter(), 0
    neuron_ops = [node for node in nodes if node.op == _saved_model.NEURON_OP]
    if not neuron_ops:
        raise StageInputError(
            "nothing was compiled: the result has no %s, all of it would run on the CPU" % _saved_model.NEURON_OP
        )
    for node in neuron_ops:
        executable = node.attr["executable"].s
        if not executable:
            raise StageInputError("the executable of %s is empty: neuron-cc made nothing of it" % node.name)
        size += len(executable)
        inside = tf.compat.v1.GraphDef.FromString(node.attr["graph_def"].s)
        on_neuron += count_work(inside.node)
    on_cpu = count_work(node for node in nodes if node.op != _saved_model.NEURON_OP)
    return Placement(on_neuron, on_cpu, size)


def share(placed):
    """The part of the operators that is on the device, 0 to 1."""
    on_neuron, on_cpu = sum(placed.on_neuron.values()), sum(placed.on_cpu.values())
    return on_neuron / float(on_neuron + on_cpu)


def require_same_signature(source, result, batch_size):
    """Make sure that inputs and outputs are the source's; their batch may have become the compiled one.

    Args:
        source: SignatureDef before.
        result: SignatureDef after.
        batch_size: rows compiled for.

    Raises:
        StageInputError: they differ.
    """
    for side in ("inputs", "outputs"):
        before, after = (_saved_model.ports(getattr(signature, side)) for signature in (source, result))
        if sorted(before) != sorted(after):
            raise StageInputError(
                "the compiled model's %s are %s, the source's %s" % (side, sorted(after), sorted(before))
            )
        for name in before:
            if before[name]["dtype"] != after[name]["dtype"] or not _fits(before[name], after[name], batch_size):
                raise StageInputError(
                    "the compiled model's %s is %s, the source's %s" % (name, _shown(after[name]), _shown(before[name]))
                )


def _fits(before, after, batch_size):
    """Whether a shape is another's, apart from a batch that was fixed and sizes that nobody knew before."""
    if before["shape"] is None:
        return True
    if after["shape"] is None or len(before["shape"]) != len(after["shape"]):
        return False
    pairs = list(zip(before["shape"], after["shape"]))
    return all(old in (-1, new) for old, new in pairs) and all(new in (-1, batch_size, old) for old, new in pairs[:1])


def _shown(port):
    return "%s%s" % (port["dtype"], port["shape"])
