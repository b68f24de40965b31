"""A SavedModel of TensorFlow 2, whoever saved it: fed by its inputs' names, its answers told by name and shape."""

import answered
import numpy as np
import tensorflow as tf
from answers import ROLES
from stage import StageInputError

from bertbuild.graph.cutting import check_operators
from bertbuild.graph.graphdef import parse_graph
from bertbuild.graph.loading import check_loading
from bertbuild.graph.node import GraphFormatError
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.sequence import TENSOR as SEQUENCE
from stages._heads import TENSORS

NAMES = {
    "input_ids": ("input_ids", "input_word_ids", "word_ids"),
    "input_mask": ("input_mask", "attention_mask"),
    "segment_ids": ("segment_ids", "input_type_ids", "token_type_ids"),
}
HIDDEN = {
    POOLED: (POOLED, "pooled", "pooler_output"),
    SEQUENCE: (SEQUENCE, "sequence", "last_hidden_state"),
}
OURS = frozenset(name for names in TENSORS.values() for name in names)
SPAN = {"start_logits": ("start_logits", "start_positions", "0"), "end_logits": ("end_logits", "end_positions", "1")}
"""Tensor → what those who save models call it; a list's members go by their numbers."""
SIGNATURE = "serving_default"
CALLED, SIGNED = "the given SavedModel, called as a model", "the given SavedModel's signature %s"
ROUNDING = 1e-4  # of the sum of a row of probabilities in float32
ALIKE = {"rtol": 1e-4, "atol": 1e-5}  # what two signatures of one model may be apart


class SavedModel:
    """A loaded SavedModel.

    Attributes:
        run: int32 tensors [B, S] (ids, mask, segments) → tensor name → float32 array: pooled_output and
            sequence_output, and what its heads answer.
    """

    def __init__(self, folder, hidden_size, report, kinds=(), wanted=None):
        """Load it.

        Args:
            folder: of the SavedModel.
            hidden_size: units of a layer, by which outputs without a known name are told.
            report: of the stage.
            kinds: of its heads, by which answers without a known name are told.
            wanted: names of the tensors for which signatures of heads are asked too; None: all are.

        Raises:
            StageInputError: it cannot be loaded, or takes other inputs than the three.
        """
        check(folder)
        try:
            self._loaded = tf.saved_model.load(folder)
        except (OSError, ValueError, AttributeError, tf.errors.OpError) as error:
            message = "%s cannot be loaded: %s" % (folder, str(error).strip().split("\n")[0])
            raise StageInputError(message) from error
        self._hidden_size = hidden_size
        self._report = report
        self._kinds = kinds
        self._wanted = wanted
        self._gives_logits = None
        called = self._called()
        self._call, self._by = (called, CALLED) if called else self._signature()
        self._gave = {}

    def run(self, *inputs):
        """See the class."""
        feeds = dict(zip(ROLES, inputs, strict=True))
        given = _flat(self._call(feeds))
        found = self._hidden(given)
        found.update({name: value for name, value in given.items() if name in OURS})
        for kind in self._kinds:
            found.update(self._of_head(kind, given, found))
        self._gave.update((name, self._by) for name in found)
        for name in sorted(set(TENSORS) & set(self._loaded.signatures)):
            if self._wanted is None or not found.keys() >= set(self._wanted):
                more = self._agreeing(name, _flat(self._by_signature(name)(feeds)), found)
                self._gave.update((tensor, SIGNED % name) for tensor in more if tensor not in found)
                found.update(more)
        missing = [TENSORS[kind][-1] for kind in self._kinds if TENSORS[kind][-1] not in found]
        if missing or not found:
            shapes = ", ".join("%s %s" % (name, list(value.shape)) for name, value in sorted(given.items()))
            wanted = missing[0] if missing else "pooled_output, sequence_output or what a head answers"
            why = "none of which is %s; where another head is in front, give what is below it" % wanted
            raise StageInputError("the SavedModel gives %s, %s" % (shapes, why))
        return found

    @property
    def rows(self):
        """Who gave what when it was last run, as reference.json has it."""
        return answered.joined([answered.row(what, [name]) for name, what in self._gave.items()])

    def _agreeing(self, signature, given, found):
        """What a head's signature gives, which is what another one gave where that gave it too."""
        for name in given.keys() & found.keys():
            if given[name].shape != found[name].shape or not np.allclose(given[name], found[name], **ALIKE):
                raise StageInputError("two signatures of the SavedModel, %s one, differ in %s" % (signature, name))
        return given

    def _called(self):
        """The way to call the model as an object, as Keras and hub modules are called; None where it cannot be."""
        function = getattr(self._loaded, "__call__", None)  # noqa: B004 - its concrete functions are asked
        for concrete in getattr(function, "concrete_functions", ()):
            args, _ = concrete.structured_input_signature
            if not args or any(arg is True for arg in args[1:]):  # as in training
                continue
            check_function(concrete)
            if isinstance(args[0], dict):
                names = _roles_of(args[0])
                return lambda feeds, args=args, names=names: function(
                    {name: _as(args[0][name], feeds[role]) for role, name in names.items()}, *args[1:]
                )
            if isinstance(args[0], (list, tuple)):
                specs = {getattr(spec, "name", ""): spec for spec in args[0]}
                roles = {name: role for role, name in _roles_of(specs).items()}
                return lambda feeds, args=args, roles=roles: function(
                    [_as(spec, feeds[roles[spec.name]]) for spec in args[0]], *args[1:]
                )
        return None

    def _signature(self):
        """The way to call the model by its signature, and that in words.

        Raises:
            StageInputError: it has none.
        """
        signatures = self._loaded.signatures
        only = next(iter(signatures)) if len(signatures) == 1 else None
        if SIGNATURE not in signatures and only is None:
            found = ", ".join(signatures) or "none"
            raise StageInputError("the SavedModel has no signature %s (found: %s)" % (SIGNATURE, found))
        name = SIGNATURE if SIGNATURE in signatures else only
        return self._by_signature(name), SIGNED % name

    def _by_signature(self, name):
        function = self._loaded.signatures[name]
        check_function(function)
        specs = function.structured_input_signature[1]
        names = _roles_of(specs)
        return lambda feeds: function(**{name: _as(specs[name], feeds[role]) for role, name in names.items()})

    def _hidden(self, given):
        """The hidden states: of a known name, else, of a model without heads, the only ones of their shape."""
        found = {}
        for wanted, names in HIDDEN.items():
            named = [given[name] for name in names if name in given]
            rank = 2 if wanted == POOLED else 3
            shaped = [
                value
                for name, value in given.items()
                if name not in OURS and value.ndim == rank and value.shape[-1] == self._hidden_size
            ]
            if named:
                found[wanted] = named[0]
            elif len(shaped) == 1 and not self._kinds:
                found[wanted] = shaped[0]
        return found

    def _of_head(self, kind, given, found):
        """What a head answers, of the outputs that go by another name."""
        others = {name: value for name, value in given.items() if not any(name in names for names in HIDDEN.values())}
        if kind == "span":
            named = {tensor: [others[name] for name in names if name in others] for tensor, names in SPAN.items()}
            return {tensor: values[0] for tensor, values in named.items() if values}
        if kind == "regression":
            scores = [value for value in others.values() if value.ndim == 1 or value.shape[1:] == (1,)]
            return {"score": scores[0].reshape(-1)} if len(scores) == 1 else {}
        if kind not in ("classifier", "multi-label", "tokens") or "probabilities" in found:
            return {}
        rows = {name: value for name, value in others.items() if value.ndim == (3 if kind == "tokens" else 2)}
        return {"probabilities": self._probabilities(kind, *rows.popitem())} if len(rows) == 1 else {}

    def _probabilities(self, kind, name, value):
        """The probabilities that an output gives, or whose logits (or logarithms) it gives."""
        many = kind == "multi-label"
        if self._gives_logits is None:
            beyond = (value < 0).any() or (value > 1).any()
            summed = not many and np.abs(value.sum(axis=-1) - 1).max() > ROUNDING
            self._gives_logits = bool(beyond or summed)
            taken = "logits, whose %s is taken" % ("sigmoid" if many else "softmax")
            self._report.note(
                "the SavedModel's output %s is taken for %s"
                % (name or "without a name", taken if self._gives_logits else "probabilities")
            )
        if not self._gives_logits:
            return value
        return (tf.nn.sigmoid(value) if many else tf.nn.softmax(value, axis=-1)).numpy()


