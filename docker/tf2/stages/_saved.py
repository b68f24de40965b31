"""A SavedModel of TensorFlow 2, whoever saved it: fed by its inputs' names, its answers told by name and shape."""

import numpy as np
import tensorflow as tf
from answers import ROLES
from stage import StageInputError

from bertbuild.heads.answers import EXPORTED
from bertbuild.heads.classifier import TENSOR as PROBABILITIES
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.sequence import TENSOR as SEQUENCE

NAMES = {
    "input_ids": ("input_ids", "input_word_ids", "word_ids"),
    "input_mask": ("input_mask", "attention_mask"),
    "segment_ids": ("segment_ids", "input_type_ids", "token_type_ids"),
}
KNOWN = {answer.tensor: (answer.tensor, *answer.also) for answer in EXPORTED.values()}
SIGNATURE = "serving_default"
ROUNDING = 1e-4  # of the sum of a row of probabilities in float32


class SavedModel:
    """A loaded SavedModel.

    Attributes:
        run: int32 tensors [B, S] (ids, mask, segments) → output name → float32 array: pooled_output and
            sequence_output, or probabilities of a classifier, whether it gives these or logits.
    """

    def __init__(self, folder, hidden_size, report):
        """Load it.

        Args:
            folder: of the SavedModel.
            hidden_size: units of a layer, by which outputs without a known name are told.
            report: of the stage.

        Raises:
            StageInputError: it cannot be loaded, or takes other inputs than the three.
        """
        try:
            self._loaded = tf.saved_model.load(folder)
        except (OSError, ValueError, AttributeError, tf.errors.OpError) as error:
            message = "%s cannot be loaded: %s" % (folder, str(error).strip().split("\n")[0])
            raise StageInputError(message) from error
        self._hidden_size = hidden_size
        self._report = report
        self._gives_logits = None
        self._call = self._called() or self._signature()

    def run(self, *inputs):
        """See the class."""
        given = _flat(self._call(dict(zip(ROLES, inputs, strict=True))))
        found = {name: self._output(name, given) for name in (POOLED, SEQUENCE)}
        found = {name: value for name, value in found.items() if value is not None}
        classes = self._classes(given)
        if classes is not None:
            found[PROBABILITIES] = classes
        if not found:
            shapes = ", ".join("%s %s" % (name, list(value.shape)) for name, value in sorted(given.items()))
            message = "the SavedModel gives %s, none of which is pooled_output, sequence_output or probabilities"
            raise StageInputError(message % shapes)
        return found

    def _called(self):
        """The way to call the model as an object, as Keras and hub modules are called; None where it cannot be."""
        function = getattr(self._loaded, "__call__", None)  # noqa: B004 - its concrete functions are asked
        for concrete in getattr(function, "concrete_functions", ()):
            args, _ = concrete.structured_input_signature
            if not args or any(arg is True for arg in args[1:]):  # as in training
                continue
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
        """The way to call the model by its signature.

        Raises:
            StageInputError: it has none.
        """
        signatures = self._loaded.signatures
        chosen = signatures.get(SIGNATURE) or (next(iter(signatures.values())) if len(signatures) == 1 else None)
        if chosen is None:
            found = ", ".join(signatures) or "none"
            raise StageInputError("the SavedModel has no signature %s (found: %s)" % (SIGNATURE, found))
        specs = chosen.structured_input_signature[1]
        names = _roles_of(specs)
        return lambda feeds: chosen(**{name: _as(specs[name], feeds[role]) for role, name in names.items()})

    def _output(self, wanted, given):
        """The hidden states that are wanted: of a known name, else the only ones of their shape."""
        named = [given[name] for name in KNOWN[wanted] if name in given]
        rank = 2 if wanted == POOLED else 3
        shaped = [value for value in given.values() if value.ndim == rank and value.shape[-1] == self._hidden_size]
        return named[0] if named else shaped[0] if len(shaped) == 1 else None

    def _classes(self, given):
        """The probabilities of a classifier's classes: the only output of two dimensions that is not a hidden state."""
        if PROBABILITIES in given:
            return given[PROBABILITIES]
        rows = {
            name: value
            for name, value in given.items()
            if value.ndim == 2 and value.shape[-1] != self._hidden_size and name not in KNOWN[POOLED]
        }
        if len(rows) != 1:
            return None
        ((name, value),) = rows.items()
        if self._gives_logits is None:
            self._gives_logits = bool((value < 0).any() or np.abs(value.sum(axis=-1) - 1).max() > ROUNDING)
            kind = "logits, whose softmax is taken" if self._gives_logits else "probabilities"
            self._report.note("the SavedModel's output %s is taken for %s" % (name or "without a name", kind))
        return tf.nn.softmax(value, axis=-1).numpy() if self._gives_logits else value


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
