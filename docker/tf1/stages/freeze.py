"""freeze: a TensorFlow 1 BERT checkpoint → a frozen graph over free batch and sequence length.

Reads bert_config.json and the checkpoint; writes inference_graph.pb and signature.json. The graph computes what
google-research/bert's modeling.py computes, over int32 placeholders input_ids, input_mask, segment_ids [None, None], so
that neither a dataset nor an edited upstream file is needed.
"""

import os

import asked_outputs
from stage import Stage, step, write_json

STAGE = Stage("freeze", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
asked_outputs.declare(STAGE)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param(
    "gelu",
    "form of gelu; auto reads it from the checkpoint's .meta (default)",
    choices=("auto", "erf", "tanh"),
    default="auto",
)


def run(args, report):
    """Build the graph, keep what the outputs need, write it with the checkpoint's values."""
    outputs, heads = asked_outputs.read(args)

    step("loading TensorFlow")
    from stages import _graph_file, _inference_graph, _outputs, _signature, _source
    from stages._tensorflow import tf

    source = _source.Source(args.checkpoint, args.prefix, heads)
    gelu = source.gelu(args.gelu, report)

    step("building the graph")
    inputs = _signature.placeholders(None, None)
    graph = _inference_graph.InferenceGraph(source.config, source.config.activation(gelu), *inputs)
    tensors = _signature.ends(_outputs.select(outputs, graph.given(source)))
    names = [tensor.op.name for tensor in tensors.values()] + [tensor.op.name for tensor in inputs]
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(tf.compat.v1.get_default_graph().as_graph_def(), names)

    step("writing inference_graph.pb")
    path = os.path.join(args.out, "inference_graph.pb")
    operators, size = _graph_file.write_frozen_graph(path, graph_def, graph.weights, source.reader.get_tensor)

    report.inputs = _signature.describe({tensor.op.name: tensor for tensor in inputs})
    report.outputs = _signature.describe(tensors)
    report.operators = dict(operators)
    report.packages = _signature.packages()
    report.facts = {"gelu": gelu, "graph_bytes": size}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": gelu})


if __name__ == "__main__":
    STAGE.main(run)
