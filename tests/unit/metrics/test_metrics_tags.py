"""F1 of entities and average precision, by hand; the integration tests compare them with the libraries' own."""

from __future__ import annotations

import numpy as np
import pytest

from bertbuild.metrics.classification import macro_average_precision
from bertbuild.metrics.tags import entities, entity_f1

SENTENCES = {
    "B-PER I-PER O B-LOC": {("PER", 0, 1), ("LOC", 3, 3)},
    "I-PER I-PER I-LOC": {("PER", 0, 1), ("LOC", 2, 2)},
    "B-PER B-PER": {("PER", 0, 0), ("PER", 1, 1)},
    "S-PER E-PER I-PER": {("PER", 0, 0), ("PER", 1, 1), ("PER", 2, 2)},
    "B I O": {("_", 0, 1)},
    "O O": set(),
}


@pytest.mark.parametrize("tags", SENTENCES)
def test_entities_are_found_in_tags(tags):
    assert entities(tags.split()) == SENTENCES[tags]


def test_an_entity_is_right_where_type_and_words_are():
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"]]
    given = [["B-PER", "I-PER", "O", "B-PER"], ["B-LOC", "I-LOC"]]
    assert entity_f1(right, given) == pytest.approx(2 * 1 / (3 + 3))
    assert entity_f1(right, right) == 1.0
    assert entity_f1([["O"]], [["O"]]) == 0.0


def test_average_precision_is_the_mean_over_labels():
    labels = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0]])
    scores = np.array([[0.9, 0.5, 0.1], [0.8, 0.5, 0.2], [0.7, 0.5, 0.3], [0.1, 0.5, 0.4]])
    # right at the first and the third of four; one of four that are alike; none
    assert macro_average_precision(labels, scores) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 4 + 0) / 3)
