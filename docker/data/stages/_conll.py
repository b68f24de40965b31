"""CoNLL files: a token and its tag on each line, an empty line after each sentence; and their features.

A word's tag stands at its first piece; every other place has -1, which no loss and no figure counts. So have it
google-research/bert's followers (BERT-NER's "X"), Hugging Face's examples (-100) and the Model Garden's
tagging_data_lib (-1), whose records these are: one tag a word is what the files have and what is judged.
"""

from stage import StageInputError

from stages._own_labels import number_of
from stages._own_tables import read_text
from stages._tfrecord import Feature, packed

IGNORED = -1
_DOCUMENT = "-DOCSTART-"
_MARKS = 2


class Sentence:
    """A sentence: its tokens, their tags (None where the file has none), and the line of each."""

    def __init__(self):
        self.tokens, self.tags, self.lines = [], [], []


def read(path, tagged=True):
    """The sentences of a CoNLL file: the token is the first column, the tag the last; lines of -DOCSTART- are left out.

    Columns are parted by a tab where the first line has one, else by spaces.

    Args:
        path: of the file.
        tagged: whether each token must have a tag; a test set need not.

    Raises:
        StageInputError: a line has another number of columns than the first, there is no tag, or no token.
    """
    sentences, width, separator = [Sentence()], None, None
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip() or line.startswith(_DOCUMENT):
            if sentences[-1].tokens:
                sentences.append(Sentence())
            continue
        if width is None:
            separator = "\t" if "\t" in line else None
        cells = [cell.strip() for cell in line.strip("\r\n").split(separator)]
        width = _width(path, number, cells, width, tagged)
        sentences[-1].tokens.append(cells[0])
        sentences[-1].tags.append(cells[-1] if width > 1 else None)
        sentences[-1].lines.append(number)
    found = [sentence for sentence in sentences if sentence.tokens]
    if not found:
        raise StageInputError("%s holds no sentence; get the whole file" % path)
    return found


def _width(path, number, cells, width, tagged):
    """How many columns a file has, this line's cells being as many; raises `StageInputError` where they are not."""
    if width is None:
        if len(cells) < 2 and tagged:
            message = "%s line %d has one column, the token %r; each line needs a token and, as its last column, a tag"
            raise StageInputError(message % (path, number, cells[0][:50]))
        width = len(cells)
    if len(cells) != width:
        what = ": the tag, column %d, is missing" % width if len(cells) < width else ""
        message = "%s line %d has %d columns where the lines before have %d%s; fix the line"
        raise StageInputError(message % (path, number, len(cells), width, what))
    for column, cell in ((1, cells[0]), (width, cells[-1])):
        if not cell:
            raise StageInputError("%s line %d, column %d is empty; fix the line" % (path, number, column))
    return width


class Features:
    """From sentences to the parts of records, as tagging_data_lib makes them: a long sentence becomes several.

    Args:
        tokenizer: of `_reading`.
        length: of every sequence, in pieces.
    """

    def __init__(self, tokenizer, length):
        self._tokenizer, self._length = tokenizer, length
        self._first, self._end = tokenizer.vocab["[CLS]"], tokenizer.vocab["[SEP]"]
        names = ("input_ids", "input_mask", "segment_ids", "label_ids", "sentence_id", "sub_sentence_id")
        self._features = [Feature(name) for name in names]
        self._real = Feature("is_real_example")(packed([1]))

    def __call__(self, number, tokens, labels):
        """The parts but for example_id of a sentence's records, one or more, as bytes.

        Args:
            number: of the sentence in its file.
            tokens: its words.
            labels: the number of each word's tag.
        """
        return [self._record(number, part, *pieces) for part, pieces in enumerate(self._parts(tokens, labels))]

    def _parts(self, tokens, labels):
        """(ids, labels) of the pieces that go into a record each; a word is not cut in two."""
        most = self._length - _MARKS
        ids, tags = [], []
        for token, label in zip(tokens, labels):
            pieces = self._tokenizer.ids(token)
            if not pieces or len(pieces) > most:
                pieces = [self._tokenizer.unknown]
            if len(ids) + len(pieces) > most:
                yield ids, tags
                ids, tags = [], []
            ids = ids + pieces
            tags = [*tags, label, *[IGNORED] * (len(pieces) - 1)]
        yield ids, tags

    def _record(self, number, part, ids, tags):
        rest = self._length - len(ids) - _MARKS
        values = (
            packed([self._first, *ids, self._end]) + bytes(rest),
            b"\1" * (len(ids) + _MARKS) + bytes(rest),
            bytes(self._length),
            packed([IGNORED, *tags, *[IGNORED] * (rest + 1)]),
            packed([number]),
            packed([part]),
        )
        return b"".join((*(feature(value) for feature, value in zip(self._features, values)), self._real))


def numbers(sentence, labels, path):
    """The number of each tag of a sentence; raises `StageInputError` for one that is none of the labels."""
    return [
        0 if tag is None else number_of(tag, labels, "%s line %d" % (path, line), "of tags")
        for tag, line in zip(sentence.tags, sentence.lines)
    ]


def write_words(path, sentences):
    """Write the words of sentences as a CoNLL file of two columns, parted by a tab; a word without a tag has one."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for sentence in sentences:
            rows = zip(sentence.tokens, sentence.tags)
            file.writelines(token + ("\n" if tag is None else "\t%s\n" % tag) for token, tag in rows)
            file.write("\n")
