"""infer: run probes or examples through a TensorFlow 2 model: a converted checkpoint, a SavedModel, or a hub module.

A checkpoint is restored into the Model Garden's own classes, and every variable on both sides must find its other half.
"""

import os

import questions
from checkpoint_files import find_prefix
from stage import Stage, StageInputError, read_json, step

from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.sequence import TENSOR as SEQUENCE

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("converted", "folder of the stage convert-tf2, or of another TensorFlow 2 checkpoint", required=False)
STAGE.input("config", "bert_config.json, where it is not in that folder", required=False)
STAGE.input("saved-model", "folder of a SavedModel, of the stage saved-model or anybody else's", required=False)
STAGE.input("hub", "folder of the stage saved-model with the kind hub", required=False)
questions.declare(STAGE)
STAGE.param("output", "of a SavedModel: pooled, sequence, probabilities; several with commas (default: all it gives)")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("root", "of several encoders in it the one below this object")
STAGE.param("gelu", "form of gelu to build a checkpoint's model with", choices=("erf", "tanh"))


def run(args, report):
    """Answer, write answers.npz."""
    if sum(source is not None for source in (args.converted, args.saved_model, args.hub)) != 1:
        raise StageInputError("give one of --converted, --saved-model and --hub")
    step("loading TensorFlow")
    import answers
    import numpy as np
    import tensorflow as tf

    from stages import _versions

    if args.converted:
        run_model = restored(args).run
    elif args.saved_model:
        run_model = saved(args, report)
    else:
        import tensorflow_hub as hub

        layer = hub.KerasLayer(args.hub, trainable=True)

        def run_model(*inputs):
            pooled, sequence = layer(list(inputs))
            return {POOLED: pooled, SEQUENCE: sequence}

    def run_session(values):
        given = run_model(*(tf.constant(values[role]) for role in answers.ROLES))
        return {name: value if isinstance(value, np.ndarray) else value.numpy() for name, value in given.items()}

    answers.write_answers(args.out, questions.read(args, report).answer(run_session))
    report.packages = _versions.packages()


def saved(args, report):
    """The function that runs a SavedModel, and gives what of its outputs is wanted.

    Raises:
        StageInputError: it takes or gives something else.
    """
    from stages import _garden, _saved

    config = args.config or os.path.join(args.saved_model, CONFIG_FILE)
    model = _saved.SavedModel(args.saved_model, _garden.bert_config(config, None).hidden_size, report)

    def run_model(*inputs):
        found = model.run(*inputs)
        wanted = args.output.split(",") if args.output else list(found)
        names = [name if name in found or name == _saved.PROBABILITIES else name + "_output" for name in wanted]
        missing = sorted(set(names) - set(found))
        if missing:
            message = "the SavedModel gives %s and not %s; where another head is in front, give what is below it"
            raise StageInputError(message % (", ".join(sorted(found)), missing[0]))
        return {name: found[name] for name in names}

    return run_model


def restored(args):
    """The model of a checkpoint: of the format that its mapping.json tells, or the encoder wherever it is in it."""
    from stages import _garden

    if os.path.exists(os.path.join(args.converted, "mapping.json")):
        return _garden.answering(args.converted, read_json(args.converted, "mapping.json"), args.gelu, args.prefix)
    config = args.config or os.path.join(args.converted, CONFIG_FILE)
    return _garden.found(find_prefix(args.converted, args.prefix), config, args.gelu, args.root or "")


if __name__ == "__main__":
    STAGE.main(run)
