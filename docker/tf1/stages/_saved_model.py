"""SavedModels written so that the same model gives the same bytes, and loaded."""

import os

from saved_models import read_for_serving, write_for_serving
from stage import StageInputError

from stages import _half_products
from stages._tensorflow import as_of_1, tf


def write(folder, session, inputs, outputs):
    """Save the session's graph and variables, tagged "serve", with the signature serving_default.

    Args:
        folder: an empty folder.
        session: a tf.Session whose variables hold their values.
        inputs: name → tensor.
        outputs: name → tensor.
    """
    tf.compat.v1.saved_model.simple_save(session, folder, inputs, outputs)
    meta_graph = read_for_serving(folder)
    for node in meta_graph.graph_def.node:
        as_of_1(node)
    write_for_serving(folder, meta_graph)


def load(folder, session):
    """Load a SavedModel and its variables into a session, products of float16 accumulated in float32.

    Raises:
        StageInputError: TensorFlow cannot load it.
    """
    graph = read_for_serving(folder)
    try:
        _half_products.accumulate_in_float32(graph.graph_def)
        saver = tf.compat.v1.train.import_meta_graph(graph)
        if saver is not None:
            saver.restore(session, os.path.join(folder, "variables", "variables"))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise StageInputError("TensorFlow cannot load %s: %s" % (folder, error)) from error
