"""What a stage is asked to give: its parameters --output and --heads.

The names are a contract with the host, whose table of heads has them too (a test compares the two); stages have no copy
of that table, so that a new head in it changes nothing here.
"""

from stage import StageInputError

from bertbuild.heads.found import OF_ENCODER, from_parameter

HEADS = "KIND:WEIGHTS:BIAS with commas: the heads that --output needs, and the names of their last layers' variables"
POOLED = "pooled"


def declare(stage, usual=POOLED):
    """Declare both parameters of a stage; `usual` is what it gives where --output is not given, in words."""
    stage.param(
        "output",
        "what the model gives: %s, or what a head of --heads answers; several with commas (default: %s)"
        % (", ".join(OF_ENCODER), usual),
    )
    stage.param("heads", HEADS + ": classifier:output_weights:output_bias")


def read(args, usual=POOLED):
    """The outputs of --output, a list, and the heads of --heads.

    Raises:
        StageInputError: --heads has another form.
    """
    return (args.output or usual).split(","), heads(args)


def heads(args):
    """The heads of --heads, as `bertbuild.heads.found` has them.

    Raises:
        StageInputError: it has another form.
    """
    try:
        return from_parameter(args.heads)
    except ValueError as error:
        raise StageInputError("--heads %s" % error) from error
