"""metagraph: the .meta of the published form, made again for a checkpoint that has none or a training one.

The archives of 2018 hold a graph over three int32 placeholders [1, 128] named Placeholder, Placeholder_1 and
Placeholder_2; the miniatures of 2020 hold none, and a checkpoint saved while training holds the input pipeline. Writes
bert_model.ckpt.meta, to be used with the checkpoint's own index and data, and signature.json.
"""

import os

import asked_outputs
from stage import Stage, step, write_json

STAGE = Stage("metagraph", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
asked_outputs.declare(STAGE)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("gelu", "as in freeze (default: auto)", choices=("auto", "erf", "tanh"), default="auto")


def run(args, report):
    """Build over the published placeholders, export."""
    outputs, heads = asked_outputs.read(args)
    step("loading TensorFlow")
    from stages import _bert, _signature, _source
    from stages._tensorflow import tf

    source = _source.Source(args.checkpoint, args.prefix, heads)
    report.note("the .meta is made again in the published form: the checkpoint's own is another, or not there")
    gelu = source.gelu(args.gelu, report)

    step("building the graph")
    inputs = _signature.published_placeholders(source.config)
    tensors = _bert.build(source, gelu, inputs, outputs)

    step("writing bert_model.ckpt.meta")
    saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
    _signature.write_meta_graph(saver, os.path.join(args.out, "bert_model.ckpt.meta"))
    report.inputs = _signature.describe({tensor.op.name: tensor for tensor in inputs})
    report.outputs = _signature.describe(tensors)
    report.packages = _signature.packages()
    report.facts = {"gelu": gelu}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": gelu})


if __name__ == "__main__":
    STAGE.main(run)
