"""Models whose graph checks its inputs: the parameter --guard of stages that write a model operator by operator."""


def declare(stage):
    """Declare it."""
    stage.param(
        "guard",
        "in the graph: the id that one outside the vocabulary is taken for; segments outside their table become 0",
        type=int,
    )


def facts(args):
    """What is told of such a model, in the model and beside it: name → text; nothing of others."""
    return {} if args.guard is None else {"guard": str(args.guard)}


def kept(signature):
    """The same of a model made of another, by the signature.json of that."""
    return {name: signature[name] for name in ("guard",) if name in signature}
