"""infer: run probes or examples through a TensorFlow 2 model: a converted checkpoint, a SavedModel, or a hub module.

A checkpoint is restored into the Model Garden's own classes, and every variable on both sides must find its other half.
reference.json says which class, or which signature of a SavedModel, gave what.
"""

import os

import answered
import asked_outputs
import questions
from checkpoint_files import find_prefix
from stage import Stage, StageInputError, read_json, step

from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.families.table import BERT
from bertbuild.heads.found import tensor_name
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.sequence import TENSOR as SEQUENCE

HUB_MODULE = "the given hub module"
SIGNATURE = "signature.json"

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("converted", "folder of the stage convert-tf2, or of another TensorFlow 2 checkpoint", required=False)
STAGE.input("config", "bert_config.json, where it is not in that folder", required=False)
STAGE.input("saved-model", "folder of a SavedModel, of the stage saved-model or anybody else's", required=False)
STAGE.input("hub", "folder of the stage saved-model with the kind hub", required=False)
questions.declare(STAGE)
STAGE.param("output", "what is wanted: pooled, logits, …; several with commas (default: all that it gives)")
STAGE.param("heads", "KIND:WEIGHTS:BIAS with commas: heads whose kind is known otherwise than by the model")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("root", "of several encoders in it the one below this object")
STAGE.param("gelu", "form of gelu to build a checkpoint's model with", choices=("erf", "tanh"))
STAGE.param("other-gelu", "of a checkpoint: answer with this form too, FORM/PROBE/…", choices=("erf", "tanh"))


def run(args, report):
    """Answer, write answers.npz and reference.json."""
    if sum(source is not None for source in (args.converted, args.saved_model, args.hub)) != 1:
        raise StageInputError("give one of --converted, --saved-model and --hub")
    if args.other_gelu and not (args.gelu and args.converted and args.probes):
        raise StageInputError("--other-gelu goes with --converted, --gelu and --probes")
    step("loading TensorFlow")
    import answers
    import numpy as np
    import tensorflow as tf

    from stages import _garden, _saved, _versions

    gelu = _garden.any_gelu(args.gelu) if args.other_gelu else args.gelu
    if args.converted:
        model = restored(args, gelu)
        run_model, who = model.run, lambda: model.rows
    elif args.saved_model:
        model = saved(args, report)
        run_model, who = model.run, lambda: model.rows
    else:
        import tensorflow_hub as hub

        _saved.check(args.hub)
        layer = hub.KerasLayer(args.hub, trainable=True)
        for concrete in layer.resolved_object.__call__.concrete_functions:
            _saved.check_function(concrete)

        def run_model(*inputs):
            pooled, sequence = layer(list(inputs))
            return {POOLED: pooled, SEQUENCE: sequence}

        def who():
            return [answered.row(HUB_MODULE, (POOLED, SEQUENCE))]

    wanted = tensors(args)

    def run_session(values):
        given = run_model(*(tf.constant(values[role]) for role in answers.ROLES))
        missing = [name for name in wanted or () if name not in given]
        if missing:
            message = "the model gives %s and not %s; where another head is in front, give what is below it"
            raise StageInputError(message % (", ".join(sorted(given)), missing[0]))
        return {name: np.asarray(given[name]) for name in wanted or given}

    asked = questions.read(args, report)
    found = asked.answer(run_session)
    answered.write(args.out, answered.of(who(), found))
    if args.other_gelu:
        gelu.form = args.other_gelu
        found.update(asked.answer(run_session, prefix=args.other_gelu + "/", singly=False))
    answers.write_answers(args.out, found)
    report.packages = _versions.packages()


def saved(args, report):
    """The SavedModel, which gives what its signatures or its call give."""
    from stages import _garden, _saved

    config = args.config or os.path.join(args.saved_model, CONFIG_FILE)
    told = os.path.exists(os.path.join(args.saved_model, SIGNATURE))
    family = read_json(args.saved_model, SIGNATURE).get("family", BERT) if told else BERT
    hidden_size = _garden.bert_config(config, None, family).hidden_size
    kinds = [head.kind for head in asked_outputs.heads(args)]
    wanted = tensors(args) or (None if args.probes else [])  # examples are timed: they ask the default signature alone
    return _saved.SavedModel(args.saved_model, hidden_size, report, kinds, wanted)


def restored(args, gelu):
    """The model of a checkpoint: of the format that its mapping.json tells, or the encoder wherever it is in it."""
    from stages import _restored

    if os.path.exists(os.path.join(args.converted, "mapping.json")):
        table = read_json(args.converted, "mapping.json")
        if "heads" in table:  # which older ones do not tell
            return _restored.converted(args.converted, table, gelu, args.prefix)
    config = args.config or os.path.join(args.converted, CONFIG_FILE)
    prefix = find_prefix(args.converted, args.prefix)
    return _restored.found(prefix, config, gelu, args.root or "", asked_outputs.heads(args))


def tensors(args):
    """The names of the tensors of --output; None where it is not given."""
    return [tensor_name(output) for output in args.output.split(",")] if args.output else None


if __name__ == "__main__":
    STAGE.main(run)
