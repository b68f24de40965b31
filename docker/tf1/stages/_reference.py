"""The answers of a checkpoint, and who gave them: its own graph; else google-research/bert's code with its variables.

The variables are restored by TensorFlow's own Saver, so that neither our freezing nor our reading of files stands
between the source and its answers.
"""

import os

import answers
from answered import joined, row
from stage import StageInputError

from bertbuild.graph.own_answers import NAMES
from bertbuild.heads.found import tensor_name
from stages import _bert, _own_graph, _signature
from stages._tensorflow import session_for, tf

ALL_LAYERS = "all-layers"
GIVEN_GRAPH = "the given graph"
SAVED_MODEL = "the given SavedModel"

_PROGRAMS = {
    "classifier": "run_classifier.py",
    "span": "run_squad.py",
    "masked-lm": "run_pretraining.py",
    "next-sentence": "run_pretraining.py",
}
"""Kind of head → the program of google-research/bert that has it."""


def answer(source, gelu, outputs, asked):
    """What a checkpoint answers.

    Args:
        source: a `_source.Source`.
        gelu: "erf", "tanh", or None where its activation is another.
        outputs: what --output calls them.
        asked: of `questions.read`.

    Returns:
        array name → float32 array, as `asked.answer` gives them; the rows of reference.json.
    """
    names = {output: tensor_name(output) for output in outputs}
    own, missing = _own_graph.answer(source, gelu, [names[name] for name in names if name != ALL_LAYERS], asked)
    given = [name for output, name in names.items() if own and name not in missing and output != ALL_LAYERS]
    rows = [own_row(source, given)] if given else []
    lacking = asked.unanswered(own, names.values())
    rest = [output for output, name in names.items() if name in lacking]
    if not rest:
        return own, rows
    found = from_upstream(source, gelu, rest, asked)
    for output in rest:
        why = missing.get(names[output]) or lacking[names[output]] or "its own graph is not asked for every layer"
        why = "" if source.meta is None else why
        rows.append(row(program(names[output], source.heads), [names[output].replace("%d", "*")], why))
    return dict(found, **own), joined(rows)


def own_graph(source, gelu, outputs, asked):
    """The same of the checkpoint's own graph alone: of another family than BERT, that is.

    Raises:
        StageInputError: it does not give an output.
    """
    names = [tensor_name(output) for output in outputs]
    found, missing = _own_graph.answer(source, gelu, names, asked)
    if missing:
        raise StageInputError("; ".join(sorted(set(missing.values()))) or "there is no .meta beside the checkpoint")
    return found, [own_row(source, names)]


def own_row(source, names):
    """The row of reference.json of what the checkpoint's own graph answered."""
    return row("the checkpoint's own graph (%s)" % os.path.basename(source.meta), names)


def from_upstream(source, gelu, outputs, asked):
    """Answers of google-research/bert's graph with the checkpoint restored into its variables."""
    with tf.Graph().as_default():
        inputs = _signature.placeholders(None, None)
        tensors = _bert.build(source, gelu, inputs, outputs)
        with session_for(asked) as session:
            source.restore(session)
            feeds = dict(zip(answers.ROLES, inputs))
            return asked.answer(runner(session, feeds, tensors))


def runner(session, feeds, tensors):
    """A function of role → array that runs the session."""

    def run_session(values):
        return session.run(tensors, {feeds[role]: value for role, value in values.items()})

    return run_session


def program(name, heads):
    """Who in google-research/bert gives an answer of that name, in words."""
    kind = next((head.kind for head in heads if name in NAMES.get(head.kind, ())), None)
    if kind in _PROGRAMS:
        return "google-research/bert's %s" % _PROGRAMS[kind]
    if kind is None:
        return "google-research/bert's modeling.py"
    return "google-research/bert's modeling.py, and behind it a head of kind %s, which that repository has not" % kind
