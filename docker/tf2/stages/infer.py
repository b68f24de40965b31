"""infer: run probes or examples through a TensorFlow 2 model: a converted checkpoint, a SavedModel, or a hub module.

A checkpoint is restored into the Model Garden's own classes, and every variable on both sides must find its other half.
"""

import os

import questions
from checkpoint_files import find_prefix
from stage import Stage, StageInputError, read_json, step

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("converted", "folder of the stage convert-tf2, or of another TensorFlow 2 checkpoint", required=False)
STAGE.input("config", "bert_config.json, where it is not in that folder", required=False)
STAGE.input("saved-model", "folder of the stage saved-model", required=False)
STAGE.input("hub", "folder of the stage hub", required=False)
questions.declare(STAGE)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("root", "of several encoders in it the one below this object")
STAGE.param("gelu", "form of gelu to build a checkpoint's model with", choices=("erf", "tanh"))


def run(args, report):
    """Answer, write answers.npz."""
    if sum(source is not None for source in (args.converted, args.saved_model, args.hub)) != 1:
        raise StageInputError("give one of --converted, --saved-model and --hub")
    step("loading TensorFlow")
    import answers
    import tensorflow as tf

    from stages import _versions

    if args.converted:
        run_model = restored(args).run
    elif args.saved_model:
        loaded = tf.saved_model.load(args.saved_model)
        signature = loaded.signatures["serving_default"]

        def run_model(*inputs):
            return signature(**dict(zip(answers.ROLES, inputs, strict=True)))
    else:
        import tensorflow_hub as hub

        layer = hub.KerasLayer(args.hub, trainable=True)

        def run_model(*inputs):
            pooled, sequence = layer(list(inputs))
            return {"pooled_output": pooled, "sequence_output": sequence}

    def run_session(values):
        given = run_model(*(tf.constant(values[role]) for role in answers.ROLES))
        return {name: value.numpy() for name, value in given.items()}

    answers.write_answers(args.out, questions.read(args, report).answer(run_session))
    report.packages = _versions.packages()


def restored(args):
    """The model of a checkpoint: of the format that its mapping.json tells, or the encoder wherever it is in it."""
    from stages import _garden

    if os.path.exists(os.path.join(args.converted, "mapping.json")):
        return _garden.answering(args.converted, read_json(args.converted, "mapping.json"), args.gelu, args.prefix)
    config = args.config or os.path.join(args.converted, "bert_config.json")
    return _garden.found(find_prefix(args.converted, args.prefix), config, args.gelu, args.root or "")


if __name__ == "__main__":
    STAGE.main(run)
