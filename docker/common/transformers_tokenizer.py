"""The tokenizer of a Hugging Face folder, as transformers loads it, held against google-research/bert's."""

import os

from stage import StageInputError
from vocabulary import UNKNOWN, load_vocab

from bertbuild.text.basic_words import BasicWords

TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Déjà vu in CAFÉS: naïve, Ångström, ÉCOLE!",
    "Straße und GRÜSSE",
    "don't stop-it (now), e.g. 3.14% of $5,000",
    "北京是中国的首都。ABC漢字かなカナ",
    "한국어 텍스트",
    "tab\there, a line\nthere, two  spaces \u00a0and\u3000wide ones",
    "control\u0000signs\u200bwith\u00adin words",
    "snake_case CamelCase ALLCAPS lower",
    "x" * 101,
    "y" * 200,
    "z" * 201,
    "ﬁne ½ ² ™ ①",
    "émoji 😀👍🏽 done",
    "",
)
"""Each of them shows one thing that tokenizers differ by: capitals, accents, Chinese, marks, spaces, long words."""


def compare(folder, told):
    """How many texts both made the same of.

    Args:
        folder: with tokenizer.json, tokenizer_config.json and vocab.txt.
        told: what signature.json says: how text is read.

    Raises:
        StageInputError: one text becomes other pieces; it is named.
    """
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    if "pieces" in told:
        return compare_pieces(theirs, told["read"])
    vocab = load_vocab(os.path.join(folder, "vocab.txt"), told["vocab_reading"])
    words, longest = BasicWords(told["do_lower_case"]), told["longest_word"]
    for text in TEXTS:
        wanted = [vocab["[CLS]"], *ids(text, vocab, words, longest), vocab["[SEP]"]]
        found = theirs(text)["input_ids"]
        if list(found) != wanted:
            raise StageInputError(
                "transformers reads %r as %s, and google-research/bert as %s"
                % (
                    text[:60],
                    " ".join(theirs.convert_ids_to_tokens(found)),
                    " ".join(theirs.convert_ids_to_tokens(wanted)),
                )
            )
    return len(TEXTS)


def compare_pieces(theirs, read):
    """The same of pieces of SentencePiece: `read` has texts with the ids that google-research/albert makes of them."""
    for text, wanted in read.items():
        found = theirs(text, add_special_tokens=False)["input_ids"]
        if list(found) != wanted:
            raise StageInputError(
                "transformers reads %r as %s, and google-research/albert as %s"
                % (text[:60], " ".join(map(str, found)), " ".join(map(str, wanted)))
            )
    return len(read)


def ids(text, vocab, words, longest):
    """What google-research/bert's FullTokenizer makes of a text."""
    return [vocab[piece] for word in words(text) for piece in pieces(word, vocab, longest)]


def pieces(word, vocab, longest):
    """A word's pieces, the longest first; [UNK] where it has none, or is too long."""
    found, start = [], 0
    while start < len(word) <= longest:
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in vocab:
            end -= 1
        if end == start:
            return [UNKNOWN]
        found.append(("##" if start else "") + word[start:end])
        start = end
    return found if len(word) <= longest else [UNKNOWN]
