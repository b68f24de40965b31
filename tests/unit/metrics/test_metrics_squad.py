"""SQuAD's figures, worked out by hand; the official scripts are in tests/integration/training."""

from __future__ import annotations

import pytest

from bertbuild.metrics.squad import evaluate_v1, evaluate_v2, normalized


def articles(**answers):
    """A data set of questions: id → right answers."""
    asked = [{"id": name, "answers": [{"text": text} for text in texts]} for name, texts in answers.items()]
    return [{"paragraphs": [{"qas": asked[:1]}, {"qas": asked[1:]}]}]


@pytest.mark.parametrize(
    ("answer", "bare"),
    [
        ("The  U.S. Army!", "us army"),
        ("an apple, a pear", "apple pear"),
        ("the", ""),
        ("theatre", "theatre"),
        ("Café «Ü»", "café «ü»"),
        ("10–20", "10–20"),
        ("a\u00a0b\tc", "b c"),
        ("1,000", "1000"),
    ],
)
def test_answers_are_normalized_as_the_scripts_do(answer, bare):
    assert normalized(answer) == bare


def test_version_1_counts_the_best_of_the_answers_and_0_for_none():
    data = articles(a=["the cat sat", "cat"], b=["blue sky"], c=["x"], d=["y"])
    found = evaluate_v1(data, {"a": "Cat!", "b": "sky", "c": "z", "unasked": "q"})
    # a exact; b: precision 1, recall 1/2, F1 2/3; c wrong; d without a prediction.
    assert found == {"exact_match": 25.0, "f1": pytest.approx(100 * (1 + 2 / 3) / 4), "total": 4}


def test_version_1_counts_a_word_as_often_as_both_have_it():
    assert evaluate_v1(articles(a=["ho ho ho"]), {"a": "ho ho"})["f1"] == pytest.approx(100 * 2 * (1 * 2 / 3) / (5 / 3))


def test_version_2_tells_questions_with_and_without_an_answer_apart():
    data = articles(a=["cat"], b=["blue sky"], c=[], d=[])
    found = evaluate_v2(data, {"a": "cat", "b": "sky", "c": "", "d": "wrong"}, None)
    assert found == {
        "exact": 50.0,
        "f1": pytest.approx(100 * (1 + 2 / 3 + 1) / 4),
        "total": 4,
        "HasAns_exact": 50.0,
        "HasAns_f1": pytest.approx(100 * (1 + 2 / 3) / 2),
        "HasAns_total": 2,
        "NoAns_exact": 50.0,
        "NoAns_f1": 50.0,
        "NoAns_total": 2,
    }


def test_version_2_searches_the_threshold_that_would_have_been_best():
    data = articles(a=["cat"], b=["sky"], c=[], d=[])
    # From the lowest odds on: a right (3), d wrongly answered (2), b right (3), c "" (3). Best: up to a, at -5.
    found = evaluate_v2(
        data, {"a": "cat", "b": "sky", "c": "", "d": "dog"}, {"a": -5.0, "d": -3.0, "b": 0.5, "c": 9.0, "unasked": -9.0}
    )
    assert (found["best_exact"], found["best_exact_thresh"]) == (75.0, -5.0)
    assert (found["best_f1"], found["best_f1_thresh"]) == (75.0, -5.0)


def test_version_2_says_0_where_answering_nothing_is_best():
    found = evaluate_v2(articles(a=["cat"], b=[]), {"a": "dog", "b": "dog"}, {"a": 0.5, "b": 0.25})
    assert (found["best_exact"], found["best_exact_thresh"]) == (50.0, 0.0)


def test_version_2_takes_odds_above_1_for_no_answer_as_the_scripts_do():
    found = evaluate_v2(articles(a=["cat"], b=[]), {"a": "cat", "b": "dog"}, {"a": 1.5, "b": 1.5})
    assert (found["HasAns_exact"], found["NoAns_exact"]) == (0.0, 100.0)


def test_version_2_leaves_questions_without_a_prediction_out():
    found = evaluate_v2(articles(a=["cat"], b=["sky"]), {"a": "cat"}, None)
    assert (found["exact"], found["total"], "NoAns_total" in found) == (100.0, 1, False)


def test_an_answer_of_articles_alone_is_no_answer():
    assert evaluate_v2(articles(a=["the"]), {"a": ""}, None)["HasAns_exact"] == 100.0