def check(folder):
    """Raise StageInputError where loading a SavedModel would run operators that may not run."""
    try:
        check_loading(folder, whole=True)
    except GraphFormatError as error:
        raise StageInputError("%s is not loaded: %s" % (folder, str(error).rstrip("."))) from error


def check_function(concrete):
    """Raise StageInputError where a function runs operators that may not run."""
    try:
        graph = parse_graph(concrete.graph.as_graph_def().SerializeToString())
        check_operators(graph, graph.nodes.values(), "its answer is computed by")
    except GraphFormatError as error:
        raise StageInputError("the SavedModel cannot be run: %s" % str(error).rstrip(".")) from error


def _roles_of(specs):
    """Role → the name under which a SavedModel takes it.

    Raises:
        StageInputError: a role has none of the names that are known, or there are more inputs than roles.
    """
    found = {role: [name for name in names if name in specs] for role, names in NAMES.items()}
    missing = sorted(role for role, names in found.items() if not names)
    if missing or len(specs) != len(NAMES):
        wanted = "; ".join(" or ".join(names) for names in NAMES.values())
        taken = ", ".join(sorted(map(str, specs)))
        raise StageInputError("the SavedModel takes %s; a BERT's inputs are %s; save it again so" % (taken, wanted))
    return {role: names[0] for role, names in found.items()}


def _as(spec, value):
    return tf.cast(value, spec.dtype)


def _flat(given):
    """What a call gives as output name → float32 array; the only one may have no name, lists within are left out."""
    if isinstance(given, dict):
        return {name: _array(value) for name, value in given.items() if isinstance(value, tf.Tensor)}
    if isinstance(given, (list, tuple)):
        return {str(number): _array(value) for number, value in enumerate(given) if isinstance(value, tf.Tensor)}
    return {"": _array(given)}


def _array(value):
    return np.asarray(value.numpy(), np.float32)
