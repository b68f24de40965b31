"""Examples between being drawn and being written: a few bytes each on disk, made into records in another order."""

import functools
import os
import struct
from array import array

import numpy as np

from stages._corpus import mapped
from stages._examples import Pair
from stages._masking import KEPT
from stages._ordered import ordered
from stages._tfrecord import Feature, packed_floats, record

_CHUNK = 2048  # examples that one process encodes at a time
_PART = 1 << 20  # numbers written at once
_REMEMBERED = 1 << 13  # parts of records that many examples share


class Layout:
    """How an example lies on disk, each in the same number of bytes: its pair, how many masks it has, its masks."""

    def __init__(self, predictions):
        self._struct = struct.Struct("<4q?H%dI%di" % (predictions, predictions))
        self._padding = [(0,) * (predictions - count) for count in range(predictions + 1)]
        pair = list(zip(Pair._fields, ("<i8",) * 4 + ("?",)))
        masks = [("masked", "<u2"), ("positions", "<u4", (predictions,)), ("instead", "<i4", (predictions,))]
        self.dtype = np.dtype(pair + masks)

    def pack(self, pair, positions, instead):
        """The bytes of an example."""
        padding = self._padding[len(positions)]
        return self._struct.pack(*pair, len(positions), *positions, *padding, *instead, *padding)


class Encoder:
    """Makes records of examples as the Model Garden's write_instance_to_example_files does, many at once."""

    def __init__(self, corpus, vocab, path, max_seq_length, predictions, v2_names):
        self._corpus = corpus
        self._first, self._separator = vocab["[CLS]"], vocab["[SEP]"]
        self._dtype = Layout(predictions).dtype
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

    def __call__(self, numbers):
        """The framed records of the examples that were drawn as these numbers."""
        size = self._dtype.itemsize
        drawn = np.frombuffer(b"".join([os.pread(self._file, size, number * size) for number in numbers]), self._dtype)
        first = drawn["end_a"] - drawn["begin_a"] + 2
        second = drawn["end_b"] - drawn["begin_b"] + 1
        ids, labels = self._masked(drawn, self._unmasked(drawn, first, second))
        columns = (
            packed_rows(ids),
            first.tolist(),
            second.tolist(),
            packed_rows(drawn["positions"]),
            packed_rows(labels),
            drawn["masked"].tolist(),
            drawn["is_random"].tolist(),
        )
        return [
            record(
                self._ids(ids),
                self._outline(first, second),
                self._positions(positions),
                self._labels(labels),
                self._end(masked, is_random),
            )
            for ids, first, second, positions, labels, masked, is_random in zip(*columns)
        ]

    def _unmasked(self, drawn, first, second):
        """The ids, int32 [examples, max_seq_length]; [CLS] and a [SEP] are part of `first`, the other of `second`."""
        columns = np.arange(self._length)
        first, end = first[:, None], (first + second)[:, None]
        ids = np.zeros((len(drawn), self._length), np.int32)
        ids[:, 0] = self._first
        separators = (columns == first - 1) | (columns == end - 1)
        ids[separators] = self._separator
        ids[(columns > 0) & (columns < end) & ~separators] = self._corpus.pieces(drawn[list(Pair._fields[:4])].tolist())
        return ids

    @staticmethod
    def _masked(drawn, ids):
        """The same with what stands at the masks, and the ids that stood there, int32 [examples, predictions]."""
        rows = np.arange(len(drawn))[:, None]
        real = np.arange(drawn["positions"].shape[1]) < drawn["masked"][:, None]
        labels = np.where(real, ids[rows, drawn["positions"]], 0)
        rows, columns = np.nonzero(real & (drawn["instead"] != KEPT))
        ids[rows, drawn["positions"][rows, columns]] = drawn["instead"][rows, columns]
        return ids, labels

    def _outlined(self, first, second):
        """The features that say where the segments lie."""
        padding = bytes(self._length - first - second)  # a zero is one byte of zero
        return self._segments(bytes(first) + b"\1" * second + padding) + self._mask(b"\1" * (first + second) + padding)

    def _ended(self, masked, is_random):
        """The weights of the masks, and whether the second segment is a random one."""
        weights = [1.0] * masked + [0.0] * (self._predictions - masked)
        return self._weights(packed_floats(weights)) + self._next(bytes([is_random]))


def packed_rows(numbers):
    """Each row of numbers [rows, columns] below 2**21 as `_tfrecord.packed` packs it."""
    groups = np.stack([numbers & 127, numbers >> 7 & 127, numbers >> 14], axis=-1).astype(np.uint8)
    groups[..., 0] |= (numbers > 127).astype(np.uint8) << 7
    groups[..., 1] |= (numbers > 16383).astype(np.uint8) << 7
    needed = np.stack([np.ones(numbers.shape, bool), numbers > 127, numbers > 16383], axis=-1)
    content = groups[needed].tobytes()
    ends = np.cumsum(needed.sum(axis=(1, 2))).tolist()
    return [content[begin:end] for begin, end in zip([0, *ends], ends)]


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
    records = encoder(order[begin : begin + _CHUNK])
    return [b"".join(records[(file - begin) % files :: files]) for file in range(files)]
