"""What upstream does to text, as tables and a pattern, makes the same words as its own steps do."""

from __future__ import annotations

import re

import pytest

from bertbuild.text.basic_words import BasicWords
from bertbuild.text.corpus import generated
from bertbuild.text.pieces import prepared
from bertbuild.text.pieces_json import SPACES
from bertbuild.text.rewriting import (
    FINAL,
    changed_characters,
    changes_places,
    decomposed_characters,
    final_sigma,
    small_characters,
)

CORPUS = [part for texts in generated().values() for text in texts for part in text if part is not None]


def compiled(pattern):
    """A pattern of PCRE, which writes a character's number in another way than Python."""
    return re.compile(re.sub(r"\\x\{(\w+)\}", lambda found: re.escape(chr(int(found[1], 16))), pattern))


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def rewritten(request):
    """Whether text is lower-cased, and what the rules make of a text."""
    changed = changed_characters(request.param)
    sigma = compiled(final_sigma(changed))

    def words(text):
        text = text.replace("\0", "")
        if request.param:
            text = sigma.sub(rf"\1{FINAL}", text)
        return "".join(changed.get(char, char) for char in text).split(" ")

    return request.param, words


def test_the_rules_make_upstreams_words_of_the_whole_corpus(rewritten):
    lower_case, words = rewritten
    upstream = BasicWords(lower_case)
    other = [text for text in CORPUS if [word for word in words(text) if word] != upstream(text)]
    assert all(changes_places(text) for text in other)
    assert len(other) < 60


@pytest.mark.parametrize("lower_case", [True, False])
def test_the_rules_make_what_google_research_albert_cuts_into_pieces(lower_case):
    decomposed, small = decomposed_characters(), small_characters()
    spaces, sigma = compiled(SPACES), compiled(final_sigma({}))
    assert not {"\0", " ", "\u3000"} & decomposed.keys()

    def made(text):
        text = spaces.sub(" ", text).removeprefix(" ").removesuffix(" ")
        text = "".join(decomposed.get(char, char) for char in text)
        if not lower_case:
            return text
        return "".join(small.get(char, char) for char in sigma.sub(rf"\1{FINAL}", text))

    assert [text for text in CORPUS if made(text) != prepared(text, lower_case)] == []


def test_what_the_table_does():
    changed = changed_characters(lower_case=True)
    wanted = {
        "É": "e",
        "\u0301": "",
        "字": " 字 ",
        "\u2028": " ",
        "\x07": "",
        "!": " ! ",
        "İ": "i",
        "Σ": "σ",
        "\xa0": " ",
    }
    assert {char: changed[char] for char in wanted} == wanted
    assert not {"a", "ß", "\ue000", "\0", " "} & changed.keys()
    assert changed_characters(lower_case=False).get("É", "É") == "É"


@pytest.mark.parametrize(
    ("text", "changes"),
    [("plain", False), ("a\u0323\u0301", False), ("\u302e\U0001d165", True), ("\U0001d165\u302e", False)],
)
def test_marks_that_change_places(text, changes):
    assert changes_places(text) is changes
