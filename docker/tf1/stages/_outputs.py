"""What a stage is asked to give: its parameters --output and --heads.

The names are a contract with the host, whose table of heads has them too (a test compares the two); stages have no copy
of that table, so that a new head in it changes nothing here.
"""

from stage import StageInputError

from bertbuild.heads.found import from_parameter

POOLED, SEQUENCE, ALL_LAYERS = "pooled", "sequence", "all-layers"
OF_ENCODER = {POOLED: "pooled_output", SEQUENCE: "sequence_output", ALL_LAYERS: "layer_%d_output"}
"""What the encoder gives: what --output calls it → the name of its tensor; of all layers, one for each number."""
COLUMNS = {"regression": 1, "span": 2, "next-sentence": 2}
"""How many columns the last layers of these kinds have; others have one for each class."""
HEADS = "KIND:WEIGHTS:BIAS with commas: the heads that --output needs, and the names of their last layers' variables"


def declare(stage, usual=POOLED):
    """Declare both parameters of a stage; `usual` is what it gives where --output is not given, in words."""
    stage.param(
        "output",
        "what the model gives: %s, or what a head of --heads answers; several with commas (default: %s)"
        % (", ".join(OF_ENCODER), usual),
    )
    stage.param("heads", HEADS + ": classifier:output_weights:output_bias")


def asked(args, usual=POOLED):
    """The outputs of --output, a list, and the heads of --heads, as `bertbuild.heads.found` has them.

    Raises:
        StageInputError: --heads has another form.
    """
    try:
        return (args.output or usual).split(","), from_parameter(args.heads)
    except ValueError as error:
        raise StageInputError("--heads %s" % error) from error


def tensor_name(output):
    """The name of an output's tensor: of a head its own name, with underscores."""
    return OF_ENCODER.get(output, output.replace("-", "_"))


def select(outputs, given):
    """The tensors that were asked for, by their names.

    Args:
        outputs: what --output calls them.
        given: what the model can give, likewise → function without arguments → float32 tensor, or a list of one for
            each layer.

    Returns:
        dict of tensor name → float32 tensor, in the order of `given`: pooled_output, layer_0_output, probabilities, ….

    Raises:
        StageInputError: the model does not give one of them.
    """
    unknown = sorted(set(outputs) - set(given))
    if unknown:
        raise StageInputError(
            "--output must be one of %s (got %s); what a head answers needs --heads" % (", ".join(given), unknown[0])
        )
    tensors = {}
    for output, make in given.items():
        if output in outputs:
            found = make()
            if isinstance(found, list):
                tensors.update((tensor_name(output) % index, layer) for index, layer in enumerate(found))
            else:
                tensors[tensor_name(output)] = found
    return tensors


def columns(head, source, builders):
    """How many columns a head's last layer has.

    Args:
        head: a `bertbuild.heads.found.FoundHead`.
        source: a `_source.Model`.
        builders: kind of head → what computes it.

    Raises:
        StageInputError: a kind that nothing computes, or variables of another shape.
    """
    if head.kind not in builders:
        raise StageInputError("--heads must be of the kinds %s (got %s)" % (", ".join(builders), head.kind))
    shape, hidden = source.shape(head.weights), source.config.hidden_size
    if len(shape) != 2 or shape[1] != hidden or source.shape(head.bias) != shape[:1]:
        raise StageInputError(
            "%s must have shape [C, %d] and %s [C] (got %s and %s)"
            % (head.weights, hidden, head.bias, list(shape), list(source.shape(head.bias)))
        )
    if shape[0] != COLUMNS.get(head.kind, shape[0]):
        raise StageInputError(
            "%s of a head of kind %s must have %d rows (got %d)"
            % (head.weights, head.kind, COLUMNS[head.kind], shape[0])
        )
    return shape[0]
