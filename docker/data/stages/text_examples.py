"""text-examples: lines of text → features.npz: int32 arrays [N, S] input_ids, input_mask, segment_ids.

Each line is an example of one segment: [CLS], its pieces, [SEP], padding. Lines without a word are left out, long ones
cut. Text is lower-cased where the vocabulary has no capitals.
"""

import os

from stage import Stage, StageInputError, step

MARKS = ("[CLS]", "[SEP]")
TOLD_APART = ("[", "<")  # how marks begin: [CLS], <S>

STAGE = Stage("text-examples", __doc__.splitlines()[0])
STAGE.input("text", "a text file in UTF-8, an example a line")
STAGE.input("vocab", "the model's vocab.txt")
STAGE.param("max-seq-length", "pieces of an example, marks counted (default: 128)", type=int, default=128)
STAGE.param("most", "take no more examples than this (default: all)", type=int)


def run(args, report):
    """Read, tokenize, write features.npz."""
    from importlib.metadata import version

    import numpy as np

    from stages._wordpiece import WordPiece, load_vocab

    if args.max_seq_length <= len(MARKS):
        raise StageInputError("--max-seq-length %d leaves no room for a word" % args.max_seq_length)
    step("tokenizing")
    vocab = load_vocab(args.vocab)
    tokenizer = WordPiece(vocab, lower_case=lower_cases(vocab))
    first, last = (vocab[mark] for mark in MARKS)
    rows, cut = [], 0
    for line in read_lines(args.text):
        ids = tokenizer.ids(line)
        if ids:
            room = args.max_seq_length - len(MARKS)
            cut += len(ids) > room
            rows.append([first, *ids[:room], last])
        if len(rows) == args.most:
            break
    if not rows:
        raise StageInputError("%s has no line with a word in it" % args.text)
    if cut:
        report.note("%d of %d lines were cut to %d pieces" % (cut, len(rows), args.max_seq_length))

    features = np.zeros((2, len(rows), args.max_seq_length), np.int32)
    for number, ids in enumerate(rows):
        features[0, number, : len(ids)] = ids
        features[1, number, : len(ids)] = 1
    segments = np.zeros_like(features[0])
    path = os.path.join(args.out, "features.npz")
    np.savez(path, input_ids=features[0], input_mask=features[1], segment_ids=segments)
    report.packages = {name: version(name) for name in ("tokenizers", "numpy")}
    report.facts = {"examples": len(rows), "cut": cut, "lower_cased": lower_cases(vocab)}


def lower_cases(vocab):
    """Whether a vocabulary is of lower-cased words: but for marks no word has a capital."""
    return all(word == word.lower() for word in vocab if not word.startswith(TOLD_APART))


def read_lines(path):
    """The lines of a file in UTF-8, one at a time.

    Raises:
        StageInputError: one is in another encoding.
    """
    number = 0
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise StageInputError("%s line %d is not UTF-8: %s" % (path, number, error.reason)) from error


if __name__ == "__main__":
    STAGE.main(run)
