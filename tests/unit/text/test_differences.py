"""Texts that a tokenizer reads otherwise are counted by class; one of no class is told by itself."""

from __future__ import annotations

import pytest

from bertbuild.text.differences import Read, compared, of_tokenizer_json, reads, told, unlisted_told
from bertbuild.text.wordpiece import Sequenced

CLASSES = {"with an x": lambda text, _cut: "x" in text, "long": lambda text, _cut: len(text) > 3}
WANTED = Sequenced(ids=[2, 7, 3], segments=[0, 0, 0], cut=False)
SAME = Read([2, 7, 3, 9, 9], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0])
OTHERS = {
    "another piece": SAME._replace(ids=[2, 8, 3, 9, 9]),
    "a piece more": SAME._replace(mask=[1, 1, 1, 1, 0]),
    "another segment": SAME._replace(segments=[0, 1, 1, 0, 0]),
    "other padding": SAME._replace(ids=[2, 7, 3, 0, 0]),
    "segments in the padding": SAME._replace(segments=[0, 0, 0, 1, 1]),
    "cut": Read([2, 7], [1, 1], [0, 0]),
}


def rows(*reads, text=("y", None)):
    return [(text, WANTED, read) for read in reads]


def test_equal_rows_are_no_difference():
    found = compared(rows(SAME, Read(WANTED.ids, [1, 1, 1], [0, 0, 0])), CLASSES, 9)
    assert (found.texts, found.classes, found.unlisted) == (2, {}, [])
    assert told(found.as_json()) == "reads all of 2 texts as google-research/bert does"


@pytest.mark.parametrize("read", OTHERS.values(), ids=OTHERS)
def test_a_difference_of_no_class_is_told(read):
    found = compared(rows(SAME, read), CLASSES, 9)
    assert (found.classes, found.unlisted) == ({}, [("y", None)])


def test_a_difference_is_counted_in_the_first_class_that_its_text_is_of():
    wrong = OTHERS["another piece"]
    made = [*rows(wrong, text=("xxxx", None)), *rows(wrong, wrong, text=("ab", "cd")), *rows(SAME, text=("x", None))]
    found = compared(made, CLASSES, 9)
    assert (found.classes, found.unlisted) == ({"with an x": 1, "long": 2}, [])
    assert told(found.as_json()) == "reads 1 of 4 texts as google-research/bert does; not: with an x 1, long 2"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_another_number_of_rows_than_texts_no_text_is_read(count):
    """One row of two texts is no answer to the first: which text it is of, nothing tells."""
    found = compared(rows(*reads(count, [SAME.ids] * 2, [SAME.mask] * 2, [SAME.segments] * 2)), CLASSES, 9)
    assert (found.texts, len(found.unlisted)) == (count, 0 if count == 2 else count)


def test_the_reading_of_special_tokens_is_told():
    found = compared(rows(SAME), CLASSES, 9).as_json(special=True)
    assert told(found).endswith("as google-research/bert does, and special tokens in them as Hugging Face does")


def test_a_text_of_no_class_is_shown():
    found = compared(rows(OTHERS["cut"], text=("ab", "c\x07")), {}, 9)
    assert unlisted_told(found).endswith(
        "of 1 texts otherwise than google-research/bert, for no known reason; the first: 'ab' | 'c\\x07'"
    )


@pytest.mark.parametrize(
    ("text", "lower_case", "special", "cut", "kind"),
    [
        ("a\ue000", True, True, False, "private-use characters"),
        ("\U0002b820", True, True, False, "Chinese characters U+2B820 to U+2B91F"),
        ("ΑΣ", True, True, False, "capital sigma"),
        ("ΑΣ", False, True, False, None),
        ("a [SEP]", True, True, False, "special tokens in a text"),
        ("a [SEP]", True, False, False, None),
        ("a", True, True, True, "a pair that is cut"),
        ("a", True, True, False, None),
    ],
)
def test_the_classes_of_tokenizer_json(text, lower_case, special, cut, kind):
    classes = of_tokenizer_json(lower_case=lower_case, special=special)
    wrong = OTHERS["another piece"]._replace(is_cut_alone=cut)
    found = compared(rows(wrong, text=(text, None)), classes, 9)
    assert found.classes == ({kind: 1} if kind else {})
    assert len(found.unlisted) == (kind is None)
