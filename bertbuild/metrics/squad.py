"""Exact match and F1 of answers to SQuAD's questions, equal to evaluate-v1.1.py and evaluate-v2.0.py.

A data set is the list under "data" of a SQuAD file: [{"paragraphs": [{"qas": [{"id", "answers": [{"text"}]}]}]}].
Predictions are question id → answer, "" for none. Figures are in percent, as the scripts print them. The scripts:
https://rajpurkar.github.io/SQuAD-explorer, and squad_evaluate_v1_1.py and _v2_0.py in the Model Garden's nlp/tools.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Articles: TypeAlias = Sequence[Mapping[str, Any]]
Figures: TypeAlias = dict[str, float]

ARTICLE_WORDS = re.compile(r"\b(a|an|the)\b")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def questions(articles: Articles) -> Iterator[tuple[str, list[str]]]:
    """Id and right answers of each question, in the file's order; a question of SQuAD 2.0 may have none.

    An id is a text, also where the file has a number: predictions are kept by text.
    """
    for article in articles:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield str(question["id"]), [answer["text"] for answer in question["answers"]]


def normalized(answer: str) -> str:
    """Lower case, without ASCII punctuation, articles and extra white space."""
    bare = answer.lower().translate(WITHOUT_PUNCTUATION)
    return " ".join(ARTICLE_WORDS.sub(" ", bare).split())


def evaluate_v1(articles: Articles, predictions: Mapping[str, str]) -> Figures:
    """SQuAD 1.1: exact_match and f1; a question without a prediction counts 0.

    Every question needs an answer: of SQuAD 2.0's, some have none.
    """
    exact = overlap = 0.0
    total = 0
    for question, answers in questions(articles):
        total += 1
        if question in predictions:
            exact += max(_exact(answer, predictions[question]) for answer in answers)
            overlap += max(_overlap(answer, predictions[question]) for answer in answers)
    return {"exact_match": 100.0 * exact / total, "f1": 100.0 * overlap / total, "total": total}


def evaluate_v2(articles: Articles, predictions: Mapping[str, str], null_odds: Mapping[str, float] | None) -> Figures:
    """SQuAD 2.0: exact, f1, HasAns_*, NoAns_*, and with `null_odds` the thresholds that would have been best.

    Questions without a prediction are left out, as in the Model Garden's script; Stanford's ends in a KeyError.

    Args:
        articles: the data set.
        predictions: "" where the model says that there is no answer.
        null_odds: score of "no answer" less that of the best answer, for each prediction (null_odds.json). As in the
            scripts, a question whose odds are above 1 counts as answered by "", whatever its prediction.
    """
    odds = dict.fromkeys(predictions, 0.0) if null_odds is None else null_odds
    exact, overlap, has_answer = _raw_scores(articles, predictions)
    judged = {
        "exact": _with_threshold(exact, odds, has_answer),
        "f1": _with_threshold(overlap, odds, has_answer),
    }
    groups = {
        "": list(exact),
        "HasAns_": [question for question in exact if has_answer[question]],
        "NoAns_": [question for question in exact if not has_answer[question]],
    }
    figures: Figures = {}
    for prefix, members in groups.items():
        if members:
            figures |= {f"{prefix}{name}": _percent(scores, members) for name, scores in judged.items()}
            figures[f"{prefix}total"] = len(members)
    if null_odds is not None:
        figures["best_exact"], figures["best_exact_thresh"] = _best_threshold(predictions, exact, odds, has_answer)
        figures["best_f1"], figures["best_f1_thresh"] = _best_threshold(predictions, overlap, odds, has_answer)
    return figures


def _raw_scores(
    articles: Articles, predictions: Mapping[str, str]
) -> tuple[dict[str, float], dict[str, float], dict[str, bool]]:
    """Exact match and F1 of each question that has a prediction, and whether it has an answer."""
    exact: dict[str, float] = {}
    overlap: dict[str, float] = {}
    has_answer: dict[str, bool] = {}
    for question, answers in questions(articles):
        if question in predictions:
            # Answers of which normalizing leaves nothing ("the") are dropped; "" is the only answer where none is left.
            given = [answer for answer in answers if normalized(answer)] or [""]
            has_answer[question] = bool(answers)
            exact[question] = max(_exact(answer, predictions[question]) for answer in given)
            overlap[question] = max(_overlap_or_none(answer, predictions[question]) for answer in given)
    return exact, overlap, has_answer


def _exact(answer: str, prediction: str) -> int:
    return int(normalized(answer) == normalized(prediction))


def _overlap(answer: str, prediction: str) -> float:
    """F1 over the words that the two have in common."""
    right, given = normalized(answer).split(), normalized(prediction).split()
    common = sum((Counter(right) & Counter(given)).values())
    if common == 0:
        return 0
    precision, recall = common / len(given), common / len(right)
    return (2 * precision * recall) / (precision + recall)


def _overlap_or_none(answer: str, prediction: str) -> float:
    """`_overlap`; but where either has no words, 1 where both have none."""
    if normalized(answer) and normalized(prediction):
        return _overlap(answer, prediction)
    return int(normalized(answer) == normalized(prediction))


def _with_threshold(
    scores: Mapping[str, float], odds: Mapping[str, float], has_answer: Mapping[str, bool], threshold: float = 1.0
) -> dict[str, float]:
    """The scores, were each question whose odds are above the threshold answered by ""."""
    return {
        question: float(not has_answer[question]) if odds[question] > threshold else score
        for question, score in scores.items()
    }


def _percent(scores: Mapping[str, float], members: Sequence[str]) -> float:
    return 100.0 * sum(scores[question] for question in members) / len(members)


def _best_threshold(
    predictions: Mapping[str, str],
    scores: Mapping[str, float],
    odds: Mapping[str, float],
    has_answer: Mapping[str, bool],
) -> tuple[float, float]:
    """The best score (in percent) that any threshold on the odds gives, and the threshold.

    From "no question is answered" on, questions are answered one by one from the lowest odds.
    """
    score: float = sum(not has_answer[question] for question in scores)
    best, threshold = score, 0.0
    for question in sorted(odds, key=lambda name: odds[name]):
        if question not in scores:
            continue
        if has_answer[question]:
            score += scores[question]
        elif predictions[question]:
            score -= 1
        if score > best:
            best, threshold = score, odds[question]
    return 100.0 * best / len(scores), threshold
