"""BERT's tokenizer: the pieces of the Model Garden's official/nlp/tools/tokenization.py, from a text to their ids.

Hugging Face's WordPiece cuts words into pieces. Its BertNormalizer and BertPreTokenizer are not used, because they do
not find upstream's words: their tables are of older Unicode versions, they take private-use characters away, split
nothing at U+2B820 … U+2B91F, and know no final sigma. `basic_words` does their work.

A space always ends a word, so a text is cut at its spaces and the ids of the parts are kept: a corpus says a few parts
again and again.
"""

from tokenizers.models import WordPiece as HuggingFaceWordPiece
from vocabulary import UNKNOWN

from bertbuild.text.basic_words import BasicWords

_KEPT = 1 << 18  # parts of text whose ids are kept, so that memory does not grow with the corpus
_LONG = 40  # characters; a longer part is not likely to come again


class WordPiece:
    """Upstream's FullTokenizer.

    `longest`: a word of more characters is unknown; 400 in the Model Garden, 200 in google-research/bert.
    """

    def __init__(self, vocab, lower_case=True, longest=400):
        self.vocab = vocab
        self.unknown = vocab[UNKNOWN]
        self.words = BasicWords(lower_case)
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
            ids = (self.unknown,)
        if len(word) <= _LONG:
            _keep(self._words, word, ids)
        return ids


def _keep(known, name, ids):
    if len(known) >= _KEPT:
        known.clear()
    known[name] = ids
