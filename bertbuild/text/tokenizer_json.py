"""tokenizer.json: the tokenizer as the package tokenizers reads it.

It does not read every text as google-research/bert does; docs/text.md lists by class what differs. Special tokens are
no special words in a text, as with google-research/bert, unless that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bertbuild.text.wordpiece import CONTINUED, END, FIRST, LONGEST_WORD, PAD, SPECIAL, UNKNOWN


def can_be_written(vocab: Mapping[str, int]) -> bool:
    """Whether a vocabulary has the words that the file names."""
    return {UNKNOWN, FIRST, END} <= vocab.keys()


def tokenizer_json(vocab: Mapping[str, int], *, lower_case: bool, max_seq_length: int, special: bool = False) -> str:
    """The content of the file.

    Args:
        vocab: piece → number.
        lower_case: whether letters are made small, and accents taken off.
        max_seq_length: pieces at most, special tokens counted; 0: texts are neither cut nor padded.
        special: whether special tokens are such where they stand in a text.
    """
    added = [word for word in SPECIAL if special and word in vocab]
    value = {
        "version": "1.0",
        "truncation": cut_to(max_seq_length) if max_seq_length else None,
        "padding": padded_with(PAD, vocab.get(PAD, 0)) if max_seq_length else None,
        "added_tokens": [added_token(word, vocab[word]) for word in added],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,  # as `lowercase`
            "lowercase": lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": post_processor({FIRST: vocab[FIRST], END: vocab[END]}),
        "decoder": {"type": "WordPiece", "prefix": CONTINUED, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": UNKNOWN,
            "continuing_subword_prefix": CONTINUED,
            "max_input_chars_per_word": LONGEST_WORD,
            "vocab": dict(vocab),
        },
    }
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def cut_to(max_seq_length: int) -> dict[str, Any]:
    """How texts are cut: to a number of pieces, special tokens counted."""
    return {"direction": "Right", "max_length": max_seq_length, "strategy": "LongestFirst", "stride": 0}


def padded_with(token: str, number: int) -> dict[str, Any]:
    """How texts are made as long as the longest of their batch."""
    return {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": number,
        "pad_type_id": 0,
        "pad_token": token,
    }


def added_token(word: str, number: int) -> dict[str, Any]:
    """A special token, which is such where it stands in a text."""
    return {
        "id": number,
        "content": word,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def post_processor(marks: Mapping[str, int]) -> dict[str, Any]:
    """How texts get their special tokens.

    Args:
        marks: the one in front of a text and the one behind each → their numbers.
    """
    begin, end = marks

    def token(word: str, segment: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": word, "type_id": segment}}

    def text(name: str, segment: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [token(begin, 0), text("A", 0), token(end, 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, text("B", 1), token(end, 1)],
        "special_tokens": {word: {"id": word, "ids": [number], "tokens": [word]} for word, number in marks.items()},
    }
