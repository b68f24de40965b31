"""What a model can give, and that of it which was asked for (`asked_outputs`); the columns of heads."""

from stage import StageInputError

from bertbuild.heads.found import COLUMNS, tensor_name

POOLED, SEQUENCE, ALL_LAYERS = "pooled", "sequence", "all-layers"


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
