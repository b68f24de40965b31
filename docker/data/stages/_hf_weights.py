"""A checkpoint's weights and settings as a Hugging Face folder has them: what convert-hf and hf-weights share."""

import json
from pathlib import Path

from stage import StageInputError, read_json, step

from bertbuild.families.bert_names import CONFIG_FILE


def declare(stage):
    """Declare what such a stage reads, and what it is told."""
    stage.input("checkpoint", "folder with bert_config.json, the checkpoint's files and perhaps vocab.txt")
    stage.param("heads", "KIND:WEIGHTS:BIAS with commas: the heads that the folder is to have")
    stage.param("prefix", "the checkpoint's name in its folder, where there are several")
    stage.param("gelu", "form of gelu, where the model has one (default: erf)", choices=("erf", "tanh"), default="erf")
    stage.param("labels", "names of the head's columns, a list in JSON (default: as task.json says)")


def config_of(args, prefix):
    """The checkpoint's own configuration, as bertbuild.checkpoint.config.BertConfig."""
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.config import read_config
    from bertbuild.families.table import family_of

    family = family_of(CheckpointReader(prefix).entries, read_json(args.checkpoint, CONFIG_FILE))
    return read_config(Path(args.checkpoint) / CONFIG_FILE, family.name)


def write(args, prefix, config):
    """Write config.json and the weights; gives the names of the files of weights.

    Args:
        args: of the stage.
        prefix: of the checkpoint.
        config: of `config_of`.
    """
    from bertbuild.heads.found import from_parameter
    from bertbuild.huggingface.exporting import export

    try:
        heads = from_parameter(args.heads)
    except ValueError as error:
        raise StageInputError("--heads %s" % error) from error
    step("writing the tensors")
    return export(
        prefix,
        Path(args.out),
        config=config,
        heads=heads,
        gelu=args.gelu if config.hidden_act == "gelu" else None,
        epsilon=config.epsilon(epsilon_of(prefix) if config.layer_norm_eps is None else None),
        labels=json.loads(args.labels) if args.labels else labels_of(args.checkpoint, prefix.name),
    )


def epsilon_of(prefix):
    """What the layer norms of the .meta beside a checkpoint add to the variance; None where there is no .meta."""
    meta = prefix.with_name(prefix.name + ".meta")
    if not meta.exists():
        return None
    from bertbuild.checkpoint.graph_facts import graph_facts  # what reads graphs takes a tenth of a second to import

    return graph_facts(meta).epsilon


def labels_of(folder, prefix):
    """The names of a head's columns, as the task.json of its training has them; empty where it has none."""
    from bertbuild.checkpoint.task_file import task_file

    path = task_file(Path(folder), prefix)
    told = read_json(str(path.parent), path.name) if path else {}
    return [str(label) for label in told.get("labels") or ()]
