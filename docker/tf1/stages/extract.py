"""extract: any frozen BERT graph → one over placeholders input_ids, input_mask, segment_ids, and nothing else.

A graph frozen inside an Estimator is fed by an input pipeline (IteratorGetNext:0, :1, :4, …) that no converter can run.
The inputs are found by tracing what they do, replaced by placeholders of the same shape, and all that the outputs do
not need is dropped. Writes inference_graph.pb and signature.json.
"""

import os

from stage import Stage, step, write_json

STAGE = Stage("extract", __doc__.splitlines()[0])
STAGE.input("frozen", "a frozen graph (.pb)")
STAGE.param("outputs", "NODE[:port][:name] with commas (default: those that the graph tells)")


def run(args, report):
    """Replace the inputs, drop the rest, write."""
    step("loading TensorFlow")
    from ir_file import mark

    from stages import _given_graph, _graph_file, _signature
    from stages._tensorflow import importing, tf

    step("tracing inputs and outputs")
    foreign = _given_graph.read(args.frozen, args.outputs)
    for name, tensor in (*sorted(foreign.roles.items()), *sorted(foreign.outputs.items())):
        report.note("%s is %s" % (name, tensor))

    step("writing inference_graph.pb")
    batch, seq_len = foreign.sizes
    inputs = _signature.placeholders(batch, seq_len, names=["bertbuild/" + role for role in foreign.roles])
    replacements = dict(zip(foreign.roles.values(), inputs))
    with importing(args.frozen):
        tf.import_graph_def(foreign.graph_def, input_map=replacements, name="")
    graph = tf.compat.v1.get_default_graph()
    tensors = _signature.ends({name: graph.get_tensor_by_name(tensor) for name, tensor in foreign.outputs.items()})
    names = [tensor.op.name for tensor in tensors.values()] + [tensor.op.name for tensor in inputs]
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), names)
    path = os.path.join(args.out, "inference_graph.pb")
    operators, size = _graph_file.write_frozen_graph(path, graph_def)

    report.inputs = _signature.describe(dict(zip(foreign.roles, inputs)))
    report.outputs = mark(_signature.describe(tensors), foreign.per_position)
    report.operators = dict(operators)
    report.packages = _signature.packages()
    report.facts = {"gelu": foreign.gelu, "graph_bytes": size, "found": foreign.roles}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": foreign.gelu})


if __name__ == "__main__":
    STAGE.main(run)
