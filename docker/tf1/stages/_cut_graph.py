"""A graph that was cut out of a file (bertbuild.graph.cutting), taken by TensorFlow, and its variables restored.

Nothing else of a file is given to TensorFlow: it runs operators without being asked, where it takes a graph in.
"""

from stage import StageInputError

from bertbuild.graph.cutting import SCOPE
from stages import _half_products
from stages._tensorflow import importing, tf


def as_message(content):
    """The bytes of a GraphDef as a tf.GraphDef."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(content)
    return graph_def


def load(content, path, session, variables=(), prefix=None):
    """Take a graph into the session's, and restore its variables by TensorFlow's Saver.

    Its products of float16 are accumulated in float32.

    Args:
        content: the bytes of a GraphDef.
        path: of the file it comes from, for messages.
        session: a tf.Session.
        variables: names of nodes that hold variables, which the checkpoint has under the same names.
        prefix: of the checkpoint.

    Raises:
        StageInputError: TensorFlow does not take the graph, or the checkpoint is of another one.
    """
    graph_def = as_message(content)
    _half_products.accumulate_in_float32(graph_def)
    with importing(path):
        tf.import_graph_def(graph_def, name="")
        if variables:
            held = {name: _variable(session.graph, name) for name in variables}
            tf.compat.v1.train.Saver(held).restore(session, prefix)


def feeds(session, cut):
    """Role → the placeholder that takes it."""
    return {role: session.graph.get_tensor_by_name("%s%s:0" % (SCOPE, role)) for role in cut.inputs}


def check_variables(graph, names, reader, what):
    """Raise StageInputError for a variable that the checkpoint lacks or has in another shape; `what` is the graph."""
    shapes = reader.get_variable_to_shape_map()
    for name in names:
        expected = graph.nodes[name].shape()
        if name not in shapes:
            raise StageInputError("%s has a variable %s, and the checkpoint has none" % (what, name))
        if expected is not None and list(expected) != list(shapes[name]):
            message = "%s is of another model: %s has shape %s in it, and %s in the checkpoint"
            raise StageInputError(message % (what, name, list(expected), list(shapes[name])))


def _variable(graph, name):
    """A variable's tensor, as a Saver takes it: of a resource one that reads it."""
    operation = graph.get_operation_by_name(name)
    if operation.type != "VarHandleOp":
        return operation.outputs[0]
    return tf.raw_ops.ReadVariableOp(resource=operation.outputs[0], dtype=operation.get_attr("dtype"))
