"""bertbuild/text/answer_spans.py: answers of questions whose spans are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bertbuild.text.answer_spans import Spans, final_text
from bertbuild.text.basic_words import BasicWords

PARAGRAPH = {
    "words": ["Mr.", "Ångström's", "house", "(red)"],
    "pieces": ["mr", ".", "ang", "##strom", "'", "s", "house", "(", "red", ")"],
    "word_of_piece": [0, 0, 1, 1, 1, 1, 2, 3, 3, 3],
    "qas": [{"id": 7, "answers": []}],
}
LENGTH = 16


def windows(*rows):
    return dict(zip(("question", "first", "begin", "count"), np.array(rows).T, strict=True))


def logits(**at):
    """[1, S], 0 but at some places: s3=5.0 is the start at 3."""
    found = np.zeros((2, 1, LENGTH), np.float32)
    for name, value in at.items():
        found["se".index(name[0]), 0, int(name[1:])] = value
    return found


def answered(values, rows=((0, 3, 0, 10),), **settings):
    kept = Spans([{"paragraphs": [PARAGRAPH]}], windows(*rows), True, **settings)
    found = kept.answers(*values)
    assert list(found) == ["7"]
    return found["7"]


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [(5, 6, "Ångström"), (5, 8, "Ångström's"), (11, 11, "red"), (3, 9, "Mr. Ångström's house"), (9, 9, "house")],
)
def test_an_answer_is_the_part_of_the_text_that_its_pieces_stand_for(first, last, text):
    found = answered(logits(**{f"s{first}": 9, f"e{last}": 8}))
    assert (found.text, found.odds) == (text, None)
    assert found.nbest[0]["start_logit"], found.nbest[0]["end_logit"] == (9.0, 8.0)
    assert math.isclose(sum(entry["probability"] for entry in found.nbest), 1)
    assert len({entry["text"] for entry in found.nbest}) == len(found.nbest) <= 20


def test_spans_that_cannot_be_are_left_out():
    backwards = logits(s9=9, e5=9, e9=1)
    assert answered(backwards).text == "house"
    too_long = logits(s3=9, e12=9, e9=3)
    assert answered(too_long, longest=9).text == "Mr. Ångström's house"
    outside = logits(s1=9, e2=9, s14=9, e14=9, s9=1, e9=1)
    assert answered(outside).text == "house"


def test_a_span_is_taken_from_the_window_that_has_most_around_it():
    values = np.zeros((2, 2, LENGTH), np.float32)
    values[:, 0, 3 + 6] = 9  # piece 6 is the last of the first window and in the middle of the second
    values[:, 1, 3 + 2] = 5
    found = answered(values, rows=((0, 3, 0, 7), (0, 3, 4, 6)))
    assert (found.text, found.nbest[0]["start_logit"]) == ("house", 5.0)


def test_there_is_no_answer_where_its_score_is_above_the_best_answers():
    values = logits(s0=3, e0=4, s9=2, e9=3)
    found = answered(values, negatives=True)
    assert (found.text, found.odds) == ("", 2.0)
    assert [entry["text"] for entry in found.nbest[:2]] == ["", "house"]
    assert answered(values, negatives=True, threshold=2.0).text == "house"


def test_all_spans_are_looked_at_where_none_of_the_best_is_in_the_text():
    values = logits(s0=9, e0=9, s1=8, e1=8, s9=1, e9=1)
    found = answered(values, negatives=True, n_best=2)
    assert (found.text, found.odds) == ("", 16.0)
    assert found.nbest[1]["text"] == "house"
    assert answered(values, n_best=2).text == "empty"  # upstream's, where each question has an answer


def test_an_empty_paragraph_has_no_answer():
    articles = [{"paragraphs": [{"words": [], "pieces": [], "word_of_piece": [], "qas": [{"id": "a"}, {"id": "b"}]}]}]
    articles += [{"paragraphs": [PARAGRAPH]}]
    for negatives, text in ((False, "empty"), (True, "")):
        kept = Spans(articles, windows((2, 3, 0, 10)), True, negatives)
        found = kept.answers(*logits(s9=2, e9=3))
        assert {name: answer.text for name, answer in found.items()} == {"a": text, "b": text, "7": "house"}
        assert found["a"].odds == (0.0 if negatives else None)


@pytest.mark.parametrize(
    ("told", "original", "text"),
    [
        ("steve smith", "Steve Smith's", "Steve Smith"),
        ("not there", "Steve Smith's", "Steve Smith's"),
        ("", "Steve", "Steve"),
        ("i", "İx", "İ"),
        ("fi", "ﬁx", "ﬁx"),
    ],
)
def test_where_pieces_are_not_found_in_the_text_all_of_it_is_the_answer(told, original, text):
    assert final_text(told, original, BasicWords(True)(original)) == text
