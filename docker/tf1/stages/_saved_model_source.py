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
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.saved_model import read_saved_model
from bertbuild.graph.served import known_outputs
from bertbuild.heads.found import FoundHead
from stages import _operators, _source
from stages._tensorflow import tf

LAYER = re.compile(LAYER_OUTPUT_PATTERN)


class SavedModelSource(_source.Model):
    """A SavedModel of google-research/bert's variables, or with them frozen into constants.

    Attributes:
        outputs: what is wanted of it, as --output calls it.
        heads: a `FoundHead` for each head that these need, under google-research/bert's names.

    Args:
        folder: of it.
        outputs: what is wanted; None: all that its signature gives and that is known.

    Raises:
        StageInputError: no such SavedModel; the sentence says what was not found.
    """

    def __init__(self, folder, outputs=None):
        self.folder = folder
        self._columns = set()  # heads' weights that lie as [H, C]
        try:
            self.saved_model = read_saved_model(folder)
            self._graph = self.saved_model.graph
            self._weights = _weights(folder, self._graph)
            self.config = _source.Config(self._config())
            self.config.epsilon = layer_norm_epsilon(self._graph)
            self.seq_len = self.saved_model.fixed_size(1)
            self._known = known_outputs(self.saved_model).taken
        except GraphFormatError as error:
            raise StageInputError(str(error)) from error
        self.outputs = list(self._known) if outputs is None else outputs
        self.heads = self._heads()

    def _heads(self):
        found = {}
        for output in (self._known[name] for name in self.outputs if name in self._known):
            kind, head = output.answer.kind, output.answer.head
            if head is not None and kind not in found:
                weights, bias = self._weights.google_name(head.weights), self._weights.google_name(head.bias)
                if not head.by_rows:
                    self._columns.add(weights)
                found[kind] = FoundHead(kind=kind, weights=weights, bias=bias, labels=head.columns)
        return tuple(found.values())

    def has(self, name):
        """Whether there is a variable of that name."""
        return name in self._weights.shapes

    def shape(self, name):
        """The shape of a variable, of a head's weights [C, H]; StageInputError when there is none of that name."""
        if not self.has(name):
            raise StageInputError("the SavedModel in %s has no %s" % (self.folder, name))
        shape = self._weights.shapes[name]
        return shape[::-1] if name in self._columns else shape

    def tensor(self, name):
        """The value of a variable as a NumPy array, of a head's weights [C, H]."""
        value = self._weights.tensor(name)
        return value.T if name in self._columns else value

    def gelu(self, wanted, report):  # noqa: ARG002 - as a checkpoint's, which has something to report
        """The form of gelu to build with: as asked, or `auto`, the one the graph computes."""
        if not self.config.has_gelu:
            return None
        return gelu_form(self._graph) if wanted == "auto" else wanted

    def compute_operators(self, gelu, outputs, seq_len):  # noqa: ARG002 - as a checkpoint's, which builds a graph
        """Operators, by type, of the SavedModel's own graph; its form and length are what they are."""
        names = [output.tensor.split(":")[0] for name, output in self._known.items() if name in outputs]
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

    def google_name(self, node):
        """What a variable of the graph is called here."""
        return _unscoped(node, self._scope)

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
        self._scope = _scope(nodes)
        self._nodes = {_unscoped(name, self._scope): node for name, node in nodes.items()}
        self.shapes = {
            name: tuple(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim)
            for name, node in self._nodes.items()
        }

    def google_name(self, node):
        """What a constant of the graph is called here."""
        return _unscoped(node, self._scope)

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
