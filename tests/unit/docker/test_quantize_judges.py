"""docker/common's judges and docker/openvino's _accuracy: what bounds the loss of each kind of head, by hand."""

from __future__ import annotations

import importlib
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from bertbuild.project import ROOT

COUNT, LENGTH = 4, 6


@pytest.fixture(scope="module")
def stages():
    """Modules of docker/openvino; nothing of them stays."""
    before = dict(sys.modules)
    paths = [str(ROOT / "docker" / part) for part in ("openvino", "common")]
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("stage", "stages", "judges", "calibration", "metric")
    ]:
        del sys.modules[name]
    sys.path[:0] = paths
    names = ("judges", "metric", "stages._accuracy", "calibration")
    yield SimpleNamespace(**{name.rpartition("_")[2]: importlib.import_module(name) for name in names})
    del sys.path[: len(paths)]
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)


def examples(stages, labels, path="data", more=None, told=None):
    mask = (np.arange(LENGTH) < np.array([[6], [4], [5], [3]])).astype(np.int32)
    features = {"input_ids": mask * 7, "input_mask": mask, "segment_ids": mask * 0}
    return stages.calibration.Examples(path, features, labels, more, told)


def judged(stages, head, given, *answers):
    """The metric of all examples, and the figure of the second one alone."""
    judge = stages.judges.JUDGES[head](given)
    found = dict(zip(judge.outputs, (np.array(values, np.float32) for values in answers), strict=True))
    whole = judge.figure(found, np.arange(COUNT))
    return whole, judge.each({name: values[1:2] for name, values in found.items()}, np.array([1]))


def test_a_classifier_by_accuracy(stages):
    told = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6]]
    found = judged(stages, "classifier", examples(stages, np.array([0, 1, 1, 0])), told)
    assert found == (0.5, pytest.approx(0.3))


def test_several_labels_by_mean_average_precision(stages):
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    told = [[0.9, 0.2], [0.8, 0.9], [0.7, 0.8], [0.1, 0.1]]
    found = judged(stages, "multi-label", examples(stages, labels), told)
    assert found == (pytest.approx(((1 + 2 / 3) / 2 + 1) / 2), pytest.approx((0.2 + 0.9) / 2))


def test_a_score_by_pearson(stages):
    found = judged(stages, "regression", examples(stages, np.array([0, 1, 2, 3], np.float32)), [1, 3, 5, 7])
    assert found == (pytest.approx(1.0), pytest.approx(-2.0))
    with pytest.raises(Exception, match="the labels of data are classes, and a score needs numbers"):
        judged(stages, "regression", examples(stages, np.array([0, 1, 2, 3])), [1, 3, 5, 7])


def test_tags_by_entities(stages):
    labels = np.full((COUNT, LENGTH), -1)
    labels[:, 1:3] = [[1, 2], [0, 0], [1, 0], [0, 1]]
    more, told = {"sentence_id": np.array([[0], [0], [1], [2]])}, {"labels": ["O", "B-PER", "I-PER"]}
    given = labels.copy()
    given[3, 2] = 0  # one of three entities is missed
    given[1, 2] = 2  # and one found that is none
    chances = np.eye(3)[np.maximum(given, 0)] * 0.7 + 0.1
    found = judged(stages, "tokens", examples(stages, labels, more=more, told=told), chances)
    assert found == (pytest.approx(2 * 2 / (3 + 3)), pytest.approx((0.8 + 0.1) / 2))


def questions(stages, folder):
    """A window of two words a question, each of which is answered by "house"."""
    paragraph = {"words": ["red", "house"], "pieces": ["red", "house"], "word_of_piece": [0, 1]}
    asked = [{"id": str(number), "answers": [{"text": "house"}]} for number in range(COUNT)]
    told = {"articles": [{"paragraphs": [{**paragraph, "qas": asked}]}], "lower_case": True, "negatives": False}
    (folder / "questions.json").write_text(json.dumps(told))
    more = {"question": np.arange(COUNT), "first": np.ones(COUNT, int), "begin": np.zeros(COUNT, int)}
    more["count"] = np.full(COUNT, 2)
    return examples(stages, None, str(folder), more)


def test_answers_by_f1_of_their_words(stages, tmp_path):
    starts, ends = np.zeros((2, COUNT, LENGTH))
    ends[:, 2] = 1
    starts[0, 2] = 1  # one says "house", and three "red house"
    starts[1:, 1] = 1
    judge = stages.judges.JUDGES["span"](questions(stages, tmp_path))
    first = {"start_logits": starts, "end_logits": ends}
    assert judge.figure(first, np.arange(COUNT)) == pytest.approx((1 + 3 * 2 / 3) / 4)
    other = {"start_logits": starts[1:2] + 0.5, "end_logits": ends[1:2]}
    assert judge.each(other, np.array([1])) == pytest.approx(-0.5)


class Port:
    """An output of a model."""

    def __init__(self, name, classes):
        self.name, self.classes = name, classes

    def get_names(self):
        return {self.name}

    def get_partial_shape(self):
        return [SimpleNamespace(is_static=True, get_length=lambda: self.classes)]


@pytest.mark.parametrize(
    ("head", "labels", "words"),
    [
        ("classifier", np.array([0, 1, 2, 0]), "data has the label 2, and the model knows 2 classes"),
        ("classifier", np.zeros((4, 2), int), "have the shape"),
        ("regression", np.array([0, 1, 2, 3], np.float32), "the model gives no score, so it has no pearson to bound"),
    ],
)
def test_labels_of_another_head_are_refused(stages, head, labels, words):
    model = SimpleNamespace(outputs=[Port("probabilities", 2)])
    with pytest.raises(Exception, match=words):
        stages.accuracy.Accuracy(head, model, examples(stages, labels), (None, None))


def test_answers_to_short_examples_are_as_wide_as_the_others(stages):
    more, told = {"sentence_id": np.arange(COUNT)}, {"labels": ["O", "B-PER"]}
    labels = np.where(np.arange(LENGTH) % 2 == 1, 1, -1) * np.ones((COUNT, 1), int)
    labels[labels == 1] = 1
    given = examples(stages, labels, more=more, told=told)
    accuracy = stages.accuracy.Accuracy("tokens", SimpleNamespace(outputs=[Port("probabilities", 2)]), given, (3, None))
    items = accuracy.items()
    assert [rows.tolist() for _, rows in items] == [[0, 1, 2], [3]]

    def model(feeds):
        found = np.zeros((*feeds["input_ids"].shape, 2))
        found[..., 1] = feeds["input_mask"]
        return {"probabilities": found}

    metric, figures = accuracy.validate(model, items)
    assert len(figures) == 2
    assert 0 < metric < 1


def test_windows_of_questions_are_asked_with_their_padding_and_tags_without(stages, tmp_path, monkeypatch):
    monkeypatch.setattr(stages.metric, "LENGTHS", 1)
    model = SimpleNamespace(outputs=[Port(name, 2) for name in ("start_logits", "end_logits", "probabilities")])
    tags = examples(stages, np.zeros((COUNT, LENGTH), int), more={"sentence_id": np.arange(COUNT)}, told={"labels": []})
    widths = {
        head: [
            feeds["input_ids"].shape[1] for feeds, _ in stages.accuracy.Accuracy(head, model, given, (1, None)).items()
        ]
        for head, given in {"span": questions(stages, tmp_path), "tokens": tags}.items()
    }
    assert widths == {"span": [LENGTH] * COUNT, "tokens": [6, 4, 5, 3]}
