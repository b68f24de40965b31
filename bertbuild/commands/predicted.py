"""predict: from a model's answers to words, by the kind of its head."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bertbuild.heads.padding import ASKED_WITH_PADDING
from bertbuild.heads.rows import HEADS
from bertbuild.text.answer_spans import NOTHING, WINDOWS, Answer, Spans
from bertbuild.text.asking import Asked, Questions, of_masked, of_questions, of_texts, of_words
from bertbuild.text.facts import Text
from bertbuild.text.words import Tokenizer, Words

BEST: Final = 5
"""Words that are told of a masked one."""
DOC_STRIDE, QUERY_LENGTH = 128, 64
Answers = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What text is read with.

    Attributes:
        text: what the target carries.
        lower_case: whether letters are made small.
        words: what the file of its tokenizer holds.
        tokenizer: made of it.
        length: pieces of a sequence.
    """

    text: Text
    lower_case: bool
    words: Words
    tokenizer: Tokenizer
    length: int

    @property
    def query(self) -> int:
        """Pieces of a question; the rest is cut off."""
        return self.text.max_query_length or QUERY_LENGTH

    def label(self, number: int) -> str:
        """The name of a class."""
        labels = self.text.labels
        return labels[number] if number < len(labels) else str(number)


def asked_of(kind: str, texts: Sequence[Asked], reading: Reading) -> Questions:
    """The sequences that a head is asked."""
    tokenizer, length = reading.tokenizer, reading.length
    if kind == "span":
        stride = reading.text.doc_stride or DOC_STRIDE
        found = of_questions(texts, tokenizer, length, query=reading.query, stride=stride, words=reading.words)
    else:
        found = {"tokens": of_words, "masked-lm": of_masked}.get(kind, of_texts)(texts, tokenizer, length)
    return replace(found, width=length) if kind in ASKED_WITH_PADDING else found


def tensors_of(kind: str) -> tuple[str, ...]:
    """What a model calls the answers of a head, the ones that are read first."""
    answers = sorted(HEADS[kind].answers, key=lambda answer: not answer.usual)
    return tuple(answer.tensor for answer in answers)


def rows_of(kind: str, asked: Questions, answers: Answers, reading: Reading) -> list[Row]:
    """What is told of each text."""
    return _ROWS[kind](asked, answers, reading)


def _classes(_asked: Questions, answers: Answers, reading: Reading) -> list[Row]:
    shares = _shares(answers)
    return [
        {
            "label": reading.label(int(row.argmax())),
            "probability": float(row.max()),
            "probabilities": {reading.label(number): float(share) for number, share in enumerate(row)},
        }
        for row in shares
    ]


def _labels(_asked: Questions, answers: Answers, reading: Reading) -> list[Row]:
    logits = answers.get("logits")
    shares = answers["probabilities"] if "probabilities" in answers else 1 / (1 + np.exp(-np.asarray(logits, float)))
    return [
        {
            "labels": [reading.label(int(number)) for number in np.flatnonzero(row > 0.5)],
            "probabilities": {reading.label(number): float(share) for number, share in enumerate(row)},
        }
        for row in shares
    ]


def _scores(_asked: Questions, answers: Answers, _reading: Reading) -> list[Row]:
    return [{"score": float(score)} for score in np.asarray(answers["score"]).reshape(-1)]


def _tags(asked: Questions, answers: Answers, reading: Reading) -> list[Row]:
    shares = _shares(answers)
    found: list[Row] = [{"tags": []} for _ in range(max(asked.of) + 1)]
    for row, (number, places) in enumerate(zip(asked.of, asked.places, strict=True)):
        for word, place in places:
            tag = None if place < 0 else int(shares[row, place].argmax())
            found[number]["tags"].append(
                {
                    "word": word,
                    "tag": None if tag is None else reading.label(tag),
                    "probability": None if tag is None else float(shares[row, place, tag]),
                }
            )
    return found


def _spans(asked: Questions, answers: Answers, reading: Reading) -> list[Row]:
    windows = dict(zip(WINDOWS, np.array(asked.windows, np.int32).reshape(-1, len(WINDOWS)).T, strict=True))
    spans = Spans(asked.articles, windows, reading.lower_case, reading.text.negatives)
    found = spans.answers(answers["start_logits"], answers["end_logits"])
    paragraphs = [paragraph for article in asked.articles for paragraph in article["paragraphs"]]
    return [_span(*both) for both in zip(found.values(), paragraphs, strict=True)]


