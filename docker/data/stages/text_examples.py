"""text-examples: lines of text → features.npz: int32 arrays [N, S] input_ids, input_mask, segment_ids.

Each line is an example: [CLS], its pieces, [SEP], padding. What stands behind a tab is its second segment, which ends
in a [SEP] of its own. Lines without a word are left out, long ones cut, at the end of the longer segment. Text is
lower-cased where the file of the tokenizer has no capitals.
"""

import os

from stage import Stage, StageInputError, step
from text_encoding import refuse_utf16
from vocabulary import declare_reading

ROLES = ("input_ids", "input_mask", "segment_ids")
MARKS = ("[CLS]", "[SEP]")
SHORTEST = 5  # a piece in each of two segments, and three marks

STAGE = Stage("text-examples", __doc__.splitlines()[0])
STAGE.input("text", "a text file in UTF-8, an example a line")
STAGE.input("vocab", "the model's vocab.txt, or its model of SentencePiece")
STAGE.param("max-seq-length", "pieces of an example, marks counted (default: 128)", type=int, default=128)
STAGE.param("most", "take no more examples than this (default: all)", type=int)
declare_reading(STAGE)


def run(args, report):
    """Read, tokenize, write features.npz."""
    from importlib.metadata import version

    import numpy as np

    from stages import _reading

    if args.max_seq_length < SHORTEST:
        raise StageInputError("--max-seq-length %d leaves no room for a word" % args.max_seq_length)
    step("tokenizing")
    words = _reading.read_words(args.vocab, args.vocab_reading)
    tokenizer = _reading.tokenizer_of(args.vocab, words, words.lower_cases(), args.vocab_reading)
    first, last = (words.vocab[mark] for mark in MARKS)
    rows, cut = [], 0
    for line in read_lines(args.text):
        segments = [ids for ids in map(tokenizer.ids, line.split("\t", 1)) if ids]
        if segments:
            cut += cut_to(segments, args.max_seq_length - 1 - len(segments))
            rows.append([[first, *segments[0], last], *([*ids, last] for ids in segments[1:])])
        if len(rows) == args.most:
            break
    if not rows:
        raise StageInputError("%s has no line with a word in it" % args.text)
    if cut:
        report.note("%d of %d lines were cut to %d pieces" % (cut, len(rows), args.max_seq_length))

    features = np.zeros((len(ROLES), len(rows), args.max_seq_length), np.int32)
    for number, segments in enumerate(rows):
        ids = [piece for segment in segments for piece in segment]
        features[0, number, : len(ids)] = ids
        features[1, number, : len(ids)] = 1
        features[2, number, len(segments[0]) : len(ids)] = 1
    np.savez(os.path.join(args.out, "features.npz"), **dict(zip(ROLES, features)))
    report.packages = {name: version(name) for name in (*_reading.packages(words), "numpy")}
    report.facts = {"examples": len(rows), "cut": cut, "lower_cased": words.lower_cases()}


def cut_to(segments, room):
    """Take pieces off the longer of one or two segments, in place, until they fit; whether that was needed."""
    needed = sum(map(len, segments)) > room
    while sum(map(len, segments)) > room:
        max(segments[::-1], key=len).pop()  # of two that are as long, the second
    return needed


def read_lines(path):
    """The lines of a file in UTF-8, one at a time.

    Raises:
        StageInputError: one is in another encoding.
    """
    number = 0
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1:
                    refuse_utf16(path, line)
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise StageInputError("%s line %d is not UTF-8: %s" % (path, number, error.reason)) from error


if __name__ == "__main__":
    STAGE.main(run)
