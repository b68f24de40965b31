"""hf-weights: a checkpoint → config.json and weights, as a Hugging Face folder has them, and no tokenizer.

What transformers' classes need to answer for a model of a family that google-research/bert's code does not compute.
"""

from pathlib import Path

from checkpoint_files import find_prefix
from stage import Stage, StageInputError, read_json, write_json

from stages import _hf_weights

STAGE = Stage("hf-weights", __doc__.splitlines()[0])
_hf_weights.declare(STAGE)


def run(args, report):
    """Read, rename, write, compare."""
    from importlib.metadata import version

    from bertbuild.errors import BertbuildError

    prefix = Path(find_prefix(args.checkpoint, args.prefix))
    try:
        report.facts["files"] = _hf_weights.write(args, prefix, _hf_weights.config_of(args, prefix))
    except BertbuildError as error:
        raise StageInputError("%s %s" % (error, error.next_step)) from error
    report.packages = {"numpy": version("numpy")}
    config = read_json(args.out, "config.json")
    gelu = args.gelu if config["hidden_act"].startswith("gelu") else None
    write_json(args.out, "signature.json", {"class": config["architectures"][0], "gelu": gelu})


if __name__ == "__main__":
    STAGE.main(run)
