"""The flags of stages that make int8 models of fp32 ones, calibrated on examples. Python 3.6-safe."""

from stage import StageInputError

SUBSET = 300
"""Examples to calibrate on where nothing is said: NNCF's own number."""
HEADS = ("classifier", "multi-label", "regression", "tokens", "span")
ANY, VNNI = "any", "vnni"
"""Processors that the model is for."""


def declare(stage):
    """Add the flags but the model's own."""
    stage.input("examples", "to calibrate on: train.tf_record of prepare-data, features.npz, or the folder of one")
    stage.input(
        "validation",
        "for --max-drop: eval.tf_record, its folder, or an .npz with label_ids; of questions a folder of "
        "squad-examples",
        required=False,
    )
    stage.param("max-drop", "how far the metric may fall, e.g. 0.01 from 0.85 to 0.84", type=float)
    stage.param("head", "what answers (default: classifier)", choices=HEADS, default=HEADS[0])
    stage.param("examples-used", "how many to calibrate on (default: %d)" % SUBSET, type=int, default=SUBSET)
    stage.param(
        "int8-for",
        "any (default): weights have 7 bits, right on every processor; vnni: 8 bits, wrong on processors without VNNI",
        choices=(ANY, VNNI),
        default=ANY,
    )
    stage.param("model", "the source model's name, written into the model", default="")


def check(args):
    """Refuse invalid values.

    Raises:
        StageInputError: one is.
    """
    if args.examples_used < 1:
        raise StageInputError("--examples-used must be at least 1 (got %d)" % args.examples_used)
    if (args.max_drop is None) != (args.validation is None):
        raise StageInputError("--max-drop and --validation belong together: a bound, and what it is measured on")
    if args.max_drop is not None and not 0 <= args.max_drop < 1:
        raise StageInputError("--max-drop must be in [0, 1) (got %g)" % args.max_drop)
