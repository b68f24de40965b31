"""convert-tf2: a TensorFlow 1 checkpoint → a TensorFlow 2 checkpoint of the Model Garden's BERT, or ALBERT.

Read and written by bertbuild's own reader and writer, one tensor at a time; TensorFlow is not loaded for it, and proves
the result afterwards (the stage infer). Writes bert_model.ckpt.{index,data-…}, which is just what `restore` takes,
`checkpoint`, bert_config.json, vocab.txt and mapping.json.
"""

import codecs
import json
import os
import shutil
from pathlib import Path

import asked_outputs
from checkpoint_files import CHECKPOINT, find_prefix
from stage import Stage, StageInputError, read_json, step, write_json

from bertbuild.families.bert_names import CONFIG_FILE

FORMATS = ("encoder", "keras-bert", "keras-names", "pretrainer")
STATE = 'model_checkpoint_path: "%s"\nall_model_checkpoint_paths: "%s"\n' % (CHECKPOINT, CHECKPOINT)

STAGE = Stage("convert-tf2", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
STAGE.param("format", "of the result (default: encoder)", choices=FORMATS, default="encoder")
STAGE.param("heads", "KIND:WEIGHTS:BIAS with commas: the heads, of which the format takes those it has")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("gelu", "the form the source was trained with; recorded beside the file", choices=("erf", "tanh"))


def run(args, report):
    """Read the index, lay out the target, write it tensor by tensor."""
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.config import read_config
    from bertbuild.checkpoint.layouts import layout, left_out
    from bertbuild.checkpoint.variables import disagreements
    from bertbuild.checkpoint.writer import write_checkpoint
    from bertbuild.errors import BertbuildError
    from bertbuild.families.table import family_of

    folder = Path(args.checkpoint)
    try:
        prefix = find_prefix(args.checkpoint, args.prefix)
        reader = CheckpointReader(prefix)
        family = family_of(reader.entries, read_json(args.checkpoint, CONFIG_FILE))
        config = read_config(folder / CONFIG_FILE, family.name)
        shapes = {name: entry.shape for name, entry in reader.entries.items()}
        problems = disagreements(config, shapes, {name: entry.dtype for name, entry in reader.entries.items()})
        if problems:
            raise StageInputError("the checkpoint does not fit its config: %s" % problems[0].rstrip("."))
        taken = layout(args.format, config, shapes, heads(args, shapes))
        reasons = left_out(taken, shapes)
        step("converting %d variables" % len(taken.places))
        converted = tensors(taken, reader)
        write_checkpoint(Path(args.out) / CHECKPOINT, converted)
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error

    Path(args.out, "checkpoint").write_text(STATE, encoding="utf-8")
    write_config(folder / CONFIG_FILE, config, prefix, args.out)
    if (folder / "vocab.txt").exists():
        shutil.copyfile(folder / "vocab.txt", os.path.join(args.out, "vocab.txt"))
    order = {place.source: number for number, place in reversed(list(enumerate(taken.places)))}
    table = {
        "format": args.format,
        "family": config.family,
        "gelu": args.gelu,
        "roots": list(taken.roots),
        "heads": [head._asdict() for head in taken.heads],
        "variables": sorted(converted.rows, key=lambda row: order[row["source"]]),
        "left_out": [{"source": name, "reason": reason} for name, reason in sorted(reasons.items())],
    }
    write_json(args.out, "mapping.json", table)
    report.facts = {"format": args.format, "gelu": args.gelu, "roots": table["roots"], "variables": len(taken.places)}
    report.note("%d variables converted, %d left out on purpose" % (len(taken.places), len(reasons)))


def heads(args, shapes):
    """The heads of --heads, whose last layers must be among the checkpoint's variables.

    Raises:
        StageInputError: it has another form, or names a variable that is not there.
    """
    found = asked_outputs.heads(args)
    missing = [name for head in found for name in (head.weights, head.bias) if name not in shapes]
    if missing:
        raise StageInputError("--heads names %s, which the checkpoint has not" % missing[0])
    return found


def write_config(path, config, prefix, out):
    """The configuration, copied; written again where the Model Garden would read another model in it.

    That is so where hidden_act is spelled in a way it does not know, where only the .meta tells of another epsilon of
    the layer norms than modeling.py's, and where the file begins with a byte order mark.
    """
    from bertbuild.checkpoint.config import config_for_others
    from bertbuild.checkpoint.graph_facts import graph_facts

    meta = Path(prefix + ".meta")
    content = path.read_bytes()
    values = json.loads(content)
    changed = config_for_others(values, config, graph_facts(meta if meta.exists() else None).epsilon)
    if changed == values and not content.startswith(codecs.BOM_UTF8):
        shutil.copyfile(path, os.path.join(out, path.name))
    else:
        write_json(out, path.name, changed)


def tensors(taken, reader):
    """The target's tensors, and the table of where they came from."""
    import numpy as np

    from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
    from bertbuild.checkpoint.object_graph import SAVE_COUNTER, encode_object_graph, value_key
    from stages._tables import Converted

    def maker(place):
        row = {
            "source": place.source,
            "source_shape": list(place.source_shape),
            "shape": list(place.shape),
            "change": place.change,
        }
        return row, lambda: np.ascontiguousarray(place.forth(reader.tensor(place.source)))

    if not taken.object_based:
        return Converted({place.name: maker(place) for place in taken.places})
    made = {value_key(place.path): maker(place) for place in taken.places}
    names = {place.path: place.name for place in taken.places}
    graph = encode_object_graph({**names, SAVE_COUNTER: "save_counter"}, taken.aliases)
    made[value_key(SAVE_COUNTER)] = ({}, lambda: np.array(1, np.int64))
    made[OBJECT_GRAPH_KEY] = ({}, lambda: graph)
    return Converted(made)


if __name__ == "__main__":
    STAGE.main(run)
