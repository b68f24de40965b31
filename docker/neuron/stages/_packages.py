"""AWS's packages: whether they are here, and which."""

import importlib
import os
import shutil
import sys

from stage import StageInputError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

WHERE_FROM = (
    "tensorflow-neuron and neuron-cc come from AWS's package index, https://pip.repos.neuron.amazonaws.com "
    "(BERTBUILD_NEURON_INDEX_URL names another), or as wheels from docker/neuron/wheels; PyPI's packages of these "
    "names are empty. Make the environment of one of these: invoke images --backend neuron"
)


def tensorflow_neuron():
    """The module tensorflow.neuron, which also makes TensorFlow know the operator NeuronOp.

    Raises:
        StageInputError: it is not installed, or is PyPI's empty package.
    """
    try:
        return importlib.import_module("tensorflow.neuron")
    except ImportError as error:
        raise StageInputError("tensorflow.neuron cannot be imported (%s); %s" % (error, WHERE_FROM)) from error


def neuron_cc():
    """The path of the compiler, where tensorflow-neuron looks for it.

    Raises:
        StageInputError: there is none.
    """
    path = shutil.which("neuron-cc", path=os.path.dirname(sys.executable) + ":" + os.environ.get("PATH", ""))
    if path is None:
        raise StageInputError("the compiler neuron-cc is not installed; " + WHERE_FROM)
    return path


def versions(*names):
    """The versions of installed packages, by name."""
    import pkg_resources

    return {name: pkg_resources.get_distribution(name).version for name in names}
