"""Rows by their length, so that batches hold little padding.

A row's length is the place after the last one whose mask is not 0. What lies behind it is padding, which BERT's mask
keeps out of every answer; so a batch can end where its longest row does. A row without any mask attends to all places
alike, its padding too, and is as long as it was given.
"""

import struct

import numpy as np

STEP = 8  # places; what computes a new shape slowly meets few of them, where lengths are rounded up to it
_HEADER = struct.Struct("<QI")
_FOOTER = 4  # bytes of a TFRecord's second checksum


def lengths(mask):
    """The length of each row: int array [N].

    Args:
        mask: array [N, S], 0 where there is padding.
    """
    real = np.asarray(mask) != 0
    behind = real[:, ::-1].argmax(axis=1)
    return real.shape[1] - np.where(real.any(axis=1), behind, 0)


def order(found, size):
    """The rows from the longest to the shortest, in batches of `size`; rows that fill no batch stay the last.

    So the mean of each batch's mean stays what it was but for the order of sums.

    Args:
        found: of `lengths`.
        size: rows of a batch.

    Returns:
        int array [N]: the row that comes first, and so on.
    """
    whole = len(found) - len(found) % size
    return np.concatenate([np.argsort(-found[:whole], kind="stable"), np.arange(whole, len(found))])


def sorted_copy(path, copy, found, size):
    """Copy a TFRecord file with its records in the order of `order`, which is given back.

    Args:
        path: of the file, whose records have been read before, so that it is whole.
        copy: path of the new file.
        found: the length of each record's row.
        size: rows of a batch.
    """
    rows = order(found, size)
    with open(path, "rb") as file, open(copy, "wb") as out:
        places = list(_places(file))
        for row in rows:
            start, count = places[row]
            file.seek(start)
            out.write(file.read(count))
    return rows


def _places(file):
    """(where it begins, bytes) of each record, with its frame."""
    start, end = 0, file.seek(0, 2)
    while start < end:
        file.seek(start)
        count = _HEADER.size + _HEADER.unpack(file.read(_HEADER.size))[0] + _FOOTER
        yield start, count
        start += count


def put_back(found, rows):
    """What was found of sorted rows, in the order they had before.

    Args:
        found: something of each row, in the order of `rows`.
        rows: of `order`.
    """
    back = [None] * len(rows)
    for row, one in zip(rows, found):
        back[row] = one
    return back
