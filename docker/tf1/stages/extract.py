"""extract: any frozen BERT graph → one over placeholders input_ids, input_mask, segment_ids, and nothing else.

A graph frozen inside an Estimator is fed by an input pipeline (IteratorGetNext:0, :1, :4, …) that no converter can run.
The inputs are found by tracing what they do, replaced by placeholders of the same shape, and all that the outputs do
not need is dropped; where they need an operator that may not run, it is refused. Writes inference_graph.pb and
signature.json.
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

    from stages import _cut_graph, _given_graph, _graph_file, _signature
    from stages._tensorflow import importing, tf

    step("tracing inputs and outputs")
    foreign = _given_graph.read(args.frozen, args.outputs)
    for name, tensor in (*sorted(foreign.found.items()), *sorted(foreign.outputs.items())):
        report.note("%s is %s" % (name, tensor))

    step("writing inference_graph.pb")
    with importing(args.frozen):
        tf.import_graph_def(_cut_graph.as_message(foreign.content), name="")
    graph = tf.compat.v1.get_default_graph()
    tensors = _signature.ends({name: graph.get_tensor_by_name(tensor) for name, tensor in foreign.outputs.items()})
    inputs = {role: graph.get_tensor_by_name(tensor) for role, tensor in foreign.inputs.items()}
    names = [tensor.op.name for tensor in (*tensors.values(), *inputs.values())]
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), names)
    path = os.path.join(args.out, "inference_graph.pb")
    operators, size = _graph_file.write_frozen_graph(path, graph_def)

    report.inputs = _signature.describe(inputs)
    report.outputs = mark(_signature.describe(tensors), foreign.per_position)
    report.operators = dict(operators)
    report.packages = _signature.packages()
    report.facts = {"gelu": foreign.gelu, "graph_bytes": size, "found": foreign.found}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": foreign.gelu})


if __name__ == "__main__":
    STAGE.main(run)
