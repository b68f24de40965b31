"""The ends of a graph: placeholders in, named outputs out."""

from stages._tensorflow import as_of_1, tf

ROLES = ("input_ids", "input_mask", "segment_ids")
PUBLISHED_LENGTH = 128


def placeholders(batch, seq_len, names=ROLES):
    """Three int32 placeholders of shape [batch, seq_len] (None: free), in the order ids, mask, segments."""
    return [tf.compat.v1.placeholder(tf.int32, [batch, seq_len], name=name) for name in names]


def published_placeholders(config, least=0):
    """The inputs of the published form: three int32 placeholders [1, 128] under TensorFlow's default names.

    Args:
        config: whose position table they may not be longer than.
        least: where this is longer, it is the length.
    """
    shape = [1, min(max(PUBLISHED_LENGTH, least), config.max_position_embeddings)]
    return [tf.compat.v1.placeholder(tf.int32, shape) for _ in range(3)]


def ends(tensors):
    """The tensors, each the only one of a node that nothing reads: converters take for outputs all of such nodes.

    Args:
        tensors: dict of output name → tensor.

    Returns:
        likewise.
    """
    return {
        name: tf.identity(tensor, name) if tensor.consumers() or len(tensor.op.outputs) > 1 else tensor
        for name, tensor in tensors.items()
    }


def write_meta_graph(saver, path):
    """Write the default graph and its saver as a .meta: same graph, same bytes (protobuf's maps have no order else)."""
    meta_graph = saver.export_meta_graph(clear_devices=True)
    for node in meta_graph.graph_def.node:
        as_of_1(node)
    with open(path, "wb") as file:
        file.write(meta_graph.SerializeToString(deterministic=True))


def describe(tensors):
    """Name, dtype and shape (-1: free; None: of any rank) of each tensor of a dict, as JSON wants it."""
    return {
        name: {
            "tensor": tensor.name,
            "dtype": tensor.dtype.base_dtype.name,
            "shape": _sizes(tensor.shape),
        }
        for name, tensor in tensors.items()
    }


def _sizes(shape):
    return None if shape.rank is None else [-1 if size is None else size for size in shape.as_list()]


def packages():
    """Versions of what makes the graph."""
    import pkg_resources

    names = ("bert-tensorflow", "numpy", "protobuf")
    versions = {name: pkg_resources.get_distribution(name).version for name in names}
    return dict(versions, tensorflow=tf.__version__)  # whose distribution may be called tensorflow-cpu
