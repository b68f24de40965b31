"""TensorFlow as google-research/bert's code means it: version 1.15 itself, or TensorFlow 2 in v1 mode.

Every module here that may run in either takes `tf` from this one, so that nothing is built before TensorFlow 2 is in
v1 mode: graphs and sessions, TensorFlow 1's variables, Keras 2. `modeling` is google-research/bert's modeling.py
(package bert-tensorflow), which builds the same graph, operator by operator, in both.
"""

import contextlib
import importlib.machinery
import importlib.util
import os
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # what TensorFlow 2 has left of tf.layers is part of Keras 2

import tensorflow as tf
from stage import StageInputError
from tensorflow.core.protobuf import rewriter_config_pb2
from tensorflow.python.util import deprecation

V1_MODE = not tf.__version__.startswith("1.")
"""Whether this is a TensorFlow 2 in v1 mode."""

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
# Not shown anyway; to find out which operators they are about takes a sixth of the time in which a graph is built.
deprecation._PRINT_DEPRECATION_WARNINGS = False  # noqa: SLF001
if V1_MODE:
    tf = tf.compat.v1
    tf.disable_v2_behavior()


def session_for(asked):
    """A session of the default graph, for what `questions.read` gave.

    Where no time is taken the graph is run as it is written. TensorFlow would rewrite it first, and that takes longer
    than it saves over some probes.
    """
    config = tf.compat.v1.ConfigProto()
    if not asked.timed:
        rewriting = rewriter_config_pb2.RewriterConfig(disable_meta_optimizer=True)
        config.graph_options.rewrite_options.CopyFrom(rewriting)
    return tf.compat.v1.Session(config=config)


NEWER_ATTRIBUTES = ("grad_a", "grad_b", "grad_x", "grad_y", "_has_manual_control_dependencies")
"""What TensorFlow 2.20 writes on operators of BERT that 1.15 has without: all false, all of use in training alone."""


@contextlib.contextmanager
def importing(path):
    """Where TensorFlow takes a graph from a file: what it refuses is reported as bad input, by the file's path."""
    try:
        yield
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        words = (str(error) or type(error).__name__).splitlines()[0]
        raise StageInputError("TensorFlow does not take the graph of %s: %s" % (path, words)) from error


def as_of_1(node):
    """A tf.NodeDef as TensorFlow 1.15 writes it, changed in place: it refuses attributes that it does not know."""
    if V1_MODE:
        node.ClearField("experimental_type")
        for name in NEWER_ATTRIBUTES:
            node.attr.pop(name, None)
    return node


@contextlib.contextmanager
def _layers_of_contrib():
    """tf.contrib for who reads its layers alone, as modeling.py: whole it is 700 modules, and takes a third as long to
    load as TensorFlow itself. Who imports it later has it whole.
    """
    if "tensorflow_core.contrib" in sys.modules:
        yield
        return
    name = "tensorflow.contrib"
    whole = sys.modules.get(name)  # which loads itself when it is asked for anything
    spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
    for folder in importlib.util.find_spec("tensorflow_core").submodule_search_locations:
        spec.submodule_search_locations.append(os.path.join(folder, "contrib"))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[name]
        if whole is not None:
            sys.modules[name] = whole


def _load_modeling():
    """modeling.py; TensorFlow 2 has no tf.contrib, of which it uses the layer norm alone: `_bert` gives it one."""
    if not V1_MODE:
        with _layers_of_contrib():
            from bert import modeling

        return modeling
    from tensorflow.python.ops import special_math_ops

    contrib = types.ModuleType("tensorflow.contrib")
    contrib.layers = None
    sys.modules[contrib.__name__] = contrib
    try:
        from bert import modeling
    finally:
        del sys.modules[contrib.__name__]
    modeling.tf = _WithEinsumOf1(tf.__name__)
    modeling.tf.einsum = special_math_ops._einsum_v1  # noqa: SLF001 - no public name is left for it
    return modeling


class _WithEinsumOf1(types.ModuleType):
    """tf.compat.v1 with what is set on it: its own einsum is one operator, which no reader of 1.15's graphs knows."""

    def __getattr__(self, name):
        return getattr(tf, name)


modeling = _load_modeling()
