"""The texts that tokenizers are held to."""

from __future__ import annotations

from bertbuild.project import ROOT
from bertbuild.text.corpus import ONLY_EMPTY, generated

WANTED = {
    "words of 100 to 201 characters": lambda text: any(100 <= len(word) <= 201 for word in text.split()),
    "longer words": lambda text: any(len(word) > 201 for word in text.split()),
    "control characters": lambda text: "\x07" in text,
    "the character 0": lambda text: "\0" in text,
    "U+FFFD": lambda text: "\ufffd" in text,
    "NBSP": lambda text: "\xa0" in text,
    "accents composed": lambda text: "é" in text,
    "accents apart": lambda text: "e\u0301" in text,
    "CJK extension B": lambda text: any("\U00020000" <= char <= "\U0002a6df" for char in text),
    "CJK extension E": lambda text: any("\U0002b820" <= char <= "\U0002ceaf" for char in text),
    "Hangul": lambda text: any("\uac00" <= char <= "\ud7a3" for char in text),
    "Thai": lambda text: any("\u0e01" <= char <= "\u0e5b" for char in text),
    "digits of other scripts": lambda text: any(char.isdigit() and not char.isascii() for char in text),
    "special tokens": lambda text: "[SEP]" in text,
    "nothing": lambda text: text == "",
}


def test_it_has_all_kinds_of_texts_and_is_the_same_each_time():
    texts = [part for those in generated().values() for text in those for part in text if part is not None]
    assert [kind for kind, is_of in WANTED.items() if not any(map(is_of, texts))] == []
    assert generated() == generated()


def test_single_texts_and_pairs_make_batches_of_empty_texts_alone():
    """One text is not enough: openvino-tokenizers made one row of any number of them."""
    for pairs in (False, True):
        those = [text for text in generated()[ONLY_EMPTY] if (text[1] is not None) == pairs]
        assert len(those) >= 2
        assert all(part.strip("\0") == "" for text in those for part in text if part is not None)


def test_the_page_says_how_many_there_are():
    found = generated()
    count = sum(map(len, found.values()))
    assert count >= 5000
    page = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")
    assert f"{count:,} texts and pairs of {len(found)} classes" in page
