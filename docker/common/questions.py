"""What an infer stage is asked: the probes of the parity gate, or the examples of a data set."""

from stage import StageInputError

BATCH_SIZE = 8


def declare(stage):
    """Declare the inputs and parameters of a stage that answers questions."""
    stage.input("probes", "probes.json", required=False)
    stage.input(
        "examples", "features.npz, or its folder (stage examples): answers are one array [N, …]", required=False
    )
    stage.param(
        "alone",
        "probes: whether the rows of a batch are asked one by one too (default: true)",
        choices=("true", "false"),
        default="true",
    )
    stage.param("pad-to-max", "examples: every row as long as the longest can be", choices=("true",))
    stage.param("batch-size", "examples at a time (default: %d)" % BATCH_SIZE, type=int, default=BATCH_SIZE)


def read(args, report):
    """The questions that were given: an `answers.Probes` or a `features.Examples`, each with a method `answer`.

    Raises:
        StageInputError: not just one kind was given, or it cannot be used.
    """
    if (args.probes is None) == (args.examples is None):
        raise StageInputError("give one of --probes and --examples")
    if args.probes is not None:
        import answers

        return answers.Probes(args.probes, args.alone == "true")
    import features

    return features.Examples(args.examples, args.batch_size, report, bool(args.pad_to_max))
