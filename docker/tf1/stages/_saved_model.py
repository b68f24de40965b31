"""SavedModels written so that the same model gives the same bytes, and loaded."""

import os

from saved_models import read_for_serving, write_for_serving
from stage import StageInputError

from bertbuild.graph.cutting import cut, written
from bertbuild.graph.node import GraphFormatError, parse_ref
from bertbuild.graph.saved_model import FILE
from stages import _cut_graph
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


def load(folder, model, tensors, session):
    """Take what some outputs of a SavedModel need into a session, with its variables.

    Args:
        folder: of it.
        model: what `bertbuild.graph.saved_model.read_saved_model` says of it.
        tensors: names of the outputs' tensors.
        session: a tf.Session.

    Returns:
        role → the placeholder that takes it.

    Raises:
        StageInputError: operators that may not run, or TensorFlow cannot load it.
    """
    path = os.path.join(folder, FILE)
    prefix = os.path.join(folder, "variables", "variables")
    try:
        found = cut(model.graph, model.roles(), [parse_ref(tensor) for tensor in tensors])
        if found.variables:
            reader = tf.train.NewCheckpointReader(prefix)
            _cut_graph.check_variables(model.graph, found.variables, reader, path)
        content = written(path, found, meta=True, span=model.span)
        _cut_graph.load(content, path, session, found.variables, prefix)
    except GraphFormatError as error:
        raise StageInputError("%s cannot be run: %s" % (path, str(error).rstrip("."))) from error
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise StageInputError("TensorFlow cannot load %s: %s" % (folder, error)) from error
    return _cut_graph.feeds(session, found)
