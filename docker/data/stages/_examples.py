"""Pairs of segments cut from a corpus: the Model Garden's create_instances_from_document over numbers, not lists.

A document's pieces lie one after the other, so a segment is where it begins and where it ends; the ids themselves are
not read before an example is written. Every random number is drawn where upstream draws it.
"""

from bisect import bisect_left
from typing import NamedTuple

TRIES = 10  # upstream's, for a random document that is another one


class Pair(NamedTuple):
    """Two segments of a corpus, each from its first piece to the piece after its last."""

    begin_a: int
    end_a: int
    begin_b: int
    end_b: int
    is_random: bool


class Pairs:
    """Cuts pairs from documents of a corpus, which `order` names in the order upstream has shuffled them into."""

    def __init__(self, corpus, order, rng, max_seq_length, short_seq_prob):
        self._sentences = corpus.sentences
        self._documents = corpus.documents
        self._order = order
        self._rng = rng
        self._most = max_seq_length - 3  # [CLS], [SEP], [SEP]
        self._short = short_seq_prob

    def of(self, index):
        """The pairs of one document, given its place in `order`: a generator of `Pair`."""
        rng, sentences = self._rng, self._sentences
        first, last = self._range(index)
        target = self._most
        if rng.random() < self._short:
            target = rng.randint(2, self._most)
        while first < last:
            end = bisect_left(sentences, sentences[first] + target, first + 1, last)
            middle = first + (rng.randint(1, end - first - 1) if end - first > 1 else 1)
            a = sentences[first], sentences[middle]
            is_random = end - first == 1 or rng.random() < 0.5
            if is_random:
                b = self._elsewhere(index, target - (a[1] - a[0]))
                first = middle  # upstream puts back what it did not use
            else:
                b = sentences[middle], sentences[end]
                first = end
            yield Pair(*self._cut_to_fit(*a, *b), is_random)

    def _range(self, index):
        number = self._order[index]
        return self._documents[number], self._documents[number + 1]

    def _elsewhere(self, index, target):
        """Sentences of a random document, from a random one on, until there are `target` pieces."""
        for _ in range(TRIES):
            other = self._rng.randint(0, len(self._order) - 1)
            if other != index:
                break
        first, last = self._range(other)
        start = self._rng.randint(first, last - 1)
        begin = self._sentences[start]
        return begin, self._sentences[bisect_left(self._sentences, begin + target, start + 1, last)]

    def _cut_to_fit(self, begin_a, end_a, begin_b, end_b):
        """Take pieces from the longer segment, from its front or its back, while both are too long together."""
        chance = self._rng.random
        for _ in range(end_a - begin_a + end_b - begin_b - self._most):
            front = chance() < 0.5
            if end_a - begin_a > end_b - begin_b:
                if front:
                    begin_a += 1
                else:
                    end_a -= 1
            elif front:
                begin_b += 1
            else:
                end_b -= 1
        return begin_a, end_a, begin_b, end_b
