"""import: a Hugging Face folder of a BERT, ALBERT or ELECTRA → a TensorFlow 1 checkpoint, without its .meta.

Reads config.json, vocab.txt, tokenizer.json or spiece.model, and the weights: safetensors or PyTorch's own files, of
which nothing is run. Writes bert_config.json, vocab.txt (or spiece.model as it is), the index and data of
bert_model.ckpt, one tensor at a time, and where it is known tokenizer_config.json with do_lower_case. Numbers are not
changed: kernels are transposed ([out, in] → [in, out]), and narrower floats are widened to float32.
"""

import json
from pathlib import Path

from checkpoint_files import CHECKPOINT
from stage import Stage, StageInputError, step, write_json

from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE

SHOWN = 3  # names of tensors in a note; stage.json has all

STAGE = Stage("import", __doc__.splitlines()[0])
STAGE.input("huggingface", "folder with config.json, a vocabulary and the weights")


def run(args, report):
    """Read, check, rename, write."""
    from importlib.metadata import version

    from bertbuild.checkpoint.writer import write_checkpoint
    from bertbuild.errors import BertbuildError
    from bertbuild.huggingface import vocabulary
    from bertbuild.huggingface.folder import TOKENIZER_CONFIG, find_files
    from bertbuild.huggingface.importing import import_tensors
    from bertbuild.huggingface.settings import read_settings
    from bertbuild.huggingface.weights import read_weights

    try:
        files = find_files(Path(args.huggingface))
        settings = read_settings(files.config)
        step("reading %s" % ", ".join(path.name for path in files.weights))
        found = import_tensors(settings, read_weights(files))
        words, lower_case = vocabulary.vocabulary(files), vocabulary.lower_case(files)
        pieces = vocabulary.pieces(files)
        step("writing %d tensors" % len(found.numbers))
        write_checkpoint(Path(args.out) / CHECKPOINT, found.numbers)
    except BertbuildError as error:
        way_out = error.next_step[:1].lower() + error.next_step[1:]
        raise StageInputError("%s; %s" % (str(error).rstrip("."), way_out.rstrip("."))) from error
    write_json(args.out, CONFIG_FILE, dict(settings.bert_config))
    if pieces is not None:
        (Path(args.out) / files.pieces.name).write_bytes(pieces)
        report.note("the vocabulary is a model of SentencePiece, and is kept as it is")
    else:
        (Path(args.out) / VOCAB_FILE).write_bytes(words)
    if lower_case is not None:
        write_json(args.out, TOKENIZER_CONFIG, {"do_lower_case": lower_case})
    for note in found.notes:
        report.note(note)
    for reason in sorted(set(found.left_out.values())):
        names = sorted(name for name, why in found.left_out.items() if why == reason)
        report.note("left out: %s: %s" % (listed(names), reason))
    report.packages = {"numpy": version("numpy")}
    report.facts = {
        "gelu": settings.gelu,
        "do_lower_case": lower_case,
        "tensors": len(found.numbers),
        "left_out": dict(found.left_out),
        "derived": list(found.derived),
        "head": dict(found.head),
        "prefix": found.prefix,
        "from": json.dumps(dict(settings.theirs), sort_keys=True),
    }


def listed(names):
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (" and %d more" % more if more > 0 else "")


if __name__ == "__main__":
    STAGE.main(run)
