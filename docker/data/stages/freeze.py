"""freeze: a TensorFlow 1 BERT checkpoint → a frozen graph over free batch and sequence length.

Reads bert_config.json and the checkpoint; writes inference_graph.pb and signature.json. The graph is bertbuild/model's
description of the model, over int32 placeholders input_ids, input_mask, segment_ids [None, None]. No TensorFlow has a
part in it; the parity gate runs it in TensorFlow 1, and compares it with the source's own graph, or modeling.py's.
"""

import os

import described_model
from stage import Stage, step, write_json

STAGE = Stage("freeze", __doc__.splitlines()[0])
described_model.declare(STAGE)


def run(args, report):
    """Describe the model, keep what the outputs need, write it with the checkpoint's values."""
    import numpy as np

    from bertbuild.model.model import ROLES
    from stages import _graph_writer, _graphdef

    writer, tensors, gelu = described_model.describe(args, report, lambda tensor: _graph_writer.Writer(tensor, ROLES))
    ends = writer.ends(tensors)
    nodes = writer.nodes(ends.values())

    step("writing inference_graph.pb")
    operators, size = _graphdef.write_graph(os.path.join(args.out, "inference_graph.pb"), nodes)
    report.inputs = {role: port(role, "int32", [-1, -1]) for role in ROLES}
    report.outputs = {name: port(end, "float32", tensors[name].shape) for name, end in ends.items()}
    report.operators = dict(operators)
    report.packages = {"numpy": np.__version__}
    report.facts = {"gelu": gelu, "graph_bytes": size}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": gelu})


def port(node, dtype, shape):
    """An end of the graph as signature.json has it; -1 is a free size."""
    return {"tensor": node + ":0", "dtype": dtype, "shape": shape}


if __name__ == "__main__":
    STAGE.main(run)
