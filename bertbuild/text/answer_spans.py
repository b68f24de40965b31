"""From start and end logits to the answers of SQuAD's questions: run_squad.py's write_predictions, span by span.

A question's paragraph goes through the model in windows. `questions.json` has the articles; a paragraph of it, besides
SQuAD's "context" and "qas", its "words" (what lies between white space), its "pieces" and, for each piece, the number
of its word ("word_of_piece"); where the pieces are not parts of google-research/bert's basic words also what each word
is as it was read ("said"). Arrays of features.npz tell of each window [N] int32: "question" (a number, in the order
of the articles), "first" (where in the sequence the paragraph begins), "begin" and "count" (its pieces: the first one's
number in the paragraph, and how many).

https://github.com/google-research/bert/blob/master/run_squad.py
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bertbuild.text.basic_words import BasicWords

WINDOWS = ("question", "first", "begin", "count")
NOTHING = "empty"  # upstream's answer where no span is one


class Entry(NamedTuple):
    """One of the n best."""

    text: str
    start_logit: float
    end_logit: float
    words: tuple[int, int] | None = None
    """The numbers of the paragraph's words that it begins and ends in; None for no answer."""


class Answer(NamedTuple):
    """What a question is answered by."""

    text: str
    nbest: list[dict[str, Any]]
    """The n best as dicts, as nbest_predictions.json has them."""
    odds: float | None
    """The score of no answer less that of the best one; None where each question has an answer."""
    words: tuple[int, int] | None = None
    """As in `Entry`."""


