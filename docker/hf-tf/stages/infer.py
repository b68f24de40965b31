"""infer: run probes through a Hugging Face folder, in transformers' own TensorFlow classes.

config.json names the class. Every weight that the class has must be in the folder, else the stage fails; transformers
itself would make one up and go on. The tokenizer, as transformers loads it, must make of each of some texts what
google-research/bert's makes of them.
"""

import json
import logging
import os

import questions
from stage import Stage, StageInputError, read_json, step

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("huggingface", "folder of the stage convert-hf")
questions.declare(STAGE)

UNREAD = "bert.pooler."
"""Weights that some classes do not read, and the folder keeps for who goes on from it."""


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
    told = read_json(args.huggingface, "signature.json")
    step("comparing the tokenizer")
    report.facts["texts"] = _tokenizer.compare(args.huggingface, told)
    step("loading the model")
    model, kinds = load(args.huggingface)

    def run_model(feeds):
        given = model(
            input_ids=tf.constant(feeds["input_ids"]),
            attention_mask=tf.constant(feeds["input_mask"]),
            token_type_ids=tf.constant(feeds["segment_ids"]),
            output_hidden_states=True,
            training=False,
        )
        return named(given, kinds)

    answers.write_answers(args.out, questions.read(args, report).answer(run_model))
    report.packages = versions()
    report.facts["class"] = type(model).__name__


def load(folder):
    """The model of a folder, and what tells what its logits are: its class, and its config's problem_type.

    Raises:
        StageInputError: transformers has no such class, or the folder lacks weights of it.
    """
    import transformers
    from safetensors.numpy import load_file
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    config = transformers.BertConfig.from_json_file(os.path.join(folder, "config.json"))
    name = "TF%s" % (config.architectures or ["?"])[0]
    if not hasattr(transformers, name):
        raise StageInputError("transformers has no class %s, which config.json asks for" % name)
    weights = {}
    for file in files_of(folder):
        weights.update(load_file(os.path.join(folder, file)))
    options = {}
    if name == "TFBertModel" and "pooler.dense.weight" not in weights:
        options["add_pooling_layer"] = False
    model = getattr(transformers, name)(config, **options)
    model, found = load_pytorch_state_dict_in_tf2_model(
        model, weights, tf_inputs=model.dummy_inputs, allow_missing_keys=True, output_loading_info=True
    )
    lacking = [key for key in found["missing_keys"] if not key.endswith("position_ids")]
    if lacking:
        raise StageInputError("the folder has no %s, which %s has" % (", ".join(sorted(lacking)), name))
    unread = [key for key in found["unexpected_keys"] if not key.startswith(UNREAD)]
    if unread:
        raise StageInputError("%s does not read %s of the folder" % (name, ", ".join(sorted(unread))))
    return model, (name, config.problem_type)


def files_of(folder):
    """The names of the files of weights."""
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        return ["model.safetensors"]
    with open(index) as file:
        return sorted(set(json.load(file)["weight_map"].values()))


def named(given, kinds):
    """What a model gives, by the names of its outputs here."""
    import numpy as np

    name, problem = kinds
    found = {"sequence_output": given.hidden_states[-1]}
    if name == "TFBertModel":
        if given.pooler_output is not None:
            found["pooled_output"] = given.pooler_output
    elif name == "TFBertForQuestionAnswering":
        found.update(start_logits=given.start_logits, end_logits=given.end_logits)
    elif name == "TFBertForPreTraining":
        found.update(masked_lm_logits=given.prediction_logits, next_sentence_logits=given.seq_relationship_logits)
    elif name == "TFBertForMaskedLM":
        found["masked_lm_logits"] = given.logits
    elif name == "TFBertForNextSentencePrediction":
        found["next_sentence_logits"] = given.logits
    elif problem == "regression":
        found["score"] = given.logits[:, 0]
    else:
        found.update(logits=given.logits, probabilities=probabilities(given.logits, problem))
    return {output: np.asarray(value, np.float32) for output, value in found.items()}


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
