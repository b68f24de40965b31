"""BERT's tokenizer: the pieces of the Model Garden's official/nlp/tools/tokenization.py, from a text to their ids.

Hugging Face's WordPiece cuts words into pieces. Its BertNormalizer and BertPreTokenizer are not used, because they do
not find upstream's words: their tables are of older Unicode versions, they take private-use characters away, split
nothing at U+2B820 … U+2B91F, and know no final sigma. Here upstream's steps are one table, from a character to what
becomes of it; what no table can say (the final sigma, marks in another order) goes the long way.

A space always ends a word, so a text is cut at its spaces and the ids of the parts are kept: a corpus says a few parts
again and again.
"""

import string
import unicodedata

from tokenizers.models import WordPiece as HuggingFaceWordPiece
from vocabulary import UNKNOWN

_KEPT = 1 << 18  # parts of text whose ids are kept, so that memory does not grow with the corpus
_LONG = 40  # characters; a longer part is not likely to come again
_ASCII_PUNCTUATION = frozenset(string.punctuation)
_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """Upstream's FullTokenizer.

    `longest`: a word of more characters is unknown; 400 in the Model Garden, 200 in google-research/bert.
    """

    def __init__(self, vocab, lower_case=True, longest=400):
        self.vocab = vocab
        self._unknown = (vocab[UNKNOWN],)
        self._characters = _Characters(lower_case)
        self._model = HuggingFaceWordPiece(
            vocab=vocab, unk_token=UNKNOWN, max_input_chars_per_word=longest, continuing_subword_prefix="##"
        )
        self._words = {}
        self._parts = {}

    def ids(self, text):
        """The ids of a text's pieces: a new list."""
        ids = []
        for found in self.ids_of_each(text.split(" ")):
            ids += found
        return ids

    def ids_of_each(self, parts):
        """For each of some texts without a space, the ids of its pieces."""
        known = self._parts
        return [known[part] if part in known else self._part(part) for part in parts]

    def words(self, text):
        """What upstream's BasicTokenizer gives for a text."""
        try:
            return text.translate(self._characters).split()
        except _NeighboursCountError:
            return _the_long_way(text)

    def _part(self, part):
        ids = []
        for word in self.words(part):
            found = self._words.get(word)
            ids += self._word(word) if found is None else found
        if len(part) <= _LONG:
            _keep(self._parts, part, tuple(ids))
        return ids

    def _word(self, word):
        try:
            ids = tuple(token.id for token in self._model.tokenize(word))
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold and no vocabulary
            ids = self._unknown
        if len(word) <= _LONG:
            _keep(self._words, word, ids)
        return ids


def _keep(known, name, ids):
    if len(known) >= _KEPT:
        known.clear()
    known[name] = ids


class _NeighboursCountError(Exception):
    """A character whose lower case, or whose place among the marks around it, no table can say."""


class _Characters(dict):
    """A character's number → the text that upstream makes of it, with spaces where a word ends."""

    def __init__(self, lower_case):
        super().__init__()
        self._lower_case = lower_case

    def __missing__(self, number):
        char = chr(number)
        self[number] = text = _set_apart(char, self._lowered(_cleaned(char)))
        return text

    def _lowered(self, text):
        if not self._lower_case:
            return text
        if text == "Σ":
            raise _NeighboursCountError
        text = _without_accents(text.lower())
        if any(map(unicodedata.combining, text)):
            raise _NeighboursCountError
        return text


def _the_long_way(text):
    """Upstream's steps one after the other, for a text to be lower-cased."""
    text = "".join(" %s " % char if _is_chinese(char) else _cleaned(char) for char in text)
    words = [_without_accents(word.lower()) for word in text.split()]
    return " ".join(_set_apart("", word) for word in words).split()


def _cleaned(char):
    if char in "\t\n\r":
        return " "
    category = unicodedata.category(char)
    if char == "\ufffd" or category in ("Cc", "Cf"):
        return ""
    return " " if category == "Zs" else char


def _without_accents(text):
    return "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")


def _set_apart(char, text):
    """`text`, which was made of `char`, with spaces around punctuation, or around all of it if `char` is Chinese."""
    text = "".join(" %s " % one if _is_punctuation(one) else one for one in text)
    return " %s " % text if char and _is_chinese(char) else text


def _is_punctuation(char):
    """Upstream's: all of ASCII that is not a letter, digit, space or control character, and Unicode's own."""
    return char in _ASCII_PUNCTUATION or unicodedata.category(char)[0] == "P"


def _is_chinese(char):
    number = ord(char)
    return number >= _CHINESE[0][0] and any(first <= number <= last for first, last in _CHINESE)
