"""google-research/bert's create_masked_lm_predictions: other pieces are masked than in the Model Garden's, by one seed.

Both shuffle what may be masked; the Model Garden takes it from the end, google-research/bert from the front, and there
each piece of a whole word is replaced by itself. Without whole words the generator is asked as often by both, so that
the sentences are the same.
"""

from stages._masking import KEPT


class GoogleMasking:
    """Draws masks from `rng`, as `_masking.Masking` does: `most` of the pieces at most, or a part `prob` of them."""

    def __init__(self, rng, vocab, prob, most, *, whole_words):
        self._rng = rng
        self._mask = vocab["[MASK]"]
        self._any = list(vocab.values())
        self._inner = frozenset(number for piece, number in vocab.items() if piece.startswith("##"))
        self._prob = prob
        self._most = most
        self._whole_words = whole_words

    def of(self, corpus, pair):
        """Masks for an example: positions, ascending, and what stands at each: an id or `KEPT`."""
        length_a, length_b = pair.end_a - pair.begin_a, pair.end_b - pair.begin_b
        wanted = min(self._most, max(1, round((length_a + length_b + 3) * self._prob)))
        places = [*range(1, length_a + 1), *range(length_a + 2, length_a + length_b + 2)]
        if self._whole_words:
            ids = [*corpus.ids(pair.begin_a, pair.end_a), *corpus.ids(pair.begin_b, pair.end_b)]
            groups = self._words(places, ids)
        else:
            groups = [(at,) for at in places]
        self._rng.shuffle(groups)
        masked = {}
        for group in groups:
            if len(masked) >= wanted:
                break
            if len(masked) + len(group) <= wanted:
                masked.update((at, self._instead()) for at in group)
        positions = sorted(masked)
        return positions, [masked[at] for at in positions]

    def _words(self, places, ids):
        """The positions of each word: a piece that goes on a word belongs to what stands before it.

        So a second segment that was cut within a word goes on the last word of the first one, as upstream has it.
        """
        words = []
        for at, number in zip(places, ids):
            if words and number in self._inner:
                words[-1].append(at)
            else:
                words.append([at])
        return words

    def _instead(self):
        """80 % of pieces become [MASK], 10 % stay, and 10 % become random pieces."""
        if self._rng.random() < 0.8:
            return self._mask
        return KEPT if self._rng.random() < 0.5 else self._rng.choice(self._any)
