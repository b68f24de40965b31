"""infer: run probes through a Hugging Face folder, in transformers' own TensorFlow classes.

config.json names the class, or --class does. Every weight that the class has must be in the folder, else the stage
fails; transformers itself would make one up and go on. Of a folder that was made here the class must read every weight,
and the tokenizer, as transformers loads it, must make of each of some texts what google-research/bert's makes of it.
"""

import logging
import os
from typing import NamedTuple

import answered
import questions
from stage import Stage, StageInputError, read_json, step

from bertbuild.heads.found import tensor_name
from stages import _weights

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("huggingface", "folder of the stage convert-hf, or of hf-weights, which has no tokenizer; or anybody's")
questions.declare(STAGE)
STAGE.param("output", "what is to be answered, with commas (default: what the class gives, and the last layer)")
STAGE.param(
    "class", "of a folder that others made: the class that answers, which need not read all weights", dest="class_"
)

UNREAD = ("bert.pooler.", "albert.pooler.")
"""Weights that some classes do not read, and the folder keeps for who goes on from it."""
FAMILIES = {"bert": "Bert", "albert": "Albert", "electra": "Electra"}
"""config.json's model_type → what the names of its classes begin with."""
POOLED = "pooled_output"
ANSWERS = {
    "": ((POOLED, "pooler_output"),),
    "ForQuestionAnswering": (("start_logits", "start_logits"), ("end_logits", "end_logits")),
    "ForPreTraining": (
        ("masked_lm_logits", "prediction_logits"),
        ("next_sentence_logits", "sop_logits"),
        ("next_sentence_logits", "seq_relationship_logits"),
        ("replaced_token_logits", "logits"),  # of an ELECTRA
    ),
    "ForMaskedLM": (("masked_lm_logits", "logits"),),
    "ForNextSentencePrediction": (("next_sentence_logits", "logits"),),
}
"""Heads of a class → our name of an answer, and its class's; those of a head for a task are not among them."""


def run(args, report):
    """Load, compare the tokenizer, answer."""
    step("loading TensorFlow and transformers")
    # No network, no torch, Keras 2: what is read is the folder.
    os.environ.update(HF_HUB_OFFLINE="1", USE_TORCH="0", USE_JAX="0", USE_TF="1", TF_USE_LEGACY_KERAS="1")
    os.environ["HF_HOME"] = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - nothing is written there
    import answers
    import tensorflow as tf
    from transformers.utils import logging as their_logging

    from stages import _tokenizer

    their_logging.set_verbosity_error()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    told = {} if args.class_ else read_json(args.huggingface, "signature.json")
    if "do_lower_case" in told:
        step("comparing the tokenizer")
        report.facts["texts"] = _tokenizer.compare(args.huggingface, told)
    step("loading the model")
    model, kinds, unread = load(args.huggingface, args.class_)
    if unread and not args.class_:
        raise StageInputError("%s does not read %s of the folder" % (type(model).__name__, ", ".join(unread)))
    report.facts["unread"] = unread
    wanted = args.output.split(",") if args.output else None
    encoder = of_encoder(args.huggingface) if wanted and "pooled" in wanted and kinds.heads else None

    def run_model(feeds):
        asked = {
            "input_ids": tf.constant(feeds["input_ids"]),
            "attention_mask": tf.constant(feeds["input_mask"]),
            "token_type_ids": tf.constant(feeds["segment_ids"]),
        }
        given = model(output_hidden_states=True, training=False, **asked)
        pooled = None if encoder is None else encoder(training=False, **asked).pooler_output
        return named(given, kinds, pooled, wanted)

    found = questions.read(args, report).answer(run_model)
    answers.write_answers(args.out, found)
    answered.write(args.out, answered.rows("transformers' %s" % type(model).__name__, found))
    report.packages = versions()
    report.facts["class"] = type(model).__name__


class Kinds(NamedTuple):
    """What tells what a model's answers are.

    Attributes:
        heads: of its class, without the family: "ForMaskedLM"; empty for an encoder.
        problem: its config's problem_type.
    """

    heads: str
    problem: str


def of_encoder(folder):
    """The encoder of a folder, with its pooler: what the class of a head does not give."""
    return load(folder, family_of(read_json(folder, "config.json")) + "Model")[0]


def family_of(told):
    """What the names of a model's classes begin with, by its config.json: "Bert".

    Raises:
        StageInputError: it is of another family than are asked here.
    """
    kind = told.get("model_type", "bert")
    if kind not in FAMILIES:
        raise StageInputError("config.json has model_type %s, none of %s" % (kind, ", ".join(FAMILIES)))
    return FAMILIES[kind]


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
    family = family_of(told)
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
    lacking = [key for key in found["missing_keys"] if not key.endswith("position_ids")]
    if lacking:
        raise StageInputError("the folder has no %s, which %s has" % (", ".join(sorted(lacking)), name))
    unread = sorted(key for key in found["unexpected_keys"] if not key.startswith(UNREAD))
    heads = architecture[len(family) :]
    return model, Kinds("" if heads == "Model" else heads, config.problem_type), unread


def named(given, kinds, pooled, wanted):
    """What a model gives, by the names of its outputs here.

    Args:
        given: by the model.
        kinds: of `load`.
        pooled: the pooled output, where it is asked for and the class does not give it.
        wanted: what is asked for, as --output calls it; None for what is usual.
    """
    import numpy as np

    found = {"sequence_output": given.hidden_states[-1], **of_heads(given, kinds)}
    if pooled is not None:
        found[POOLED] = pooled
    if wanted is not None:
        layers = {tensor_name("all-layers") % number: layer for number, layer in enumerate(given.hidden_states[1:])}
        names = {tensor_name(output) for output in wanted}
        found = {name: value for name, value in found.items() if name in names}
        found.update(layers if "all-layers" in wanted else {})
    return {output: np.asarray(value, np.float32) for output, value in found.items()}


def of_heads(given, kinds):
    """What the heads of a class answer, or an encoder's pooler."""
    if kinds.heads not in ANSWERS:
        return of_task(given.logits, kinds)
    there = [(name, getattr(given, theirs, None)) for name, theirs in ANSWERS[kinds.heads]]
    return {name: value for name, value in there if value is not None}


def of_task(logits, kinds):
    """What is made of the logits of a head for a task: of one label a score, as transformers has it."""
    problem = kinds.problem
    if problem is None and kinds.heads == "ForSequenceClassification" and logits.shape[-1] == 1:
        problem = "regression"
    if problem == "regression":
        return {"score": logits[:, 0]}
    return {"logits": logits, "probabilities": probabilities(logits, problem)}


def probabilities(logits, problem):
    """Of each label by itself, or of one of them."""
    import tensorflow as tf

    several = problem == "multi_label_classification"
    return tf.math.sigmoid(logits) if several else tf.nn.softmax(logits, axis=-1)


def versions():
    """Of the packages that answered."""
    from importlib.metadata import version

    names = ("numpy", "safetensors", "tensorflow-cpu", "tf-keras", "tokenizers", "transformers")
    return {name: version(name) for name in names}


if __name__ == "__main__":
    STAGE.main(run)
