"""A BERT read back from a SavedModel, whoever exported it: its sizes, activation and weights, by tracing its graph."""

import os
import re

from saved_models import read_for_serving
from stage import StageInputError

from bertbuild.families.bert import (
    INTERMEDIATE,
    LAYER_OUTPUT_PATTERN,
    POSITION_EMBEDDINGS,
    TOKEN_TYPE_EMBEDDINGS,
    WORD_EMBEDDINGS,
)
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.geometry import head_size, layer_norm_epsilon
from bertbuild.graph.graphdef import GraphFormatError
from bertbuild.graph.saved_model import read_saved_model
from stages import _operators, _outputs, _source
from stages._tensorflow import tf

LAYER = re.compile(LAYER_OUTPUT_PATTERN)


class SavedModelSource(_source.Model):
    """A SavedModel of google-research/bert's variables, or with them frozen into constants.

    Raises:
        StageInputError: no such SavedModel; the sentence says what was not found.
    """

    def __init__(self, folder, named=""):
        self.folder = folder
        try:
            self.saved_model = read_saved_model(folder)
            self._graph = self.saved_model.graph
            self._weights = _weights(folder, self._graph)
            self.config = _source.Config(self._config())
            self.config.epsilon = layer_norm_epsilon(self._graph)
            self.seq_len = self.saved_model.fixed_size(1)
            self._outputs = self.saved_model.given(named or "")
        except GraphFormatError as error:
            raise StageInputError(str(error)) from error

    def has(self, name):
        """Whether there is a variable of that name."""
        return name in self._weights.shapes

    def shape(self, name):
        """The shape of a variable; StageInputError when there is none of that name."""
        if not self.has(name):
            raise StageInputError("the SavedModel in %s has no %s" % (self.folder, name))
        return self._weights.shapes[name]

    def tensor(self, name):
        """The value of a variable as a NumPy array."""
        return self._weights.tensor(name)

    def gelu(self, wanted, report):  # noqa: ARG002 - as a checkpoint's, which has something to report
        """The form of gelu to build with: as asked, or `auto`, the one the graph computes."""
        if not self.config.has_gelu:
            return None
        return gelu_form(self._graph) if wanted == "auto" else wanted

    def default_outputs(self):
        """What the signature gives."""
        encoders = {tensor: output for output, tensor in _outputs.OF_ENCODER.items()}
        return [encoders.get(name, name) for name in self._outputs]

    def compute_operators(self, gelu, outputs, seq_len):  # noqa: ARG002 - as a checkpoint's, which builds a graph
        """Operators, by type, of the SavedModel's own graph; its form and length are what they are."""
        wanted = [_outputs.tensor_name(output) for output in outputs]
        names = [tensor.split(":")[0] for name, tensor in self._outputs.items() if name in wanted]
        return _operators.compute_operators(read_for_serving(self.folder).graph_def, names)

    def _config(self):
        vocab_size, hidden_size = self.shape(WORD_EMBEDDINGS)
        layers = {int(match.group(1)) for match in map(LAYER.search, self._weights.shapes) if match}
        if sorted(layers) != list(range(len(layers))) or not layers:
            raise StageInputError("the SavedModel in %s has no whole row of layers: %s" % (self.folder, sorted(layers)))
        size = head_size(self._graph)
        if hidden_size % size != 0:
            raise StageInputError("the SavedModel's layers of %d units have no heads of %d" % (hidden_size, size))
        return {
            "vocab_size": vocab_size,
            "hidden_size": hidden_size,
            "num_hidden_layers": len(layers),
            "num_attention_heads": hidden_size // size,
            "intermediate_size": self.shape(INTERMEDIATE)[1],
            "max_position_embeddings": self.shape(POSITION_EMBEDDINGS)[0],
            "type_vocab_size": self.shape(TOKEN_TYPE_EMBEDDINGS)[0],
            "hidden_act": self._activation(),
        }

    def _activation(self):
        if gelu_form(self._graph):
            return "gelu"
        inside = {node.op for name, node in self._graph.nodes.items() if "/intermediate/" in name}
        return "relu" if "Relu" in inside else "tanh" if "Tanh" in inside else "linear"


def _weights(folder, graph):
    frozen = any(node.op == "Const" for name, node in graph.nodes.items() if name.endswith(WORD_EMBEDDINGS))
    return _Constants(folder) if frozen else _Variables(os.path.join(folder, "variables", "variables"))


class _Variables(object):
    """Weights in the SavedModel's variables; `shapes` by Google's names."""

    def __init__(self, prefix):
        try:
            self._reader = tf.train.NewCheckpointReader(prefix)
        except (ValueError, tf.errors.OpError) as error:
            raise StageInputError("the SavedModel's variables cannot be read: %s" % error) from error
        shapes = self._reader.get_variable_to_shape_map()
        self._scope = _scope(shapes)
        self.shapes = {_unscoped(name, self._scope): tuple(shape) for name, shape in shapes.items()}
        self._names = {_unscoped(name, self._scope): name for name in shapes}

    def tensor(self, name):
        """The value as a NumPy array."""
        try:
            return self._reader.get_tensor(self._names[name])
        except (ValueError, tf.errors.OpError) as error:
            raise StageInputError("the SavedModel's variables cannot be read: %s" % error) from error


class _Constants(object):
    """Weights frozen into the graph; `shapes` by Google's names."""

    def __init__(self, folder):
        nodes = {node.name: node for node in read_for_serving(folder).graph_def.node if node.op == "Const"}
        scope = _scope(nodes)
        self._nodes = {_unscoped(name, scope): node for name, node in nodes.items()}
        self.shapes = {
            name: tuple(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim)
            for name, node in self._nodes.items()
        }

    def tensor(self, name):
        """The value as a NumPy array."""
        return tf.make_ndarray(self._nodes[name].attr["value"].tensor)


def _scope(names):
    """What stands before Google's names, "" or "module/"."""
    found = sorted(name for name in names if name.endswith(WORD_EMBEDDINGS))
    if not found:
        raise StageInputError("the SavedModel has no %s, as google-research/bert names it" % WORD_EMBEDDINGS)
    return found[0][: -len(WORD_EMBEDDINGS)]


def _unscoped(name, scope):
    return name[len(scope) :] if name.startswith(scope) else name  # noqa: FURB188 - Python 3.7
