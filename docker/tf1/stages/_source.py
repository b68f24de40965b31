"""A checkpoint folder as the stages see it: settings, activation, and the reader of its tensors."""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from checkpoint_files import find_prefix
from stage import StageInputError

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)


def gelu_erf(x):
    """The exact gelu, as the published graphs compute it: x · ½(1 + erf(x/√2)), https://arxiv.org/abs/1606.08415.

    Written in the order that OpenVINO's GeluFusion recognises; float32 in and out, any shape.
    """
    return x * (0.5 * (1.0 + tf.erf(x / tf.sqrt(2.0))))


def gelu_tanh(x):
    """Gelu by tanh, as modeling.py computes it: ½x · (1 + tanh(√(2/π) · (x + 0.044715·x³))); float32, any shape."""
    return x * (0.5 * (1.0 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3)))))


GELU = {"erf": gelu_erf, "tanh": gelu_tanh}
SAVED_MODEL_OUTPUTS = ("probabilities", "pooled", "sequence")
OTHER_ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "linear": None, "": None}


class Config(object):
    """bert_config.json: its values as attributes, modeling.py's defaults for those it leaves out."""

    hidden_size = 768
    num_hidden_layers = 12
    num_attention_heads = 12
    intermediate_size = 3072
    hidden_act = "gelu"
    max_position_embeddings = 512
    type_vocab_size = 16

    def __init__(self, values):
        self.values = values
        self.__dict__.update(values)

    @property
    def has_gelu(self):
        """Whether the intermediate layers' activation is a gelu, of whichever form."""
        return str(self.hidden_act).lower() == "gelu"

    def activation(self, gelu):
        """The activation function, or None for none; `gelu` is the form where it is a gelu."""
        if self.has_gelu:
            return GELU[gelu]
        if str(self.hidden_act).lower() not in OTHER_ACTIVATIONS:
            raise StageInputError("hidden_act %r is none that modeling.py knows" % self.hidden_act)
        return OTHER_ACTIVATIONS[str(self.hidden_act).lower()]


class Model(object):
    """What a model is built from: its `config`, `epsilon` and weights; subclasses say where they lie."""

    epsilon = 1e-12  # tf.contrib.layers.layer_norm has it built in
    seq_len = None  # the only sequence length it takes

    def outputs(self, wanted):
        """The outputs of a SavedModel, as `_ports.select` takes them: as asked, else what the model is made for.

        Args:
            wanted: some of "probabilities", "pooled", "sequence" with commas, or None.

        Raises:
            StageInputError: an output of no such name, or one that the model has no weights for.
        """
        chosen = wanted.split(",") if wanted else self.default_outputs()
        unknown = sorted(set(chosen) - set(SAVED_MODEL_OUTPUTS))
        if unknown:
            raise StageInputError("--output=%s is none of %s" % (unknown[0], ", ".join(SAVED_MODEL_OUTPUTS)))
        if "probabilities" in chosen:
            self.classes()
        return chosen

    def default_outputs(self):
        """What the model is made for."""
        return ["probabilities"] if self.has("output_weights") else ["pooled", "sequence"]

    def classes(self):
        """How many classes the classifier head has; StageInputError when there is none."""
        if not self.has("output_weights"):
            raise StageInputError("the model has no classifier head (output_weights), so no probabilities")
        return self.shape("output_weights")[0]

    def check_seq_len(self, seq_len):
        """Raise StageInputError when a sequence is longer than the position table."""
        if not 1 <= seq_len <= self.config.max_position_embeddings:
            raise StageInputError(
                "--seq-len=%d is not between 1 and the model's %d positions"
                % (seq_len, self.config.max_position_embeddings)
            )


class Source(Model):
    """A checkpoint folder: bert_config.json, a checkpoint and perhaps its .meta."""

    def __init__(self, folder, prefix=None):
        self.folder = folder
        self.prefix = find_prefix(folder, prefix)
        self.meta = self.prefix + ".meta" if os.path.exists(self.prefix + ".meta") else None
        config = os.path.join(folder, "bert_config.json")
        if not os.path.exists(config):
            raise StageInputError("%s has no bert_config.json" % folder)
        with open(config) as file:
            self.config = Config(json.load(file))
        self.reader = tf.train.NewCheckpointReader(self.prefix)

    def gelu(self, wanted, report):
        """The form of gelu to build with: as asked, or `auto`, the one the checkpoint's own .meta computes."""
        if not self.config.has_gelu:
            return None
        if wanted != "auto":
            return wanted
        if self.meta is None:
            report.note("no .meta beside the checkpoint: gelu taken as erf, the form of the published graphs")
            return "erf"
        from bertbuild.graph.gelu import gelu_form
        from bertbuild.graph.graphdef import GraphFormatError, read_meta_graph

        try:
            found = gelu_form(read_meta_graph(self.meta))
        except GraphFormatError as error:
            raise StageInputError("%s cannot be read: %s" % (self.meta, error)) from error
        if found is None:
            report.note("the .meta shows no gelu: taken as erf, the form of the published graphs")
            return "erf"
        return found

    def has(self, name):
        """Whether there is a variable of that name."""
        return self.reader.has_tensor(name)

    def shape(self, name):
        """The shape of a variable; StageInputError when there is none of that name."""
        if not self.has(name):
            raise StageInputError("the checkpoint %s has no %s" % (self.prefix, name))
        return tuple(self.reader.get_variable_to_shape_map()[name])

    def tensor(self, name):
        """The value of a variable as a NumPy array."""
        return self.reader.get_tensor(name)

    def compute_operators(self, gelu, outputs, seq_len):
        """Operators, by type, of the graph that modeling.py builds for these outputs and this length."""
        from stages import _bert, _operators, _ports

        with tf.Graph().as_default() as graph:
            classes = self.classes() if "probabilities" in outputs else None
            tensors = _bert.build(self.config, gelu, _ports.placeholders(None, seq_len), outputs, classes)
            return _operators.compute_operators(graph.as_graph_def(), [tensor.op.name for tensor in tensors.values()])

    def restore(self, session):
        """Give the variables of the session's graph the checkpoint's values."""
        tf.compat.v1.train.Saver(tf.compat.v1.global_variables()).restore(session, self.prefix)
