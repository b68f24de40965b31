"""masked-examples: examples of text → an example for each of their pieces, with that piece masked.

Writes features.npz: int32 arrays [N, S] input_ids, input_mask, segment_ids, where one piece is [MASK]; position [N],
its place; label_ids [N], what it was. Marks ([CLS], [SEP]) and padding are not masked. What infer stages then answer is
told in docker/common/features.py.
"""

import os

from stage import Stage, StageInputError, step
from vocabulary import declare_reading

from stages._reading import read_words

MASK, MARKS = "[MASK]", ("[CLS]", "[SEP]")
MOST = 20000  # pieces: as many runs of the model

STAGE = Stage("masked-examples", __doc__.splitlines()[0])
STAGE.input("examples", "folder of the stage text-examples")
STAGE.input("vocab", "the model's vocab.txt, or its model of SentencePiece")
STAGE.param("most", "take no more pieces than this (default: %d)" % MOST, type=int, default=MOST)
declare_reading(STAGE)


def run(args, report):
    """Read, mask, write features.npz."""
    import numpy as np

    if args.most < 1:
        raise StageInputError("--most must be at least 1 (got %d)" % args.most)
    vocab = read_words(args.vocab, args.vocab_reading).vocab
    missing = [mark for mark in (MASK, *MARKS) if mark not in vocab]
    if missing:
        raise StageInputError("%s has no %s" % (args.vocab, ", ".join(missing)))
    step("masking each piece")
    with np.load(os.path.join(args.examples, "features.npz")) as file:
        columns = {name: file[name] for name in ("input_ids", "input_mask", "segment_ids")}
    ids = columns["input_ids"]
    maskable = (columns["input_mask"] == 1) & ~np.isin(ids, [vocab[mark] for mark in MARKS])
    rows, places = np.nonzero(maskable)
    if not len(rows):
        raise StageInputError("%s has no piece to mask" % args.examples)
    if len(rows) > args.most:
        report.note("the first %d of %d pieces are taken" % (args.most, len(rows)))
    rows, places = rows[: args.most], places[: args.most]
    found = {name: values[rows] for name, values in columns.items()}
    labels = ids[rows, places]
    found["input_ids"][np.arange(len(rows)), places] = vocab[MASK]
    found.update(position=places.astype(np.int32), label_ids=labels.astype(np.int32))
    np.savez(os.path.join(args.out, "features.npz"), **found)
    report.packages = {"numpy": np.__version__}
    report.facts = {"examples": len(rows), "texts": len(ids)}


if __name__ == "__main__":
    STAGE.main(run)
