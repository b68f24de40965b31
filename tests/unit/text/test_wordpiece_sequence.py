"""Pieces of words and sequences of pieces, held to google-research/bert's own loops."""

from __future__ import annotations

import itertools

import pytest

from bertbuild.text.wordpiece import END, FIRST, UNKNOWN, FullTokenizer, sequence

VOCAB = {piece: number for number, piece in enumerate((FIRST, END, UNKNOWN, "a", "##a", "##aab", "ab", "##b"))}
TOKENIZER = FullTokenizer(VOCAB, lower_case=True)


def upstream_pieces(word: str) -> list[str]:
    """WordpieceTokenizer.tokenize of one word."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while start < end:
            piece = ("##" if start else "") + word[start:end]
            if piece in VOCAB:
                break
            end -= 1
        else:
            return [UNKNOWN]
        pieces.append(piece)
        start = end
    return pieces


def upstream_cut(first: list[int], second: list[int], most: int) -> None:
    """run_classifier's _truncate_seq_pair."""
    while len(first) + len(second) > most:
        (first if len(first) > len(second) else second).pop()


@pytest.mark.parametrize("length", range(1, 8))
def test_pieces_are_those_of_upstreams_loop(length):
    for letters in itertools.product("abc", repeat=length):
        word = "".join(letters)
        assert TOKENIZER.ids(word) == [VOCAB[piece] for piece in upstream_pieces(word)]


@pytest.mark.parametrize("room", [0, 1, 2, 7, 8, 30])
def test_pairs_are_cut_as_by_upstreams_loop(room):
    for one, two in itertools.product(range(12), repeat=2):
        first, second = [3] * one, [4] * two
        made = sequence(TOKENIZER, first, second, room + 3)
        assert (first, second) == ([3] * one, [4] * two)
        upstream_cut(first, second, room)
        assert made.ids == [VOCAB[FIRST], *first, VOCAB[END], *second, VOCAB[END]]
        assert made.segments == [0] * (len(first) + 2) + [1] * (len(second) + 1)
        assert made.cut == (one + two > room)


def test_a_text_alone_is_cut_at_its_end():
    made = sequence(TOKENIZER, [3, 4, 5, 6], None, 5)
    assert made.ids == [VOCAB[FIRST], 3, 4, 5, VOCAB[END]]
    assert made.cut
