"""Text as google-research/albert reads it, by pieces; each build holds it to the package sentencepiece."""

from __future__ import annotations

import json
import re
import unicodedata

import piece_models
import pytest
from piece_models import NUMBERS, PIECES, model_bytes

from bertbuild.checkpoint.sentencepiece import read_model
from bertbuild.text.character_map import character_map
from bertbuild.text.charsmap import CharacterMap
from bertbuild.text.pieces import PieceTokenizer, prepared
from bertbuild.text.pieces_json import combining, pieces_json
from bertbuild.text.wordpiece import sequence
from bertbuild.text.words import Pieces


def tokenizer(*, lower_case=True, special=(), **model):
    return PieceTokenizer(read_model(model_bytes(**model)), lower_case=lower_case, special=special)


@pytest.mark.parametrize(
    ("text", "lower_case", "found"),
    [
        ("  Two\u3000spaces\tand a\u2028line ", True, "two spaces and a line"),
        ("D\u00e9j\u00e0 vu", True, "deja vu"),
        ("D\u00e9j\u00e0 vu", False, "Deja vu"),
        ("\ufb01ne \u00bd \u2122", True, "fine 1\u20442 tm"),
        ("``so''", True, "``so''"),
        ("\u039f\u0394\u039f\u03a3", True, "\u03bf\u03b4\u03bf\u03c2"),
        ("", True, ""),
    ],
)
def test_text_is_prepared_as_google_research_albert_prepares_it(text, lower_case, found):
    assert prepared(text, lower_case) == found


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Good  films", ["▁good", "▁film", "s"]),
        ("good(tom", ["▁good", "(", "tom"]),  # what is unknown and stands together is one piece
        ("1999, 9", ["▁199", "▁", "9", ",", "▁", "9"]),  # of "9," the comma is a piece of its own
        ("xyz", ["▁", "xyz"]),
        ("a\u0301a", ["▁", "aa"]),
        ("aaa", ["▁", "a", "aa"]),  # as likely as "aa", "a": the longer one is found first
        ("", []),
        (" \t", []),
        ("\ud800", ["▁", "\ufffd\ufffd\ufffd"]),
    ],
)
def test_the_likeliest_pieces_are_taken(text, pieces):
    found = tokenizer()
    assert found.pieces(text) == pieces
    assert found.ids(text) == [NUMBERS.get(one, NUMBERS["<unk>"]) for one in pieces]


def test_special_pieces_in_a_text_are_cut_unless_they_are_asked_for():
    text = "good [MASK] film"
    assert NUMBERS["[MASK]"] not in tokenizer().ids(text)
    assert tokenizer(special=["[MASK]"]).ids(text) == [NUMBERS[one] for one in ("▁good", "[MASK]", "▁film")]


def test_pieces_become_a_sequence_as_words_do():
    read = tokenizer()
    made = sequence(read, read.ids("good film"), read.ids("tom"), 6)
    assert made.ids == [NUMBERS[one] for one in ("[CLS]", "▁good", "▁film", "[SEP]", "▁tom", "[SEP]")]
    assert (made.segments, made.cut) == ([0, 0, 0, 0, 1, 1], False)


def test_a_table_of_characters_is_applied_and_spaces_are_kept_where_the_model_keeps_them():
    table = character_map({"\u2019": "'", "ö": "oe", "\u200b": "", "\u00a8": " "})
    assert CharacterMap(table).longest("aö", 1) == ("oe", 1)
    assert CharacterMap(table).longest("aö", 0) is None
    found = tokenizer(charsmap=table)
    assert found.pieces("go\u200bod\u200b films") == ["▁good", "▁film", "s"]
    assert found.pieces("\u200b") == []
    keeps = piece_models.encode_number(4, 0)
    assert tokenizer(normalized=keeps, charsmap=table).encoded("good  s ") == ["▁good", "▁", "▁", "s", "▁"]


def test_a_piece_that_ends_in_a_digit_and_a_comma_has_its_pieces_in_its_place():
    """That the rule depends on a piece alone, graphs that read text are made by."""
    read = tokenizer()
    again = read.cut_again()
    assert again == {NUMBERS["9,"]: [NUMBERS[one] for one in ("▁", "9", ",")]}
    cut = [read.vocab.get(one, read.unknown) for one in read.encoded("good 1999, aa")]
    assert [one for number in cut for one in again.get(number, [number])] == read.ids("good 1999, aa")


@pytest.mark.parametrize(
    ("lacking", "lower_case", "why"),
    [
        ((), True, ""),
        ((), False, "no piece for any character of [CLS], "),
        ((",", "9,"), True, "no piece for a comma, "),
        (("a", "aa", "s", "."), True, "no piece for any character of <pad>, "),
    ],
)
def test_pieces_that_upstream_looks_up_by_their_text_are_told(lacking, lower_case, why):
    """SentencePiece gives the number of what is unknown where google-research/albert looks up a text."""
    content = model_bytes([one for one in PIECES if one[0] not in lacking])
    found = PieceTokenizer(read_model(content), lower_case=lower_case).beyond_numbers()
    assert (why in found) if why else found == ""


def test_other_pieces_that_are_as_likely_are_a_tie():
    read = tokenizer()
    assert read.ties("aaa", [NUMBERS[one] for one in ("▁", "aa", "a")])
    assert not read.ties("aaa", [NUMBERS[one] for one in ("▁", "a", "a", "a")])
    assert not read.ties("aaa", [NUMBERS[one] for one in ("▁", "aa", "s")])


def test_the_characters_that_combine_are_those_of_unicode_14():
    found = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda one: f"\\U{int(one[1], 16):08x}", combining()))
    known = [chr(number) for number in range(0x1F000) if unicodedata.combining(chr(number))]
    if unicodedata.unidata_version == "14.0.0":
        assert all(found.fullmatch(one) for one in known)
    texts = [chr(number) for number in (0x41, 0x301, 0x323, 0x903, 0x94D, 0x1D165, 0x1E8D0, 0x1F600)]
    assert [bool(found.fullmatch(one)) for one in texts] == [bool(unicodedata.combining(one)) for one in texts]


def test_the_file_of_the_package_tokenizers_names_pieces_and_scores():
    model = read_model(model_bytes())
    told = json.loads(pieces_json(model, lower_case=True, max_seq_length=16))
    assert told["model"]["vocab"] == [[name, score] for name, score, _ in PIECES]
    assert (told["model"]["unk_id"], told["truncation"]["max_length"], told["added_tokens"]) == (1, 16, [])
    assert {"type": "Lowercase"} in told["normalizer"]["normalizers"]
    cased = json.loads(pieces_json(model, lower_case=False, special=True))
    assert {"type": "Lowercase"} not in cased["normalizer"]["normalizers"]
    assert [one["content"] for one in cased["added_tokens"]] == ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    assert cased["truncation"] is None


def test_pieces_are_spelt_as_run_squad_spells_words():
    words = Pieces(read_model(model_bytes()))
    read = words.tokenizer(lower_case=True)
    assert words.spelt(read.ids("good films")) == ["good", "film", "##s"]
    assert words.said(read, ["Films", "9,"]) == {"said": ["films", "9,"]}
    assert words.lower_cases()
    assert not Pieces(read_model(model_bytes((*PIECES, ("▁Tom", -9.0, 1))))).lower_cases()
