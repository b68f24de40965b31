"""vocab.txt: which piece has which id, also where lines are there twice. Python 3.6-safe, like all of this folder."""

from stage import StageInputError
from text_encoding import refuse_utf16

UNKNOWN = "[UNK]"
LINES, BERT_TENSORFLOW = READINGS = ("lines", "bert-tensorflow")


def declare_reading(stage):
    """Add the parameter that `load_vocab` takes."""
    stage.param(
        "vocab-reading",
        "of a vocab.txt with duplicate lines: lines, or bert-tensorflow, which does not count the second",
        choices=READINGS,
    )


def load_vocab(path, reading=None):
    """Piece → id: a line each, stripped.

    Of two equal lines the last one counts in google-research/bert and the Model Garden (`reading` "lines"); in the
    package bert-tensorflow 1.0.4 the first, and the other has no id ("bert-tensorflow").

    Raises `StageInputError` where the file is not a vocabulary of BERT, or can be read in two ways and none is given.
    """
    with open(path, "rb") as file:
        content = file.read()
    refuse_utf16(path, content)
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StageInputError("%s line %d is not UTF-8; give the model's vocab.txt" % (path, line)) from error
    if not lines[-1]:
        lines.pop()
    words = [line.strip() for line in lines]
    vocab = {word: number for number, word in enumerate(words)}
    if len(vocab) < len(words):
        vocab = _of_reading(path, words, vocab, reading)
    missing = [token for token in ("[CLS]", "[SEP]", UNKNOWN) if token not in vocab]
    if missing:
        raise StageInputError("%s has no %s; give the model's vocab.txt" % (path, " and no ".join(missing)))
    return vocab


def _of_reading(path, words, by_line, reading):
    by_word = {word: number for number, word in enumerate(dict.fromkeys(words))}
    twice = [word for word in by_word if word and by_word[word] != by_line[word]]
    if twice and reading is None:
        message = "%s has duplicate lines, so that %s is %d or %d; say --vocab-reading=lines or bert-tensorflow"
        raise StageInputError(message % (path, twice[0], by_line[twice[0]], by_word[twice[0]]))
    return by_word if reading == BERT_TENSORFLOW else by_line
