"""import: a Hugging Face BERT folder → a Google-format TensorFlow 1 checkpoint, .meta of the published form included.

Reads config.json, vocab.txt and model.safetensors; writes bert_config.json, vocab.txt and the three files of
bert_model.ckpt. Numbers are not changed: kernels are transposed ([out, in] → [in, out]), and float16 is widened to
float32.
"""

import json
import os
import shutil

from checkpoint_files import CHECKPOINT
from stage import Stage, StageInputError, read_json, step, write_json

STAGE = Stage("import", __doc__.splitlines()[0])
STAGE.input("huggingface", "folder with config.json, vocab.txt and model.safetensors")


def run(args, report):
    """Read, check, rename, save."""
    folder = args.huggingface
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        if not os.path.exists(os.path.join(folder, name)):
            raise StageInputError("%s has no %s" % (folder, name))

    step("loading TensorFlow")
    from stages import _huggingface, _ports, _source

    theirs = read_json(folder, "config.json")
    config, gelu = _huggingface.bert_config(theirs)
    write_json(args.out, "bert_config.json", config)
    shutil.copyfile(os.path.join(folder, "vocab.txt"), os.path.join(args.out, "vocab.txt"))

    step("reading model.safetensors")
    tensors, left_out = _huggingface.read_tensors(os.path.join(folder, "model.safetensors"), report)
    for name in left_out:
        report.note("left out: %s" % name)

    step("writing the checkpoint")
    save(_source.Config(config), gelu, tensors, os.path.join(args.out, CHECKPOINT))
    report.packages = _ports.packages()
    report.facts = {
        "gelu": gelu,
        "tensors": len(tensors),
        "left_out": left_out,
        "from": json.dumps(theirs, sort_keys=True),
    }


def save(config, gelu, tensors, prefix):
    """Build the published form, load every tensor into its variable, save with TensorFlow's own Saver.

    Raises:
        StageInputError: a variable without a tensor, a tensor without a variable, or shapes that differ.
    """
    import tensorflow as tf

    from stages import _bert, _ports

    _bert.build(config, gelu, _ports.published_placeholders(config), ["pooled"])
    variables = {variable.op.name: variable for variable in tf.compat.v1.global_variables()}
    for name, tensor in sorted(tensors.items()):
        if name not in variables and not name.startswith("bert/"):
            variables[name] = tf.compat.v1.get_variable(name, tensor.shape)
    missing, extra = sorted(set(variables) - set(tensors)), sorted(set(tensors) - set(variables))
    if missing or extra:
        problem = "%s is missing from model.safetensors" % missing[0] if missing else "%s fits no variable" % extra[0]
        raise StageInputError("the folder does not fit its config.json: %s" % problem)
    with tf.compat.v1.Session() as session:
        for name, variable in variables.items():
            if tuple(variable.shape.as_list()) != tensors[name].shape:
                raise StageInputError(
                    "%s has shape %s, config.json wants %s" % (name, tensors[name].shape, variable.shape.as_list())
                )
            session.run(variable.initializer, {variable.initial_value: tensors[name]})
        saver = tf.compat.v1.train.Saver(list(variables.values()), save_relative_paths=True)
        saver.save(session, prefix, write_meta_graph=False)
    _ports.write_meta_graph(saver, prefix + ".meta")
    os.unlink(os.path.join(os.path.dirname(prefix), "checkpoint"))


if __name__ == "__main__":
    STAGE.main(run)
