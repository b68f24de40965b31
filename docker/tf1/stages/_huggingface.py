"""How a Hugging Face BERT's names, layouts and settings become google-research/bert's."""

import re

import numpy as np
from stage import StageInputError

EPSILON = 1e-12  # tf.contrib.layers.layer_norm has it built in, so no other can be carried over
GELU = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_python": "erf"}
OTHER_ACTIVATIONS = ("relu", "tanh", "linear")
COPIED = (
    "attention_probs_dropout_prob",
    "hidden_dropout_prob",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
)

# Tensors that are computed from others, or tied to them: nothing is lost by leaving them out.
DERIVED = re.compile(r"embeddings\.position_ids|cls\.predictions\.decoder\.(weight|bias)")
NAMES = (
    (re.compile(r"^bert\."), ""),
    (re.compile(r"^(embeddings|encoder|pooler)\."), r"bert.\1."),
    (re.compile(r"^classifier\.weight$"), "output_weights"),
    (re.compile(r"^classifier\.bias$"), "output_bias"),
    (re.compile(r"^qa_outputs\.weight$"), "cls.squad.output_weights"),
    (re.compile(r"^qa_outputs\.bias$"), "cls.squad.output_bias"),
    (re.compile(r"^cls\.seq_relationship\.weight$"), "cls.seq_relationship.output_weights"),
    (re.compile(r"^cls\.seq_relationship\.bias$"), "cls.seq_relationship.output_bias"),
    (re.compile(r"^cls\.predictions\.bias$"), "cls.predictions.output_bias"),
    (re.compile(r"\.layer\.(\d+)\."), r".layer_\1."),
    (re.compile(r"_embeddings\.weight$"), "_embeddings"),
    (re.compile(r"LayerNorm\.(weight|gamma)$"), "LayerNorm.gamma"),
    (re.compile(r"LayerNorm\.(bias|beta)$"), "LayerNorm.beta"),
    (re.compile(r"\.weight$"), ".kernel"),
)


def bert_config(theirs):
    """bert_config.json's content and the form of gelu ("erf", "tanh", None) from a Hugging Face config.json.

    Raises:
        StageInputError: not a BERT, or one that google-research/bert's graph cannot compute.
    """
    if theirs.get("model_type", "bert") != "bert":
        raise StageInputError("config.json says model_type %r; only bert can be imported" % theirs["model_type"])
    if theirs.get("position_embedding_type", "absolute") != "absolute":
        raise StageInputError("position_embedding_type %r has no TensorFlow 1 form" % theirs["position_embedding_type"])
    if theirs.get("layer_norm_eps", EPSILON) != EPSILON:
        raise StageInputError(
            "layer_norm_eps is %r; TensorFlow 1 BERT has 1e-12 built in, so the answers would differ"
            % theirs["layer_norm_eps"]
        )
    activation = theirs.get("hidden_act", "gelu")
    if activation not in GELU and activation not in OTHER_ACTIVATIONS:
        raise StageInputError("hidden_act %r has no TensorFlow 1 form" % activation)
    missing = [name for name in COPIED if name not in theirs]
    if missing:
        raise StageInputError("config.json has no %s" % missing[0])
    config = {name: theirs[name] for name in COPIED}
    config["hidden_act"] = "gelu" if activation in GELU else activation
    return config, GELU.get(activation)


def read_tensors(path, report):
    """Every tensor under its Google name: dict of name → float32 array, and the names left out on purpose.

    Raises:
        StageInputError: the file cannot be read, or two tensors get one name.
    """
    from safetensors import SafetensorError, safe_open

    tensors, left_out = {}, []
    try:
        with safe_open(path, framework="np") as file:
            for name in sorted(file.keys()):
                if DERIVED.search(name):
                    left_out.append(name)
                    continue
                renamed = google_name(name)
                if renamed in tensors:
                    raise StageInputError("two tensors would be called %s" % renamed)
                array = file.get_tensor(name)
                if array.dtype != np.float32:
                    report.note("%s is %s, widened to float32" % (name, array.dtype))
                tensors[renamed] = np.ascontiguousarray(oriented(renamed, array), np.float32)
    except (SafetensorError, TypeError) as error:
        raise StageInputError("%s cannot be read: %s" % (path, error)) from error
    return tensors, left_out


def google_name(name):
    """`encoder.layer.0.attention.self.query.weight` → `bert/encoder/layer_0/attention/self/query/kernel`."""
    for pattern, replacement in NAMES:
        name = pattern.sub(replacement, name)
    return name.replace(".", "/")


def oriented(name, array):
    """A kernel is [out, in] in PyTorch, [in, out] in TensorFlow; all else is alike."""
    return array.T if name.endswith("/kernel") else array
