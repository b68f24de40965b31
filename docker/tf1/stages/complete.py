"""complete: a checkpoint without .meta → the same checkpoint with the .meta of the published form."""

import os
import shutil

from checkpoint_files import CHECKPOINT
from stage import Stage, step

from bertbuild.families.bert_names import CONFIG_FILE, SCOPE, VOCAB_FILE
from stages import _outputs

STAGE = Stage("complete", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
STAGE.param("gelu", "form of gelu of the .meta (default: erf)", choices=("erf", "tanh"), default="erf")


def run(args, report):
    """Copy the files, write the .meta beside them."""
    step("loading TensorFlow")
    from stages import _bert, _signature, _source
    from stages._tensorflow import tf

    source = _source.Source(args.checkpoint)
    for name in os.listdir(args.checkpoint):
        if name.startswith(CHECKPOINT) or name in (CONFIG_FILE, VOCAB_FILE, "mapping.json", "task.json"):
            shutil.copyfile(os.path.join(args.checkpoint, name), os.path.join(args.out, name))

    step("building the graph")
    gelu = args.gelu if source.config.has_gelu else None
    _bert.build(source, gelu, _signature.published_placeholders(source.config), [_outputs.POOLED])
    for name, shape in sorted(source.reader.get_variable_to_shape_map().items()):
        if not name.startswith(SCOPE):
            tf.compat.v1.get_variable(name, shape)
    saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
    _signature.write_meta_graph(saver, os.path.join(args.out, CHECKPOINT + ".meta"))
    report.packages = _signature.packages()
    report.facts = {"gelu": gelu}


if __name__ == "__main__":
    STAGE.main(run)
