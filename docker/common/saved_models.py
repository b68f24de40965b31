"""The saved_model.pb of a folder as a message, for stages that have TensorFlow."""

import os
import re

from stage import StageInputError

from bertbuild.graph.saved_model import FILE, TAG

RANDOM_NAME = re.compile(rb"^_temp_[0-9a-f]{32}/part$")


def read_for_serving(folder):
    """The MetaGraphDef tagged "serve", or the only one there is; nothing of its variables is read.

    Raises:
        StageInputError: there is no such graph.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    try:
        with open(os.path.join(folder, FILE), "rb") as file:
            message.ParseFromString(file.read())
    except (OSError, ValueError, RuntimeError) as error:
        raise StageInputError("%s holds no SavedModel: %s" % (folder, error)) from error
    graphs = list(message.meta_graphs)
    chosen = [graph for graph in graphs if TAG in graph.meta_info_def.tags] or graphs
    if len(chosen) != 1:
        raise StageInputError("%s holds %d graphs for serving; one is needed" % (folder, len(chosen)))
    return chosen[0]


def write_for_serving(folder, meta_graph):
    """Write a MetaGraphDef as a folder's saved_model.pb: same graph, same bytes.

    They would differ from run to run: protobuf's maps have no order of their own, and a Saver writes a random name for
    the temporary files it would need, were the loaded model ever saved again.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    for node in meta_graph.graph_def.node:
        names = node.attr["value"].tensor.string_val if node.op == "Const" else []
        names[:] = [RANDOM_NAME.sub(b"_temp/part", name) for name in names]
    message = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[meta_graph])
    with open(os.path.join(folder, FILE), "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
