"""SavedModels of one graph, tagged "serve", as messages: read, frozen, written."""

import os

import tensorflow as tf
from saved_models import read_for_serving, write_for_serving
from stage import StageInputError
from tensorflow.core.protobuf import meta_graph_pb2

from bertbuild.graph.saved_model import FILE, SIGNATURE, TAG

NEURON_OP = "NeuronOp"
LARGEST = 2**31 - 1  # protobuf refuses to read a message of 2 GiB or more


def read(folder):
    """The MetaGraphDef for serving of a folder; its variables are not read.

    Raises:
        StageInputError: there is none, or it has no signature serving_default.
    """
    meta_graph = read_for_serving(folder)
    if SIGNATURE not in meta_graph.signature_def:
        raise StageInputError("%s has no signature %s" % (folder, SIGNATURE))
    return meta_graph


def freeze(folder, meta_graph, outputs):
    """The graph of a SavedModel of reference variables (VariableV2) with their values as constants.

    No session holds the weights besides: each goes from the checkpoint into the graph.

    Args:
        folder: of the SavedModel.
        meta_graph: as `read` gives it.
        outputs: names of the nodes that are wanted.

    Returns:
        a tf.GraphDef of what they need.
    """
    reader = _variables(folder)
    names = needed(meta_graph.graph_def, outputs)
    frozen = tf.compat.v1.GraphDef(versions=meta_graph.graph_def.versions)
    for node in meta_graph.graph_def.node:
        if node.name in names and node.op == "VariableV2":
            value = reader.get_tensor(node.name)
            constant = frozen.node.add(name=node.name, op="Const")
            constant.attr["dtype"].type = node.attr["dtype"].type
            tensor = constant.attr["value"].tensor
            tensor.dtype = node.attr["dtype"].type
            tensor.tensor_shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
            tensor.tensor_content = value.tobytes()
        elif node.name in names:
            frozen.node.add().CopyFrom(node)
    return frozen


def needed(graph_def, outputs, ends=()):
    """The names of the nodes that the outputs need; what the nodes of `ends` need does not count.

    Raises:
        StageInputError: the graph has no such node.
    """
    sources = {node.name: node.input for node in graph_def.node}
    found, left = set(), list(outputs)
    while left:
        name = left.pop()
        if name not in sources:
            raise StageInputError("the SavedModel's graph has no node %s; make the model again" % name)
        if name not in found:
            found.add(name)
            if name not in ends:
                left += [node_of(source.lstrip("^")) for source in sources[name]]
    return found


def _variables(folder):
    """A reader of the values of a SavedModel's variables.

    Raises:
        StageInputError: there are none, or they are damaged.
    """
    try:
        return tf.train.load_checkpoint(os.path.join(folder, "variables", "variables"))
    except (ValueError, tf.errors.OpError) as error:
        raise StageInputError("the variables of %s cannot be read: %s" % (folder, error)) from error


def parameters(folder):
    """How many numbers the variables of a SavedModel hold; without variables, its graph has about as many."""
    if not os.path.exists(os.path.join(folder, "variables", "variables.index")):
        return os.path.getsize(os.path.join(folder, FILE)) // 4  # bytes of a float32
    reader = _variables(folder)
    return sum(tf.TensorShape(shape).num_elements() for shape in reader.get_variable_to_shape_map().values())


def write(folder, graph_def, signature):
    """Write a graph without variables and its signature: same graph, same bytes.

    Raises:
        StageInputError: it is 2 GiB or more.
    """
    meta_graph = meta_graph_pb2.MetaGraphDef()
    meta_graph.meta_info_def.tags.append(TAG)
    meta_graph.meta_info_def.tensorflow_version = tf.version.VERSION
    meta_graph.meta_info_def.tensorflow_git_version = tf.version.GIT_VERSION
    meta_graph.graph_def.CopyFrom(graph_def)
    meta_graph.signature_def[SIGNATURE].CopyFrom(signature)
    rewrite(folder, meta_graph)


def rewrite(folder, meta_graph):
    """Write a MetaGraphDef as the SavedModel of a folder, whose variables stay; same graph, same bytes.

    Raises:
        StageInputError: it is 2 GiB or more.
    """
    require_small(meta_graph.ByteSize())
    for node in meta_graph.graph_def.node:
        if node.op == NEURON_OP:
            inside = tf.compat.v1.GraphDef.FromString(node.attr["graph_def"].s)
            node.attr["graph_def"].s = inside.SerializeToString(deterministic=True)
    write_for_serving(folder, meta_graph)


def require_small(size):
    """Make sure that a message of so many bytes can be read again.

    Raises:
        StageInputError: it is 2 GiB or more.
    """
    if size > LARGEST:
        raise StageInputError(
            "the compiled model would be %.1f GiB, and a SavedModel's graph can hold 2 at most; compile it in half the "
            "bytes: --compute float16 when making it ready for Neuron" % (size / 2.0**30)
        )


def ports(infos):
    """Tensor, dtype and shape (-1: free; None: of any rank) of each TensorInfo of a signature, by name."""
    return {
        name: {
            "tensor": info.name,
            "dtype": tf.as_dtype(info.dtype).name,
            "shape": None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim],
        }
        for name, info in infos.items()
    }


def node_of(tensor):
    """The name of a tensor's node: "device/logits:0" → "device/logits"."""
    return tensor.split(":")[0]
