"""Features of one text or two, as the Model Garden's classifier_data_lib makes them."""

from stages._tfrecord import Feature, packed, packed_floats

_PAIR, _SINGLE = 3, 2  # marks of a sequence: [CLS] … [SEP] … [SEP] or [CLS] … [SEP]


class Features:
    """From texts to the parts of a record; what does not depend on the words is worked out once.

    `longest`: pieces of the longest row so far, marks counted; `cut`: rows that were longer than they may be.

    Args:
        tokenizer: of `_reading`.
        length: of every sequence, in pieces.
        scores: whether labels are numbers with a fraction.
    """

    def __init__(self, tokenizer, length, *, scores=False):
        self._ids_of = tokenizer.ids
        self._length = length
        self._first, self._end = ([tokenizer.vocab[mark]] for mark in ("[CLS]", "[SEP]"))
        self._input_ids, self._segment_ids, mask = map(Feature, ("input_ids", "segment_ids", "input_mask"))
        self._ones, self._zeros = b"\1" * length, bytes(length)
        self._masks = [mask(self._padded(self._ones[:count])) for count in range(length + 1)]
        self._label = Feature("label_ids", "float" if scores else "int64")
        self._packed_label = packed_floats if scores else packed
        self._real = Feature("is_real_example")(packed([1]))
        self.longest = self.cut = 0

    def __call__(self, texts, labels):
        """The record's parts but for example_id, as bytes; `labels` are numbers, one but for a task of several."""
        first = self._ids_of(texts[0])
        second = self._ids_of(texts[1]) if len(texts) > 1 else []
        whole = len(first) + len(second) + (_PAIR if second else _SINGLE)
        self.longest, self.cut = max(self.longest, whole), self.cut + (whole > self._length)
        if second:
            first, second = shortened(first, second, self._length - _PAIR)
        else:
            first = first[: self._length - _SINGLE]
        ids = self._first + first + self._end
        before = len(ids)
        if second:
            ids += second + self._end
        segments = self._zeros[:before] + self._ones[: len(ids) - before]
        return b"".join(
            (
                self._input_ids(self._padded(packed(ids), self._length - len(ids))),
                self._masks[len(ids)],
                self._segment_ids(self._padded(segments)),
                self._label(self._packed_label(labels)),
                self._real,
            )
        )

    def _padded(self, values, count=None):
        """With zeros at the end: `count`, or as many as make it whole, a byte each."""
        return values + self._zeros[: self._length - len(values) if count is None else count]


def shortened(first, second, most):
    """Two lists cut to `most` entries together, as upstream does one by one: off the longer, else off the second."""
    if len(first) + len(second) <= most:
        return first, second
    if len(second) <= most // 2:
        return first[: most - len(second)], second
    if len(first) <= most - most // 2:
        return first, second[: most - len(first)]
    return first[: most - most // 2], second[: most // 2]
