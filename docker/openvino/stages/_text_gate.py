"""What an IR that takes strings is held to: google-research/bert's ids of a corpus (google-research/albert's, of pieces
of SentencePiece), and the answers of the IR that it was made of, bit for bit.
"""

import numpy as np

from bertbuild.text import differences
from bertbuild.text.corpus import ONLY_EMPTY, generated
from bertbuild.text.wordpiece import sequence
from bertbuild.text.words import pad_of
from stages._text_graph import PAIR, ROLES, TEXT

BATCH = 64
ANSWERED = 8
"""Texts of a batch that both models answer, and batches."""


def read_as_upstream(runs, words, lower_case, length, special=False):
    """How tokenizers read the corpus, as `differences.Differences`.

    Args:
        runs: of single texts and of pairs, functions of feeds of strings, giving the arrays of the three roles.
        words: what the tokenizer's file holds, a `Words`.
        lower_case: whether letters are made small.
        length: pieces at most, special tokens counted.
        special: whether special tokens in a text are such; upstream then reads what stands between them.
    """
    upstream = words.tokenizer(lower_case=lower_case, special=words.special if special else ())

    def rows():
        for texts in batches(BATCH):
            fed = feeds(texts)
            made = runs[is_pair(texts)](fed)
            held = zip(texts, *([str(part) for part in parts] for parts in fed.values()))  # NumPy cuts off a last 0
            read = differences.reads(len(texts), *(made[role].tolist() for role in ROLES))
            for (text, *parts), one in zip(held, read):
                first, second = [*(upstream.ids(part) for part in parts), None][:2]
                yield text, sequence(upstream, first, second, length), one

    return differences.compared(rows(), differences.of_text_models(words), pad_of(words))


def some():
    """A few batches of the corpus: feeds, those of single texts and those of pairs."""
    found = [[feeds(texts) for texts in batches(ANSWERED) if is_pair(texts) == pairs] for pairs in (False, True)]
    return [of_kind[:: max(1, len(of_kind) // ANSWERED)] for of_kind in found]


def batches(size):
    """The corpus: lists of texts, single ones or pairs. The first of each kind are of empty texts alone."""
    classes = generated()
    empty = classes.pop(ONLY_EMPTY)
    others = [text for texts in classes.values() for text in texts]
    for pairs in (False, True):
        for texts in (empty, others):
            those = [text for text in texts if is_pair([text]) == pairs]
            for start in range(0, len(those), size):
                yield those[start : start + size]


def is_pair(texts):
    """Whether the texts of a batch are pairs."""
    return texts[0][1] is not None


def feeds(texts):
    """Texts of a batch, all of them single or all of them pairs, as the model takes them."""
    found = {TEXT: np.array([first for first, _ in texts])}
    if is_pair(texts):
        found[PAIR] = np.array([second for _, second in texts])
    return found


def same_bits(one, other):
    """Whether two answers, name → array, are the same, bit for bit."""
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape and one[name].tobytes() == other[name].tobytes() for name in one
    )
