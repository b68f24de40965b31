"""What the answers of each kind of head are judged by on labelled examples, with NumPy alone.

A judge has `outputs` (names of the answers it needs), `per_position` (whether these are [N, S, …]), `metric` (its
name), `least` (how many classes a model needs, None where that is not told), `of_parts` (whether some examples have the
metric too), and two methods, of the answers (name → float array) to the examples with these numbers: `figure` is the
metric, `each` how good they are, one number, the higher the better, by which operators are put back.
"""

import numpy as np
from stage import StageInputError, read_json

from bertbuild.metrics.classification import accuracy, macro_average_precision
from bertbuild.metrics.correlation import pearson
from bertbuild.metrics.tags import entity_f1


class Classes(object):
    """One of several classes: accuracy; of each example the probability of the right class."""

    outputs, per_position, metric = ("probabilities",), False, "accuracy"
    of_parts = True

    def __init__(self, examples):
        self.labels = whole(examples, 1)
        self.least = int(self.labels.max()) + 1

    def figure(self, answers, rows):
        """The metric."""
        return accuracy(self.labels[rows], answers["probabilities"].argmax(axis=-1))

    def each(self, answers, rows):
        """How good the answers are."""
        return float(answers["probabilities"][np.arange(len(rows)), self.labels[rows]].mean())


class Labels(object):
    """Any of several labels: mean average precision; of each example how probable what is right is."""

    outputs, per_position, metric = ("probabilities",), False, "macro_average_precision"
    of_parts = True

    def __init__(self, examples):
        self.labels = whole(examples, 2)
        self.least = self.labels.shape[1]

    def figure(self, answers, rows):
        """The metric."""
        return macro_average_precision(self.labels[rows], answers["probabilities"])

    def each(self, answers, rows):
        """How good the answers are."""
        found = answers["probabilities"]
        return float(np.where(self.labels[rows] == 1, found, 1 - found).mean())


class Scores(object):
    """A score: Pearson's correlation; of each example how near its score is."""

    outputs, per_position, metric, least = ("score",), False, "pearson", None
    of_parts = False

    def __init__(self, examples):
        if examples.labels.dtype.kind != "f" or examples.labels.ndim != 1:
            raise StageInputError("the labels of %s are classes, and a score needs numbers" % examples.path)
        self.labels = examples.labels

    def figure(self, answers, rows):
        """The metric."""
        return pearson(self.labels[rows], answers["score"])

    def each(self, answers, rows):
        """How good the answers are."""
        return -float(np.abs(answers["score"] - self.labels[rows]).mean())


class Tags(object):
    """A tag of each word: F1 of entities; of each example the probability of the right tags."""

    outputs, per_position, metric = ("probabilities",), True, "entity_f1"
    of_parts = True

    def __init__(self, examples):
        self.labels = whole(examples, 2)
        self.names = examples.told["labels"]
        self.least = len(self.names)
        self.sentences = examples.more["sentence_id"].reshape(-1)

    def _named(self, tags, rows):
        """The tags of each sentence that one of these examples is of."""
        found = {}
        for number, row, asked in zip(self.sentences[rows].tolist(), tags, self.labels[rows] >= 0):
            found.setdefault(number, []).extend(self.names[tag] for tag in row[asked])
        return list(found.values())

    def figure(self, answers, rows):
        """The metric."""
        given = answers["probabilities"].argmax(axis=-1)
        return entity_f1(self._named(self.labels[rows], rows), self._named(given, rows))

    def each(self, answers, rows):
        """How good the answers are."""
        labels, found = self.labels[rows], answers["probabilities"]
        right = np.take_along_axis(found, np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
        return float(right[labels >= 0].mean()) if (labels >= 0).any() else 1.0


class Questions(object):
    """Start and end of an answer: F1 of its words; of each example how near the logits are to those of float32."""

    outputs, per_position, metric, least = ("start_logits", "end_logits"), True, "f1", None
    of_parts = False

    def __init__(self, examples):
        from bertbuild.text.answer_spans import WINDOWS, Spans

        told = read_json(examples.path, "questions.json")
        self.articles, self.negatives = told["articles"], told["negatives"]
        windows = {name: examples.more[name] for name in WINDOWS}
        self.spans = Spans(self.articles, windows, told["lower_case"], self.negatives)
        self.mask = examples.features["input_mask"] == 1
        self.reference = None

    def figure(self, answers, _rows):
        """The metric."""
        from bertbuild.metrics.squad import evaluate_v1, evaluate_v2

        if self.reference is None:  # the first model that is judged is the one that is quantized
            self.reference = answers
        found = self.spans.answers(*(answers[name] for name in self.outputs))
        texts = {name: answer.text for name, answer in found.items()}
        if self.negatives:
            return evaluate_v2(self.articles, texts, None)["f1"] / 100
        return evaluate_v1(self.articles, texts)["f1"] / 100

    def each(self, answers, rows):
        """How good the answers are."""
        return -sum(
            float(np.abs(answers[name] - self.reference[name][rows])[self.mask[rows]].mean()) for name in self.outputs
        )


JUDGES = {
    "classifier": Classes,
    "multi-label": Labels,
    "regression": Scores,
    "tokens": Tags,
    "span": Questions,
}


def whole(examples, dimensions):
    """Labels that are whole numbers; raises `StageInputError` where they are others."""
    if examples.labels.dtype.kind not in "iu":
        raise StageInputError(
            "the labels of %s are not classes but numbers of a regression, so there is no accuracy to bound"
            % examples.path
        )
    labels = examples.labels if dimensions > 1 else examples.labels.reshape(-1)
    if labels.ndim != dimensions or len(labels) != len(examples):
        sentence = "the labels of %s have the shape %s, which are not those of this head"
        raise StageInputError(sentence % (examples.path, list(examples.labels.shape)))
    return labels
