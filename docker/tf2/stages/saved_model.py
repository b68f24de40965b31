"""saved-model: a converted checkpoint → a TensorFlow 2 SavedModel, or a TensorFlow 2 hub module.

The SavedModel has a signature serving_default over input_ids, input_mask and segment_ids (int32, batch and sequence
length free), which gives what --output says; and one for each head, called by its kind, which gives all that the head
answers. The hub module is what the Model Garden's own exporter makes: [input_word_ids, input_mask, input_type_ids] →
[pooled, sequence], trainable, with vocab_file and do_lower_case. Both compute the form of gelu that the source was
trained with.
"""

import os
import shutil

from checkpoint_files import CHECKPOINT
from stage import Stage, StageInputError, read_json, step, write_json

from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.heads.found import tensor_name

STAGE = Stage("saved-model", __doc__.splitlines()[0])
STAGE.input("converted", "folder of the stage convert-tf2")
STAGE.param("kind", "savedmodel (default) or hub", choices=("savedmodel", "hub"), default="savedmodel")
STAGE.param("output", "what serving_default gives: pooled, logits, …; several with commas", default="pooled,sequence")
STAGE.param("gelu", "form of gelu", choices=("erf", "tanh"))


def run(args, report):
    """Build the model, restore it, save it."""
    table = read_json(args.converted, "mapping.json")
    step("loading TensorFlow")
    import tensorflow as tf

    from stages import _fingerprint, _garden, _restored, _versions

    step("restoring the checkpoint")
    if args.kind == "hub":
        config = _garden.bert_config(os.path.join(args.converted, CONFIG_FILE), args.gelu)
        model, encoder = _garden.hub_model(config)
        path = os.path.join(args.converted, CHECKPOINT)
        tf.train.Checkpoint(model=encoder, encoder=encoder).restore(path).assert_consumed()
        vocab = os.path.join(args.converted, "vocab.txt")
        if not os.path.exists(vocab):
            raise StageInputError("a hub module carries its vocabulary, and %s has no vocab.txt" % args.converted)
        model.vocab_file = tf.saved_model.Asset(vocab)
        model.do_lower_case = tf.Variable(lower_cases(vocab), trainable=False)
        step("writing the hub module")
        model.save(args.out, include_optimizer=False, save_format="tf")
    else:
        answering = _restored.converted(args.converted, table, args.gelu)
        module, functions = _restored.serving_module(answering, signatures(answering, args.output))
        step("writing the SavedModel")
        tf.saved_model.save(module, args.out, signatures=functions)
    _fingerprint.settle(args.out)
    for name in (CONFIG_FILE, VOCAB_FILE):
        if os.path.exists(os.path.join(args.converted, name)):
            shutil.copyfile(os.path.join(args.converted, name), os.path.join(args.out, name))
    report.packages = _versions.packages()
    report.facts = {"kind": args.kind, "gelu": args.gelu}
    told = {"kind": args.kind, "family": table["family"], "gelu": args.gelu, "heads": table["heads"]}
    write_json(args.out, "signature.json", told)


def signatures(answering, output):
    """Name of a signature → the tensors that it gives.

    Raises:
        StageInputError: the model does not give one of those of --output.
    """
    wanted = [tensor_name(name) for name in output.split(",")]
    missing = [name for name in wanted if name not in answering.tensors]
    if missing:
        raise StageInputError("the model gives %s and not %s" % (", ".join(answering.tensors), missing[0]))
    return dict({head.kind: head.tensors for head in answering.heads}, serving_default=wanted)


def lower_cases(vocab):
    """Whether a vocabulary is of lower-cased words: but for marks ([CLS], <S>) no word has a capital."""
    with open(vocab, encoding="utf-8", errors="replace") as file:
        words = [line.strip() for line in file]
    return not any(word != word.lower() for word in words if not word.startswith(("[", "<")))


if __name__ == "__main__":
    STAGE.main(run)
