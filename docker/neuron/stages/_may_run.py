"""Whether a SavedModel is run at all: a graph from elsewhere is a program."""

import contextlib
import os
import tempfile

from stage import StageInputError

from bertbuild.graph.loading import check_loading, check_outputs
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.pruning import pruned_meta
from bertbuild.graph.saved_model import FILE, read_saved_model
from bertbuild.graph.wire import encode_bytes, encode_number

NEURON_OP = "NeuronOp"
"""What AWS's compiler puts in the place of what it compiled; it runs on the device."""


@contextlib.contextmanager
def checked(folder):
    """Make sure that all that loading and answering run may run.

    Gives the folder to load: the given one, or, where its graph has other operators, one with the same files and a
    graph without them.

    Raises:
        StageInputError: an operator, in a function too, may not run; or there is no whole SavedModel.
    """
    try:
        check_loading(folder)
        found = read_saved_model(folder)
        outputs, fed = ([port.tensor for port in ports.values()] for ports in (found.outputs, found.inputs))
        check_outputs(found.graph, outputs, fed, also=[NEURON_OP])
        path = os.path.join(folder, FILE)
        content = pruned_meta(found.graph, path, outputs, fed, also=[NEURON_OP], span=found.span)
    except GraphFormatError as error:
        raise StageInputError("%s is not loaded: %s" % (folder, str(error).rstrip("."))) from error
    if content is None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        for name in os.listdir(folder):
            if name != FILE:
                os.symlink(os.path.abspath(os.path.join(folder, name)), os.path.join(made, name))
        with open(os.path.join(made, FILE), "wb") as file:
            file.write(encode_number(1, 1) + encode_bytes(2, content))
        yield made
