"""Which pieces of an example are masked and what takes their place: the Model Garden's create_masked_lm_predictions.

Every random number is drawn where upstream draws it, so the same seed gives the same masks. A gram is what is masked as
one: some positions, which count from [CLS].
"""

import random
from bisect import bisect
from itertools import accumulate

KEPT = -1  # in place of an id: the piece stays as it is


class Masking:
    """Draws masks from `rng`.

    Upstream draws the sizes of n-grams from Python's global generator, which none of its flags seeds. Here they come
    from a generator of their own with the same seed: upstream gives the same examples after `random.seed(seed)`.
    """

    def __init__(self, rng, seed, vocab, prob, most, whole_words, max_ngram):
        self._whole_words = whole_words
        self._rng = rng
        self._sizes = random.Random(seed)  # noqa: S311 - nothing secret
        self._mask = vocab["[MASK]"]
        self._any = list(vocab.values())
        self._inner = frozenset(number for piece, number in vocab.items() if piece.startswith("##"))
        self._prob = prob
        self._most = most
        self._weights = list(accumulate(1.0 / size for size in range(1, max_ngram + 1)))

    def of(self, corpus, pair):
        """Masks for an example: positions, ascending, and what stands at each: an id or `KEPT`."""
        length_a, length_b = pair.end_a - pair.begin_a, pair.end_b - pair.begin_b
        wanted = min(self._most, max(1, round((length_a + length_b + 3) * self._prob)))
        if not self._whole_words:
            numbers = self._last_of_shuffled(length_a + length_b, wanted)
            return self._replaced([(number + 1 if number < length_a else number + 2,) for number in numbers])
        words_a = self._words(corpus.ids(pair.begin_a, pair.end_a), 1)
        words_b = self._words(corpus.ids(pair.begin_b, pair.end_b), length_a + 2)
        return self._replaced(self._ngrams((words_a, words_b), wanted))

    def _last_of_shuffled(self, count, wanted):
        """What `wanted` calls of pop() give of list(range(count)) after rng.shuffle; the generator is left as by that.

        A shuffle settles a list from its end; of the rest only the draws have to be made, which takes most of the time.
        """
        bits = self._rng.getrandbits
        left = max(count - wanted, 0)
        moved = {}
        last = []
        for size in range(count, max(left, 1), -1):
            width = size.bit_length()
            number = bits(width)
            while number >= size:
                number = bits(width)
            last.append(moved.get(number, number))
            moved[number] = moved.get(size - 1, size - 1)
        if not left:
            last.append(moved.get(0, 0))
        width = left.bit_length()
        while left > 1:
            least = max(1 << width - 1, 2)
            for size in range(left, least - 1, -1):
                while bits(width) >= size:
                    pass
            left = least - 1
            width -= 1
        return last

    def _words(self, ids, begin):
        """A segment's words. A segment that was cut may begin within one; what is left of it counts as a word."""
        starts = [begin + at for at, number in enumerate(ids) if not at or number not in self._inner]
        return list(map(range, starts, [*starts[1:], begin + len(ids)]))

    def _ngrams(self, segments, wanted):
        """Spans of one to so many words that do not overlap, `wanted` positions at most: upstream's _masking_ngrams."""
        choices = []
        for more in range(len(self._weights)):
            choices.append(
                [range(words[at].start, words[at + more].stop) for words in segments for at in range(len(words) - more)]
            )
            self._rng.shuffle(choices[-1])
        chosen = []
        taken = set()
        while len(taken) < wanted and any(choices):
            more = bisect(self._weights, self._sizes.random() * self._weights[-1], 0, len(self._weights) - 1)
            if len(taken) + more + 1 > wanted:
                choices[more].clear()
            elif choices[more]:
                gram = choices[more].pop()
                if len(gram) + len(taken) <= wanted and taken.isdisjoint(gram):
                    taken.update(gram)
                    chosen.append(gram)
        return chosen

    def _replaced(self, grams):
        """80 % of grams become [MASK], 10 % stay, and 10 % become random pieces."""
        chance, choice = self._rng.random, self._rng.choice
        masked = {}
        for gram in grams:
            if chance() < 0.8:
                for at in gram:
                    masked[at] = self._mask
            elif chance() < 0.5:
                for at in gram:
                    masked[at] = KEPT
            else:
                for at in gram:
                    masked[at] = choice(self._any)
        positions = sorted(masked)
        return positions, [masked[at] for at in positions]
