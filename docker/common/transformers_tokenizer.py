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
        StageInputError: one text becomes other pieces; it is named. Or a pair of texts gets other segments.
    """
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    if "pieces" in told:
        read, upstream = told["read"], "google-research/albert"
    else:
        vocab = load_vocab(os.path.join(folder, "vocab.txt"), told["vocab_reading"])
        words, longest = BasicWords(told["do_lower_case"]), told["longest_word"]
        read, upstream = {text: ids(text, vocab, words, longest) for text in TEXTS}, "google-research/bert"
    for text, wanted in read.items():
        found = theirs(text, add_special_tokens=False)["input_ids"]
        if list(found) != wanted:
            raise StageInputError(
                "transformers reads %r as %s, and %s as %s" % (text[:60], shown(found), upstream, shown(wanted))
            )
    compare_pair(theirs, *list(read.items())[:2])
    return len(read)


def compare_pair(theirs, first, second):
    """Hold what is made of a pair of texts to `[CLS] first [SEP] second [SEP]`, with segments 0 and 1.

    Args:
        theirs: the tokenizer of transformers.
        first: a text and its ids.
        second: likewise.
    """
    found = theirs(first[0], second[0])
    begin, end = theirs.cls_token_id, theirs.sep_token_id
    wanted = {
        "input_ids": [begin] + first[1] + [end] + second[1] + [end],
        "token_type_ids": [0] * (len(first[1]) + 2) + [1] * (len(second[1]) + 1),
    }
    for name, numbers in wanted.items():
        given = list(found.get(name, ()))
        if given != numbers:
            raise StageInputError(
                "transformers gives a pair of texts the %s %s, where the model was trained with %s"
                % (name, shown(given) or "of none", shown(numbers))
            )


def shown(numbers):
    """Numbers for a sentence, the first of many."""
    return " ".join(map(str, numbers[:20])) + (" …" if len(numbers) > 20 else "")


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
