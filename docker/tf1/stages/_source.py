"""A checkpoint folder as the stages see it: settings, activation, and the reader of its tensors."""

import contextlib
import os

import numpy as np
from checkpoint_files import find_prefix
from stage import StageInputError, read_json

from bertbuild.families.bert_names import CONFIG_FILE, POOLER
from stages._tensorflow import tf


def gelu_erf(x):
    """The exact gelu, as the published graphs compute it: x · ½(1 + erf(x/√2)), https://arxiv.org/abs/1606.08415.

    Written in the order that OpenVINO's GeluFusion recognises; float32 in and out, any shape.
    """
    return x * (0.5 * (1.0 + tf.erf(x / tf.sqrt(2.0))))


def gelu_tanh(x):
    """Gelu by tanh, as modeling.py computes it: ½x · (1 + tanh(√(2/π) · (x + 0.044715·x³))); float32, any shape."""
    return x * (0.5 * (1.0 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3)))))


GELU = {"erf": gelu_erf, "tanh": gelu_tanh}
NAMED_GELU = {"gelu": None, "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_python": "erf"}
"""The names that a configuration has for gelu, and which form each stands for, if it says so."""
EPSILON = 1e-12
"""What tf.contrib.layers.layer_norm, and so modeling.py, adds to a variance."""
OTHER_ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "linear": None}


class Config(object):
    """bert_config.json: its values as attributes, modeling.py's defaults for those it leaves out.

    `epsilon` is what each layer norm adds to a variance; the model's own graph can say more of it than the file.
    """

    hidden_size = 768
    num_hidden_layers = 12
    num_attention_heads = 12
    intermediate_size = 3072
    hidden_act = "gelu"
    max_position_embeddings = 512
    type_vocab_size = 16
    epsilon = EPSILON

    def __init__(self, values):
        self.values = values
        self.__dict__.update(values)
        self.hidden_act = str(values.get("hidden_act", "gelu") or "linear").lower()  # null and "" are none

    @property
    def has_gelu(self):
        """Whether the intermediate layers' activation is a gelu, of whichever form."""
        return self.hidden_act in NAMED_GELU

    def activation(self, gelu):
        """The activation function, or None for none; `gelu` is the form where it is a gelu."""
        if self.has_gelu:
            return GELU[gelu]
        if self.hidden_act not in OTHER_ACTIVATIONS:
            raise StageInputError("hidden_act %r is none that modeling.py knows" % self.hidden_act)
        return OTHER_ACTIVATIONS[self.hidden_act]


class Model(object):
    """What a model is built from: its `config` and weights; subclasses say where they lie.

    Attributes:
        heads: the heads that it is built with, as `bertbuild.heads.found` has them.
        seq_len: the only sequence length that it takes, or None.
    """

    heads = ()
    seq_len = None

    def check_seq_len(self, seq_len):
        """Raise StageInputError when a sequence is longer than the position table."""
        if not 1 <= seq_len <= self.config.max_position_embeddings:
            raise StageInputError(
                "--seq-len=%d is not between 1 and the model's %d positions"
                % (seq_len, self.config.max_position_embeddings)
            )


class Source(Model):
    """A checkpoint folder: bert_config.json, a checkpoint and perhaps its .meta."""

    def __init__(self, folder, prefix=None, heads=()):
        self.folder = folder
        self.heads = heads
        self.prefix = find_prefix(folder, prefix)
        self.meta = self.prefix + ".meta" if os.path.exists(self.prefix + ".meta") else None
        self.graph = None if self.meta is None else _graph(self.meta)
        if not os.path.exists(os.path.join(folder, CONFIG_FILE)):
            raise StageInputError("%s has no %s" % (folder, CONFIG_FILE))
        self.config = Config(read_json(folder, CONFIG_FILE))
        self.config.epsilon = self._epsilon()
        self.reader = tf.train.NewCheckpointReader(self.prefix)

    def _epsilon(self):
        """What the configuration says, else what the graph in the .meta adds, else modeling.py's."""
        from bertbuild.graph.geometry import layer_norm_epsilon
        from bertbuild.graph.node import GraphFormatError

        stated, computed = self.config.values.get("layer_norm_eps"), None
        with contextlib.suppress(GraphFormatError):  # raised where no layer norm can be read
            computed = None if self.graph is None else layer_norm_epsilon(self.graph)
        if stated and computed and abs(stated - computed) > 1e-5 * computed:
            raise StageInputError(
                "bert_config.json has layer_norm_eps %g, but the graph in %s adds %g" % (stated, self.meta, computed)
            )
        return stated or computed or EPSILON

    def gelu(self, wanted, report):
        """The form of gelu to build with: as asked, or `auto`.

        That is the one the checkpoint's own .meta computes, else the one that its configuration names.
        """
        if not self.config.has_gelu:
            return None
        if wanted != "auto":
            return wanted
        named, found = NAMED_GELU[self.config.hidden_act], self._computed_gelu()
        if named and found and named != found:
            raise StageInputError(
                "hidden_act %s is gelu by %s, but %s computes it by %s; say which: --gelu=%s or --gelu=%s"
                % (self.config.hidden_act, named, self.meta, found, named, found)
            )
        if named or found:
            return named or found
        why = "no .meta beside the checkpoint" if self.meta is None else "the .meta shows no gelu"
        report.note("%s: gelu taken as erf, the form of the published graphs" % why)
        return "erf"

    def _computed_gelu(self):
        from bertbuild.graph.gelu import gelu_form
        from bertbuild.graph.node import GraphFormatError

        try:
            return None if self.graph is None else gelu_form(self.graph)
        except GraphFormatError as error:
            raise StageInputError("%s cannot be read: %s" % (self.meta, error)) from error

    def has(self, name):
        """Whether there is a variable of that name."""
        return self.reader.has_tensor(name)

    @property
    def has_pooler(self):
        """Whether there is a pooler, which pooled output and the classifier need."""
        return any(self.has(name) for name in POOLER)

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
        from stages import _bert, _operators, _signature

        with tf.Graph().as_default() as graph:
            tensors = _bert.build(self, gelu, _signature.placeholders(None, seq_len), outputs)
            return _operators.compute_operators(graph.as_graph_def(), [tensor.op.name for tensor in tensors.values()])

    def restore(self, session):
        """Give the variables of the session's graph the checkpoint's values."""
        variables = tf.compat.v1.global_variables()
        lacking = () if self.has_pooler else POOLER
        restored = [variable for variable in variables if variable.op.name not in lacking]
        tf.compat.v1.train.Saver(restored).restore(session, self.prefix)
        for variable in variables:
            if variable.op.name in lacking:  # modeling.py always makes a pooler; no output asked for comes from it
                variable.load(np.zeros(variable.shape.as_list(), np.float32), session)


def _graph(meta):
    from bertbuild.graph.graphdef import read_meta_graph
    from bertbuild.graph.node import GraphFormatError

    try:
        return read_meta_graph(meta)
    except GraphFormatError as error:
        raise StageInputError("%s cannot be read: %s" % (meta, error)) from error
