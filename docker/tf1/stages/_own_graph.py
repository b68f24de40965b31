"""The checkpoint's own graph, of its .meta, asked: also one that was saved while training."""

import os

import numpy as np
from answers import ROLES
from stage import StageInputError

from bertbuild.graph import own_answers
from bertbuild.graph.cutting import written
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.node import GraphFormatError
from stages import _cut_graph
from stages._tensorflow import session_for, tf

MASKED = "masked_lm_logits"


def answer(source, gelu, wanted, asked):
    """What the graph in the .meta answers.

    Args:
        source: a `_source.Source`.
        gelu: the form that is asked for.
        wanted: names of answers: "pooled_output", "probabilities", ….
        asked: of `questions.read`.

    Returns:
        the answers, as `asked.answer` gives them; name of an answer → why it is not among them.
    """
    if source.meta is None:
        return {}, dict.fromkeys(wanted, "")
    meta = os.path.basename(source.meta)
    try:
        check_gelu(gelu_form(source.graph), gelu)
        found = own_answers.own_graph(source.graph, source.heads, wanted)
        _cut_graph.check_variables(source.graph, found.cut.variables, source.reader, "its graph")
        given = _ask(source, found, asked)
    except (GraphFormatError, StageInputError) as error:
        return {}, dict.fromkeys(wanted, "%s is not asked: %s" % (meta, str(error).rstrip(".")))
    except tf.errors.OpError as error:  # as of an operator that no kernel of a CPU serves
        words = (error.message or type(error).__name__).splitlines()[0]
        return {}, dict.fromkeys(wanted, "TensorFlow cannot run %s: %s" % (meta, words))
    return given, {name: "%s: %s" % (meta, why) for name, why in found.missing.items()}


def check_gelu(computed, wanted):
    """Raise StageInputError where a graph computes gelu in another form than is asked for."""
    if computed != wanted and computed is not None:
        raise StageInputError("it computes gelu by %s, and by %s it is asked for" % (computed, wanted))


def _ask(source, found, asked):
    with tf.Graph().as_default(), session_for(asked) as session:
        content = written(source.meta, found.cut, meta=True)
        _cut_graph.load(content, source.meta, session, found.cut.variables, source.prefix)
        run = _runner(session, found)
        per_position = [name for name, item in found.answers.items() if item.shape == own_answers.ENDS]
        return asked.answer(run, batch=found.batch, seq_len=found.seq_len, per_position=per_position)


def _runner(session, found):
    """A function of role → int32 array [B, S] that gives name → float32 array of the answer's shape."""
    feeds = _cut_graph.feeds(session, found.cut)
    tensors = {name: session.graph.get_tensor_by_name(str(item.tensor)) for name, item in found.answers.items()}

    def run(values):
        fed = {feeds[role]: values[role] for role in ROLES}
        rows, length = values["input_ids"].shape
        if own_answers.PLACES not in feeds:
            given = session.run(tensors, fed)
        else:
            given = _at_all_places(session, tensors, fed, feeds[own_answers.PLACES], found.places, rows, length)
        return {name: shaped(given[name], item, rows, length) for name, item in found.answers.items()}

    return run


def _at_all_places(session, tensors, fed, places, count, rows, length):
    """The tensors with a masked LM's logits of all positions: it answers at `count` in one run."""
    parts = []
    for start in range(0, length, count):
        here = np.minimum(np.arange(start, start + count), length - 1)
        parts.append(session.run(tensors, {**fed, places: np.tile(here, (rows, 1))}))
    given = dict(parts[0])
    if MASKED in given:
        found = [part[MASKED].reshape(rows, count, -1) for part in parts]
        given[MASKED] = np.concatenate(found, axis=1)[:, :length]
    return given


def shaped(value, item, rows, length):
    """An answer in its shape.

    Args:
        value: the tensor's, of any shape that holds the same numbers.
        item: an `own_answers.OwnAnswer`.
        rows: B.
        length: S.

    Raises:
        StageInputError: it holds other numbers.
    """
    sizes = {
        own_answers.ROWS: (rows, -1),
        own_answers.POSITIONS: (rows, length, -1),
        own_answers.ENDS: (rows, length) if item.column is None else (rows, length, 2),
        own_answers.SCORE: (rows,),
    }[item.shape]
    try:
        value = np.asarray(value, np.float32).reshape(sizes)
    except ValueError as error:
        message = "%s has shape %s, where %s of %d rows of %d tokens are expected"
        raise StageInputError(message % (item.tensor, list(value.shape), item.shape, rows, length)) from error
    if item.column is not None:
        return value[..., item.column]
    return ACTIVATIONS[item.activation](value)


def _softmax(value):
    powers = np.exp(value.astype(np.float64) - value.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def _sigmoid(value):
    return (1.0 / (1.0 + np.exp(-value.astype(np.float64)))).astype(np.float32)


ACTIVATIONS = {"": lambda value: value, "Softmax": _softmax, "Sigmoid": _sigmoid}
