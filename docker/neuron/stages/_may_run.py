"""Whether a SavedModel is run at all: a graph from elsewhere is a program."""

from stage import StageInputError

from bertbuild.graph.loading import check_loading, check_outputs
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.saved_model import read_saved_model

NEURON_OP = "NeuronOp"
"""What AWS's compiler puts in the place of what it compiled; it runs on the device."""


def check(folder):
    """Make sure that all that loading and answering run may run.

    Raises:
        StageInputError: an operator, in a function too, may not; or there is no whole SavedModel.
    """
    try:
        check_loading(folder)
        found = read_saved_model(folder)
        outputs, fed = ([port.tensor for port in ports.values()] for ports in (found.outputs, found.inputs))
        check_outputs(found.graph, outputs, fed, also=[NEURON_OP])
    except GraphFormatError as error:
        raise StageInputError("%s is not loaded: %s" % (folder, str(error).rstrip("."))) from error
