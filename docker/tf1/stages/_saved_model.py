"""SavedModels: written so that the same model gives the same bytes, loaded, and read without loading."""

import os
import re

import tensorflow as tf
from stage import StageInputError
from tensorflow.core.protobuf import saved_model_pb2

from bertbuild.graph.saved_model import FILE, TAG
from stages import _half_products

RANDOM_NAME = re.compile(rb"^_temp_[0-9a-f]{32}/part$")


def write(folder, session, inputs, outputs):
    """Save the session's graph and variables, tagged "serve", with the signature serving_default.

    Args:
        folder: an empty folder.
        session: a tf.Session whose variables hold their values.
        inputs: name → tensor.
        outputs: name → tensor.
    """
    tf.compat.v1.saved_model.simple_save(session, folder, inputs, outputs)
    # Bytes would differ from run to run: protobuf's maps have no order of their own, and the Saver writes a random name
    # of the temporary files it would use, were the loaded model ever saved again.
    message = read(folder)
    for graph in message.meta_graphs:
        for node in graph.graph_def.node:
            names = node.attr["value"].tensor.string_val if node.op == "Const" else []
            names[:] = [RANDOM_NAME.sub(b"_temp/part", name) for name in names]
    with open(os.path.join(folder, FILE), "wb") as file:
        file.write(message.SerializeToString(deterministic=True))


def read(folder):
    """The SavedModel message of a folder; nothing of its variables is read."""
    message = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, FILE), "rb") as file:
        message.ParseFromString(file.read())
    return message


def meta_graph(folder):
    """The MetaGraphDef tagged "serve", or the only one there is."""
    graphs = list(read(folder).meta_graphs)
    return next((graph for graph in graphs if TAG in graph.meta_info_def.tags), graphs[0])


def load(folder, session):
    """Load that graph and its variables into a session, its products of float16 accumulated in float32.

    Raises:
        StageInputError: TensorFlow cannot load it.
    """
    try:
        graph = meta_graph(folder)
        _half_products.accumulate_in_float32(graph.graph_def)
        saver = tf.compat.v1.train.import_meta_graph(graph)
        if saver is not None:
            saver.restore(session, os.path.join(folder, "variables", "variables"))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise StageInputError("TensorFlow cannot load %s: %s" % (folder, error)) from error
