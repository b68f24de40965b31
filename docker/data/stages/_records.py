"""Examples between being drawn and being written: a few bytes each on disk, made into records in another order."""

import functools
import os
import struct
from array import array

from stages._corpus import mapped
from stages._examples import Pair
from stages._masking import KEPT
from stages._ordered import ordered
from stages._tfrecord import Feature, packed, packed_floats, record

_CHUNK = 2048  # examples that one process encodes at a time
_PART = 1 << 20  # numbers written at once
_REMEMBERED = 1 << 13  # parts of records that many examples share
_HEAD = len(Pair._fields) + 1  # a pair, and how many masks follow


class Layout:
    """How an example lies on disk, each in the same number of bytes: its pair, its masks."""

    def __init__(self, predictions):
        self._struct = struct.Struct("<4q?H%dH%di" % (predictions, predictions))
        self._padding = [(0,) * (predictions - count) for count in range(predictions + 1)]
        self._instead = _HEAD + predictions
        self.size = self._struct.size

    def pack(self, pair, positions, instead):
        """The bytes of an example."""
        padding = self._padding[len(positions)]
        return self._struct.pack(*pair, len(positions), *positions, *padding, *instead, *padding)

    def unpack(self, content):
        """The pair, the positions, and what stands at them."""
        values = self._struct.unpack(content)
        count = values[_HEAD - 1]
        return Pair(*values[: _HEAD - 1]), values[_HEAD : _HEAD + count], values[self._instead : self._instead + count]


class Encoder:
    """Makes the record of an example as the Model Garden's write_instance_to_example_files does."""

    def __init__(self, corpus, vocab, path, max_seq_length, predictions, v2_names):
        self._corpus = corpus
        self._first, self._separator = array("i", [vocab["[CLS]"]]), array("i", [vocab["[SEP]"]])
        self._layout = Layout(predictions)
        self._file = os.open(path, os.O_RDONLY)
        self._length = max_seq_length
        self._predictions = predictions
        ids, segments = ("input_word_ids", "input_type_ids") if v2_names else ("input_ids", "segment_ids")
        self._ids, self._segments, self._mask = Feature(ids), Feature(segments), Feature("input_mask")
        self._positions, self._labels = Feature("masked_lm_positions"), Feature("masked_lm_ids")
        self._weights = Feature("masked_lm_weights", "float")
        self._next = Feature("next_sentence_labels")
        self._outline = functools.lru_cache(_REMEMBERED)(self._outlined)
        self._end = functools.lru_cache(_REMEMBERED)(self._ended)

    def __call__(self, number):
        """The framed record of the example that was drawn as that number."""
        content = os.pread(self._file, self._layout.size, number * self._layout.size)
        pair, positions, instead = self._layout.unpack(content)
        first = self._first + self._corpus.ids(pair.begin_a, pair.end_a) + self._separator
        second = self._corpus.ids(pair.begin_b, pair.end_b) + self._separator
        ids = first + second
        labels = [ids[at] for at in positions]
        for at, other in zip(positions, instead):
            if other != KEPT:
                ids[at] = other
        unused = bytes(self._predictions - len(positions))  # a zero is one byte of zero
        return record(
            self._ids(packed(ids) + bytes(self._length - len(ids))),
            self._outline(len(first), len(second)),
            self._positions(packed(positions) + unused),
            self._labels(packed(labels) + unused),
            self._end(len(labels), pair.is_random),
        )

    def _outlined(self, first, second):
        """The features that say where the segments lie."""
        padding = bytes(self._length - first - second)
        return self._segments(bytes(first) + b"\1" * second + padding) + self._mask(b"\1" * (first + second) + padding)

    def _ended(self, labels, is_random):
        """The weights of the labels, and whether the second segment is a random one."""
        weights = [1.0] * labels + [0.0] * (self._predictions - labels)
        return self._weights(packed_floats(weights)) + self._next(bytes([is_random]))


def shuffled(count, rng, path):
    """The numbers below `count` in the order rng.shuffle gives them, kept in a file and not in memory."""
    with open(path, "wb") as file:
        file.writelines(array("I", range(begin, min(count, begin + _PART))) for begin in range(0, count, _PART))
    numbers = mapped(path, "I")
    rng.shuffle(numbers)
    return numbers


def write_records(order, encoder, files, on_progress):
    """Write the examples in this order, each to the next of the files, as upstream does."""
    chunks = range(0, len(order), _CHUNK)
    for begin, parts in zip(chunks, ordered(_encoded, chunks, order, encoder, len(files))):
        for file, part in zip(files, parts):
            file.write(part)
        on_progress(min(begin + _CHUNK, len(order)), len(order))


def _encoded(order, encoder, files, begin):
    records = [encoder(number) for number in order[begin : begin + _CHUNK]]
    return [b"".join(records[(file - begin) % files :: files]) for file in range(files)]
