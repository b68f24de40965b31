"""import: a Hugging Face BERT folder → a Google-format TensorFlow 1 checkpoint, without its .meta.

Reads config.json, vocab.txt and the weights; writes bert_config.json, vocab.txt and the index and data of
bert_model.ckpt, one tensor at a time. Numbers are not changed: kernels are transposed ([out, in] → [in, out]), and
narrower floats are widened to float32.
"""

import json
import os
import shutil
from pathlib import Path

from checkpoint_files import CHECKPOINT
from stage import Stage, StageInputError, step, write_json

STAGE = Stage("import", __doc__.splitlines()[0])
STAGE.input("huggingface", "folder with config.json, vocab.txt and the weights")


def run(args, report):
    """Read, check, rename, write."""
    from importlib.metadata import version

    from bertbuild.checkpoint.writer import write_checkpoint
    from bertbuild.errors import BertbuildError
    from bertbuild.huggingface.folder import find_files
    from bertbuild.huggingface.importing import import_tensors, read_weights
    from bertbuild.huggingface.settings import read_settings

    try:
        files = find_files(Path(args.huggingface))
        settings = read_settings(files.config)
        step("reading %s" % ", ".join(path.name for path in files.weights))
        found = import_tensors(settings, read_weights(files))
        step("writing %d tensors" % len(found.numbers))
        write_checkpoint(Path(args.out) / CHECKPOINT, found.numbers)
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error
    write_json(args.out, "bert_config.json", dict(settings.bert_config))
    shutil.copyfile(files.vocab, os.path.join(args.out, "vocab.txt"))
    for note in found.notes:
        report.note(note)
    for name, reason in sorted(found.left_out.items()):
        report.note("left out: %s (%s)" % (name, reason))
    report.packages = {"numpy": version("numpy")}
    report.facts = {
        "gelu": settings.gelu,
        "tensors": len(found.numbers),
        "left_out": sorted(found.left_out),
        "from": json.dumps(dict(settings.theirs), sort_keys=True),
    }


if __name__ == "__main__":
    STAGE.main(run)
