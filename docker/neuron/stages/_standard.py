"""A SavedModel compiled as it is, by tensorflow-neuron alone: encoder and pooler go to the device, all else to the CPU.

As in AWS's BERT demo (bert_no_model.py), for graphs of google-research/bert's modeling.py.
"""

import re

import tensorflow as tf
from stage import StageInputError

from bertbuild.families.bert_names import SCOPE
from stages import _saved_model

ON_CPU = ("strided_slice", "ones", "Reshape", "Shape", "Cast")
"""Scopes of bert/encoder that make the attention mask out of integers and shapes."""

_ENCODER = re.compile(r"(?:(.*)/)?bert/encoder/")


def placement(graph_def):
    """The names of all nodes, and of those for the device.

    Raises:
        StageInputError: the graph has not one BERT in it, named as in modeling.py.
    """
    names = [node.name for node in graph_def.node]
    prefixes = {match.group(1) or "" for match in map(_ENCODER.match, names) if match}
    if len(prefixes) != 1:
        raise StageInputError(
            "the SavedModel has %d encoders under the name bert/encoder, and one is needed: its graph is not of "
            "google-research/bert's modeling.py; make it ready for Neuron and compile that instead" % len(prefixes)
        )
    start = "".join(prefix + "/" for prefix in prefixes if prefix) + SCOPE
    excluded = tuple("%sencoder/%s" % (start, scope) for scope in ON_CPU)
    forced = [
        name
        for name in names
        if name.startswith((start + "encoder", start + "pooler"))
        and not any(name == scope or name.startswith(scope + "/") for scope in excluded)
    ]
    return names, forced


def work_of(graph_def, outputs, names):
    """Types of the operators on floating-point numbers that the outputs need, among the nodes of these names.

    What is computed with integers is about shapes, and is a constant by the time the compiler sees it.
    """
    wanted = _saved_model.needed(graph_def, outputs) & set(names)
    floats = {tf.float16.as_datatype_enum, tf.float32.as_datatype_enum}
    types = ("T", "dtype", "DstT", "Tparams")
    return {
        node.op
        for node in graph_def.node
        if node.name in wanted and any(node.attr[name].type in floats for name in types if name in node.attr)
    }
