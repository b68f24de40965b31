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
            probes.append(
                {
                    "name": f"b{batch}_s{length}",
                    "input_ids": [row[0] for row in rows],
                    "input_mask": [row[1] for row in rows],
                    "segment_ids": [row[2] for row in rows],
                }
            )
    return probes


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
