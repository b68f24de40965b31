"""convert-tf1: a TensorFlow 2 BERT → the files of a Google-format TensorFlow 1 checkpoint, but for its .meta.

Takes a checkpoint of any format that convert-tf2 writes, one of the Model Garden's own (a fine-tuned one too), or the
variables of a SavedModel or hub module. Read and written without TensorFlow, one tensor at a time. What the head for a
task is for is written into task.json, since its variables have the same names as those of other kinds.
"""

import os
import shutil
from pathlib import Path

import asked_outputs
from checkpoint_files import CHECKPOINT, find_prefix
from stage import Stage, StageInputError, read_json, step, write_json

from bertbuild.families.bert_names import CONFIG_FILE

TASK = "task.json"
PRETRAINING = ("masked-lm", "next-sentence")
DROPPED = "of no head that was proved"
COUNTERS = ("save_counter", "global_step")

STAGE = Stage("convert-tf1", __doc__.splitlines()[0])
STAGE.input("tf2", "folder with a TensorFlow 2 checkpoint, or of a SavedModel or hub module")
STAGE.input("config", "bert_config.json, where it is not in that folder", required=False)
STAGE.input("vocab", "vocab.txt, where it is not in that folder", required=False)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("root", "of several encoders in it the one below this object")
STAGE.param("heads", "KIND:WEIGHTS:BIAS with commas: the heads that come with it (default: no head)")


def run(args, report):
    """Find every variable, write it under Google's name."""
    import numpy as np

    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.config import read_config
    from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
    from bertbuild.checkpoint.recovery import encoder_roots, of_heads, recover
    from bertbuild.checkpoint.writer import write_checkpoint
    from bertbuild.errors import BertbuildError
    from stages._tables import Converted

    config_path = Path(args.config or os.path.join(args.tf2, CONFIG_FILE))
    vocab = args.vocab or os.path.join(args.tf2, "vocab.txt")
    try:
        config = read_config(config_path)
        reader = CheckpointReader(find(args.tf2, args.prefix))
        heads = asked_outputs.heads(args)
        recovered = recover(reader, config, args.root or "")
        found = of_heads(recovered, heads)

        def maker(item):
            row = {"source": item.key, "source_shape": list(item.place.shape), "shape": list(item.place.source_shape)}
            row["change"] = item.place.change
            return row, lambda: np.ascontiguousarray(item.place.back(reader.tensor(item.key)))

        step("converting %d variables" % len(found))
        converted = Converted({item.place.source: maker(item) for item in found})
        write_checkpoint(Path(args.out) / CHECKPOINT, converted)
    except (BertbuildError, ValueError) as error:
        raise StageInputError(str(error).rstrip(".")) from error

    write_task(args, heads)
    shutil.copyfile(config_path, os.path.join(args.out, CONFIG_FILE))
    if os.path.exists(vocab):
        shutil.copyfile(vocab, os.path.join(args.out, "vocab.txt"))
    used = {item.key for item in found}
    dropped = {item.key for item in recovered} - used
    roots = encoder_roots(reader, config) if OBJECT_GRAPH_KEY in reader.entries else ()
    others = tuple(root + "/" for root in roots if not any(key.startswith(root + "/") for key in used))
    left = sorted(name for name, entry in reader.entries.items() if name not in used and entry.dtype != "string")
    reasons = {name: DROPPED if name in dropped else reason(name, others, used) for name in left}
    table = {
        "variables": sorted(converted.rows, key=lambda row: row["target"]),
        "left_out": [{"source": name, "reason": reasons[name]} for name in left],
    }
    write_json(args.out, "mapping.json", table)
    report.facts = {"variables": len(found)}
    report.note("%d variables converted, %d left out on purpose" % (len(found), len(left)))


def write_task(args, heads):
    """Write task.json, what the source's own tells and the kind of its head for a task, where it has such a head."""
    kinds = [head.kind for head in heads if head.kind not in PRETRAINING]
    if kinds:
        there = os.path.exists(os.path.join(args.tf2, TASK))
        write_json(args.out, TASK, dict(read_json(args.tf2, TASK) if there else {}, head=kinds[0]))


def find(folder, wanted):
    """The prefix of the checkpoint in a folder, or of the variables of the SavedModel in it."""
    variables = os.path.join(folder, "variables")
    return find_prefix(variables if os.path.isdir(variables) else folder, wanted)


def reason(name, others, used):
    """Why a tensor has no place in a BERT checkpoint.

    Args:
        name: its key.
        others: what the keys of other encoders begin with.
        used: the keys that have a place.
    """
    if others and name.startswith(others):
        return "of another encoder"
    if ".OPTIMIZER_SLOT" in name or name.startswith(("optimizer/", "keras_api/")):
        return "optimizer"
    head = name.rpartition("/out_proj/" if "/out_proj/" in name else "/dense/")[0]
    if head:
        second = any(key.startswith(head + "/out_proj/") for key in used)
        return "the pooler, a second time" if second else "head with a pooler of its own"
    return "counter of the training" if name.split("/")[0] in COUNTERS else "no variable of a BERT"


if __name__ == "__main__":
    STAGE.main(run)
