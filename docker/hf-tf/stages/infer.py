"""infer: run probes through a Hugging Face folder, in transformers' own TensorFlow classes.

config.json names the class, or --class does. Every weight that the class has must be in the folder, else the stage
fails; transformers itself would make one up and go on. Of a folder that was made here the class must read every weight,
and the tokenizer, as transformers loads it, must make of each of some texts what google-research/bert's makes of it.
"""

import logging
import os

import answered
import questions
import transformers_answers
from stage import Stage, StageInputError, read_json, step

from stages import _weights

STAGE = Stage("infer", __doc__.splitlines()[0])
transformers_answers.declare(STAGE)
questions.declare(STAGE)


def run(args, report):
    """Load, compare the tokenizer, answer."""
    step("loading TensorFlow and transformers")
    # No network, no torch, Keras 2: what is read is the folder.
    os.environ.update(HF_HUB_OFFLINE="1", USE_TORCH="0", USE_JAX="0", USE_TF="1", TF_USE_LEGACY_KERAS="1")
    os.environ["HF_HOME"] = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - nothing is written there
    import answers
    import tensorflow as tf
    import transformers_tokenizer
    from transformers.utils import logging as their_logging

    their_logging.set_verbosity_error()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    told = {} if args.class_ else read_json(args.huggingface, "signature.json")
    if "do_lower_case" in told:
        step("comparing the tokenizer")
        report.facts["texts"] = transformers_tokenizer.compare(args.huggingface, told)
    step("loading the model")
    model, kinds, unread = load(args.huggingface, args.class_)
    if unread and not args.class_:
        raise StageInputError("%s does not read %s of the folder" % (type(model).__name__, ", ".join(unread)))
    report.facts["unread"] = unread
    wanted = args.output.split(",") if args.output else None
    encoder = None
    if wanted and "pooled" in wanted and kinds.heads:
        encoder = load(args.huggingface, transformers_answers.encoder_class(args.huggingface))[0]

    def run_model(feeds):
        asked = {
            "input_ids": tf.constant(feeds["input_ids"]),
            "attention_mask": tf.constant(feeds["input_mask"]),
            "token_type_ids": tf.constant(feeds["segment_ids"]),
        }
        given = model(output_hidden_states=True, training=False, **asked)
        pooled = None if encoder is None else encoder(training=False, **asked).pooler_output
        return transformers_answers.named(given, kinds, pooled, wanted)

    found = questions.read(args, report).answer(run_model)
    answers.write_answers(args.out, found)
    answered.write(args.out, answered.rows("transformers' %s" % type(model).__name__, found))
    report.packages = versions()
    report.facts["class"] = type(model).__name__


def load(folder, architecture=None):
    """The model of a folder, what tells what its logits are, and the names of the weights that it does not read.

    Args:
        folder: with config.json and weights.
        architecture: its class; None for the one that config.json names.

    Raises:
        StageInputError: transformers has no such class, or the folder lacks weights of it.
    """
    import transformers
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    told = read_json(folder, "config.json")
    family = transformers_answers.family_of(told)
    config = getattr(transformers, family + "Config").from_dict(told)
    architecture = architecture or (config.architectures or ["?"])[0]
    name = "TF%s" % architecture
    if not hasattr(transformers, name):
        raise StageInputError("transformers has no class %s, which config.json asks for" % name)
    weights = _weights.read(folder)
    options = {}
    if name == "TFBertModel" and not any(key.endswith("pooler.dense.weight") for key in weights):
        options["add_pooling_layer"] = False
    model = getattr(transformers, name)(config, **options)
    model, found = load_pytorch_state_dict_in_tf2_model(
        model, weights, tf_inputs=model.dummy_inputs, allow_missing_keys=True, output_loading_info=True
    )
    unread = transformers_answers.require_read(found["missing_keys"], found["unexpected_keys"], name)
    return model, transformers_answers.Kinds(architecture, family, config.problem_type), unread


def versions():
    """Of the packages that answered."""
    from importlib.metadata import version

    names = ("numpy", "safetensors", "tensorflow-cpu", "tf-keras", "tokenizers", "transformers")
    return {name: version(name) for name in names}


if __name__ == "__main__":
    STAGE.main(run)