def _span(answer: Answer, paragraph: Mapping[str, Any]) -> Row:
    best = next((entry for entry in answer.nbest if entry["text"] == answer.text), answer.nbest[0])
    none = answer.text in ("", NOTHING) or answer.words is None
    row = {
        "answer": None if none else answer.text,
        "span": None if answer.words is None or none else _place(answer.text, answer.words, paragraph),
        "probability": best["probability"],
        "score": best["start_logit"] + best["end_logit"],
    }
    return row if answer.odds is None else {**row, "no_answer_odds": answer.odds}


def _place(text: str, words: tuple[int, int], paragraph: Mapping[str, Any]) -> list[int]:
    """Where an answer stands in its context: its first character, and the one after it.

    Args:
        text: the answer, with one space between its words, whatever the context has there.
        words: the numbers of the words that it begins and ends in.
        paragraph: `context` and `words`.
    """
    context, begin, end = paragraph["context"], 0, 0
    for number, word in enumerate(paragraph["words"][: words[1] + 1]):
        place = context.index(word, end)
        begin, end = place if number <= words[0] else begin, place + len(word)
    found = re.search(r"[\s\u202f]+".join(map(re.escape, text.split(" "))), context[begin:end])
    return [begin + found.start(), begin + found.end()] if found else [begin, end]


def _masked(asked: Questions, answers: Answers, reading: Reading) -> list[Row]:
    words = {number: word for word, number in reading.tokenizer.vocab.items()}
    found = []
    for row, places in enumerate(asked.places):
        told = []
        for _, place in places:
            logits = np.asarray(answers["masked_lm_logits"][row, place], np.float64)
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            best = np.argsort(-shares, kind="stable")[:BEST]
            told.append([{"word": words.get(int(one), str(one)), "probability": float(shares[one])} for one in best])
        found.append({"masked": told})
    return found


def _next(_asked: Questions, answers: Answers, _reading: Reading) -> list[Row]:
    shares = _softmax(np.asarray(answers["next_sentence_logits"], np.float64))
    return [{"is_next": bool(row[0] > row[1]), "probability": float(row.max())} for row in shares]


def _shares(answers: Answers) -> Any:
    if "probabilities" in answers:
        return answers["probabilities"]
    return _softmax(np.asarray(answers["logits"], np.float64))


def _softmax(logits: Any) -> Any:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


_ROWS: dict[str, Callable[[Questions, Answers, Reading], list[Row]]] = {
    "classifier": _classes,
    "multi-label": _labels,
    "regression": _scores,
    "tokens": _tags,
    "span": _spans,
    "masked-lm": _masked,
    "next-sentence": _next,
}
ANSWERED = tuple(_ROWS)
"""Heads whose answers are told in words."""


def line_of(kind: str, row: Row) -> str:
    """What is told of a text, for people."""
    return _LINES[kind](row)


def _span_line(row: Row) -> str:
    told = f"{'no answer' if row['answer'] is None else row['answer']}  {row['probability']:.4f}"
    return told if row["span"] is None else f"{told}  (characters {row['span'][0]} to {row['span'][1]})"


def _labels_line(row: Row) -> str:
    return "  ".join(f"{label} {row['probabilities'][label]:.4f}" for label in row["labels"]) or "no label"


def _masked_line(row: Row) -> str:
    return "; ".join(" ".join(f"{one['word']} {one['probability']:.4f}" for one in best) for best in row["masked"])


_LINES: dict[str, Callable[[Row], str]] = {
    "classifier": lambda row: f"{row['label']}  {row['probability']:.4f}",
    "multi-label": _labels_line,
    "regression": lambda row: f"{row['score']:.4f}",
    "tokens": lambda row: "  ".join(f"{one['word']}/{one['tag'] or '-'}" for one in row["tags"]),
    "span": _span_line,
    "masked-lm": _masked_line,
    "next-sentence": lambda row: f"{'follows' if row['is_next'] else 'does not follow'}  {row['probability']:.4f}",
}
