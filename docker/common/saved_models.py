"""The saved_model.pb of a folder as a message, for stages that have TensorFlow."""

import os

from stage import StageInputError

from bertbuild.graph.saved_model import FILE, TAG


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

    Protobuf's maps have no order of their own, so its bytes would differ from run to run.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[meta_graph])
    with open(os.path.join(folder, FILE), "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
