"""Probe inputs: the fixed questions that source and target must answer alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

BATCHES = (1, 4)
LENGTHS = (16, 128)
SEED = 20181031
"""BERT's publication month; any fixed number serves."""


def make_probes(*, vocab_size: int, type_vocab_size: int, max_positions: int) -> list[dict[str, Any]]:
    """The probes for a model: batch 1 and 4 at sequence length 16 and 128 (or the model's longest, if shorter).

    Each probe has a name ("b4_s128") and three lists [B][S] of int32: input_ids in [0, vocab_size), input_mask of ones
    and then padding zeros (the first row is full, the others are padded more and more), segment_ids with a second
    segment after the first half of the tokens. At padding ids and segments are 0, as BERT tokenizers leave them.
    """
    # random.Random(int).random() gives the same numbers on every Python, which randrange does not promise.
    rng = random.Random(SEED)  # noqa: S311 - not for secrets
    probes = []
    for batch in BATCHES:
        for length in dict.fromkeys(min(length, max_positions) for length in LENGTHS):
            rows = [
                _row(rng, length, tokens, vocab_size=vocab_size, segments=min(type_vocab_size, 2))
                for tokens in _token_counts(batch, length)
            ]
            probes.append(_probe(f"b{batch}_s{length}", rows))
    return probes


def make_outside_probe(
    *, vocab_size: int, type_vocab_size: int, max_positions: int, unknown: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A probe of two rows with ids and segments outside a model's tables, and what a guarded model takes them for.

    Args:
        vocab_size: as for `make_probes`.
        type_vocab_size: likewise.
        max_positions: likewise.
        unknown: the id that one outside the vocabulary is taken for; a segment outside its table is taken for 0.

    Returns:
        a probe within the range, and the same probe outside it.
    """
    length = min(LENGTHS[0], max_positions)
    rng = random.Random(SEED)  # noqa: S311 - not for secrets
    ids, segments = _outside(vocab_size), _outside(type_vocab_size)
    rows = [_row(rng, length, length, vocab_size=vocab_size, segments=min(type_vocab_size, 2)) for _ in range(2)]
    within, asked = [], []
    for number, (row_ids, mask, row_segments) in enumerate(rows):
        taken_ids, taken_segments = list(row_ids), list(row_segments)
        for place in range(number, length, 2):  # every other place, so that both rows have both
            row_ids[place], taken_ids[place] = ids[place % len(ids)], unknown
            row_segments[place], taken_segments[place] = segments[place % len(segments)], 0
        within.append((taken_ids, mask, taken_segments))
        asked.append((row_ids, mask, row_segments))
    name = f"outside_b{len(rows)}_s{length}"
    return _probe(name, within), _probe(name, asked)


def _outside(size: int) -> tuple[int, ...]:
    """Numbers of rows that a table of so many rows has not: just beside it, far from it, the ends of int32."""
    return (-1, size, -size, size + 1000, -size - 1, 2**31 - 1, -(2**31))


def _probe(name: str, rows: Sequence[tuple[list[int], list[int], list[int]]]) -> dict[str, Any]:
    columns = zip(("input_ids", "input_mask", "segment_ids"), zip(*rows, strict=True), strict=True)
    return {"name": name, **{role: list(column) for role, column in columns}}


def _token_counts(batch: int, length: int) -> Sequence[int]:
    if batch == 1:
        return [max(1, length * 3 // 4)]
    return [max(1, length - length * row // batch) for row in range(batch)]


def _row(
    rng: random.Random, length: int, tokens: int, *, vocab_size: int, segments: int
) -> tuple[list[int], list[int], list[int]]:
    ids = [int(rng.random() * vocab_size) for _ in range(tokens)]
    second = range(tokens // 2, tokens) if segments > 1 else ()
    padding = [0] * (length - tokens)
    return (
        ids + padding,
        [1] * tokens + padding,
        [1 if position in second else 0 for position in range(tokens)] + padding,
    )
