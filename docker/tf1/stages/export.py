"""export: a TensorFlow 1 BERT checkpoint → a SavedModel as google-research/bert's run_classifier exports it.

The graph is modeling.py's own, its variables restored by TensorFlow's Saver; signature serving_default. With a
classifier's answers it has the five inputs of AWS's BERT demo, input_ids, input_mask and segment_ids int32 [None, S],
label_ids and is_real_example int32 [None]; else it has the first three.
"""

import asked_outputs
from stage import Stage, step, write_json

UNUSED_INPUTS = ("label_ids", "is_real_example")

STAGE = Stage("export", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
STAGE.param("seq-len", "sequence length (default: 128)", type=int, default=128)
asked_outputs.declare(STAGE)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param(
    "gelu",
    "form of gelu; auto reads it from the checkpoint's .meta (default)",
    choices=("auto", "erf", "tanh"),
    default="auto",
)


def run(args, report):
    """Build modeling.py's graph, restore the checkpoint, save."""
    wanted, heads = asked_outputs.read(args)
    step("loading TensorFlow")
    from stages import _bert, _operators, _saved_model, _signature, _source
    from stages._tensorflow import tf

    source = _source.Source(args.checkpoint, args.prefix, heads)
    source.check_seq_len(args.seq_len)
    gelu = source.gelu(args.gelu, report)

    step("building the graph")
    inputs = {tensor.op.name: tensor for tensor in _signature.placeholders(None, args.seq_len)}
    outputs = _bert.build(source, gelu, list(inputs.values()), wanted)
    if any(head.kind == "classifier" for head in heads):
        for name in UNUSED_INPUTS:
            inputs[name] = tf.compat.v1.placeholder(tf.int32, [None], name=name)

    step("restoring the checkpoint")
    with tf.compat.v1.Session() as session:
        source.restore(session)
        step("writing the SavedModel")
        _saved_model.write(args.out, session, inputs, outputs)

    report.inputs = _signature.describe(inputs)
    report.outputs = _signature.describe(outputs)
    names = [tensor.op.name for tensor in outputs.values()]
    report.operators = dict(_operators.compute_operators(tf.compat.v1.get_default_graph().as_graph_def(), names))
    report.packages = _signature.packages()
    report.facts = {"gelu": gelu, "seq_len": args.seq_len}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": gelu})


if __name__ == "__main__":
    STAGE.main(run)