class Spans:
    """What tells a span of logits from an answer.

    Args:
        articles: of questions.json.
        windows: name of `WINDOWS` → int array [N].
        lower_case: whether the model's text is lower-cased.
        negatives: whether a question may have no answer (SQuAD 2.0).
        n_best: spans that are looked at, of each window and in all.
        longest: pieces that an answer may have.
        threshold: there is no answer where its score is above the best answer's by more than this.
    """

    def __init__(
        self,
        articles: Sequence[Mapping[str, Any]],
        windows: Mapping[str, Any],
        lower_case: bool,
        negatives: bool = False,
        n_best: int = 20,
        longest: int = 30,
        threshold: float = 0.0,
    ) -> None:
        self._questions = [
            (str(question["id"]), paragraph)
            for article in articles
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
        self._windows = {name: np.asarray(windows[name]) for name in WINDOWS}
        self._rows = np.split(
            np.argsort(self._windows["question"], kind="stable"),
            np.cumsum(np.bincount(self._windows["question"], minlength=len(self._questions)))[:-1],
        )
        self._words = BasicWords(lower_case)
        self._negatives = negatives
        self._n_best, self._longest, self._threshold = n_best, longest, threshold

    def answers(self, start_logits: Any, end_logits: Any) -> dict[str, Answer]:
        """An `Answer` for each question, by its id as text.

        Args:
            start_logits: float array [N, S].
            end_logits: likewise.
        """
        return collections.OrderedDict(
            (name, self._answer(paragraph, rows, start_logits, end_logits))
            for (name, paragraph), rows in zip(self._questions, self._rows)
        )

    def _answer(self, paragraph: Mapping[str, Any], rows: Any, starts: Any, ends: Any) -> Answer:
        starts, ends = (np.asarray(values[rows], np.float64) for values in (starts, ends))
        for n_best in (self._n_best, starts.shape[1]):
            found = self._nbest(paragraph, rows, starts, ends, n_best)
            best = next((entry for entry in found if entry.text), None)
            if best is not None or not self._negatives:
                break
        # Upstream fails where none of the n best spans is in the text: there, all spans are looked at; and where there
        # is no span at all, as in an empty paragraph, there is no answer.
        odds = None
        taken = found[0]
        if self._negatives:
            null = self._null(starts, ends)[1]
            odds = null - best.start_logit - best.end_logit if best is not None else 0.0
            taken = best if best is not None and not odds > self._threshold else Entry("", 0.0, 0.0)
        shares = _softmax([entry.start_logit + entry.end_logit for entry in found])
        nbest: list[dict[str, Any]] = [
            {
                "text": entry.text,
                "probability": share,
                "start_logit": entry.start_logit,
                "end_logit": entry.end_logit,
            }
            for entry, share in zip(found, shares)
        ]
        return Answer(taken.text, nbest, odds, taken.words)

    def _nbest(self, paragraph: Mapping[str, Any], rows: Any, starts: Any, ends: Any, n_best: int) -> list[Entry]:
        """The best entries, of which each text is there once."""
        spans = self._spans(rows, starts, ends, n_best)
        null = self._null(starts, ends) if self._negatives else None
        scores = [starts[window, first] + ends[window, last] for window, first, last in spans]
        if null is not None:
            spans.append((0, 0, 0))
            scores.append(null[1])
        found: list[Entry] = []
        seen = set()
        for number in np.argsort(-np.array(scores), kind="stable"):
            if len(found) == n_best:
                break
            window, first, last = spans[number]
            if null is not None and first == 0:
                found.append(Entry("", *null[0]))
                seen.add("")
                continue
            text, words = self._text(paragraph, rows[window], first, last)
            if text not in seen:
                seen.add(text)
                found.append(Entry(text, float(starts[window, first]), float(ends[window, last]), words))
        if null is not None and "" not in seen:
            found.append(Entry("", *null[0]))
        return found or [Entry(NOTHING, 0.0, 0.0)]

    def _spans(self, rows: Any, starts: Any, ends: Any, n_best: int) -> list[tuple[int, int, int]]:
        """(window, first, last) of each pair of the n best places that can be an answer, in upstream's order."""
        widest = self._is_widest(rows)
        found = []
        for window, row in enumerate(rows):
            low = self._windows["first"][row]
            high = low + self._windows["count"][row]
            first, last = (
                places[(places >= low) & (places < high)]
                for places in (_best(values[window], n_best) for values in (starts, ends))
            )
            first = first[widest[window][first - low]]
            length = last[None, :] - first[:, None] + 1
            for begin, end in np.argwhere((length >= 1) & (length <= self._longest)):
                found.append((window, int(first[begin]), int(last[end])))
        return found

    def _is_widest(self, rows: Any) -> list[Any]:
        """For each window, of each of its pieces whether no other window has more around it (the first such one)."""
        begin, count = (self._windows[name][rows].astype(np.int64) for name in ("begin", "count"))
        places = np.arange((begin + count).max() if len(rows) else 0)
        left = places - begin[:, None]
        right = begin[:, None] + count[:, None] - 1 - places
        around = np.where((left >= 0) & (right >= 0), np.minimum(left, right) + 0.01 * count[:, None], -1.0)
        best = around.argmax(axis=0) if len(rows) else places
        return [best[low : low + size] == window for window, (low, size) in enumerate(zip(begin, count))]

    def _null(self, starts: Any, ends: Any) -> tuple[tuple[float, float], float]:
        """Start and end logit of no answer, and their sum: those of the window where it is the least."""
        if not len(starts):
            return (0.0, 0.0), 1000000.0  # upstream's
        sums = starts[:, 0] + ends[:, 0]
        window = int(sums.argmin())
        return (float(starts[window, 0]), float(ends[window, 0])), float(sums[window])

    def _text(self, paragraph: Mapping[str, Any], row: int, first: int, last: int) -> tuple[str, tuple[int, int]]:
        """The text of a span of pieces, and the words that it begins and ends in."""
        begin = self._windows["begin"][row] - self._windows["first"][row]
        pieces = " ".join(paragraph["pieces"][begin + first : begin + last + 1])
        told = " ".join(pieces.replace(" ##", "").replace("##", "").split())
        low, high = (paragraph["word_of_piece"][begin + place] for place in (first, last))
        original = " ".join(paragraph["words"][low : high + 1])
        said = paragraph["said"][low : high + 1] if "said" in paragraph else self._words(original)
        return final_text(told, original, said), (low, high)


def final_text(told: str, original: str, words: Sequence[str]) -> str:
    """run_squad.py's get_final_text: the part of the `original` text that the pieces of an answer, `told`, stand for.

    Args:
        told: the answer's pieces as text.
        original: all text of the words that these are of.
        words: that text as it was read, which the pieces are parts of; `BasicWords` of it.
    """
    tokenized = " ".join(filter(None, words))
    start = tokenized.find(told)
    places = [place for place, char in enumerate(original) if char != " "]
    if not told or start == -1 or len(places) != len(tokenized) - tokenized.count(" "):
        return original
    first = start - tokenized.count(" ", 0, start)
    last = first + len(told) - told.count(" ") - 1
    return original[places[first] : places[last] + 1]


def _best(values: Any, count: int) -> Any:
    """The places of the largest values, of equal ones the first; upstream's _get_best_indexes."""
    return np.argsort(-values, kind="stable")[:count]


def _softmax(scores: Sequence[float]) -> list[float]:
    highest = max(scores)
    shares = [math.exp(score - highest) for score in scores]
    total = 0.0
    for share in shares:
        total += share
    return [share / total for share in shares]
