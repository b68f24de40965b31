from __future__ import annotations

import pytest

from bertbuild.families.bert import WORD_EMBEDDINGS
from bertbuild.heads import classifier, masked_lm
from bertbuild.heads.found import FoundHead, as_parameter, from_parameter
from bertbuild.heads.named import heads_named

CLASSIFIER = {"output_weights": (3, 4), "output_bias": (3,)}
SPAN = {"cls/squad/output_weights": (2, 4), "cls/squad/output_bias": (2,)}


def test_a_parameter_names_what_is_computed_and_its_variables():
    found = (classifier.found(3, "why"), FoundHead("span", "cls/squad/output_weights", "cls/squad/output_bias", 2))
    text = as_parameter(found)
    assert text == ("classifier:output_weights:output_bias,span:cls/squad/output_weights:cls/squad/output_bias")
    assert as_parameter(from_parameter(text)) == text
    assert [head.kind for head in from_parameter(text)] == ["classifier", "span"]
    assert from_parameter("") == from_parameter(None) == ()


@pytest.mark.parametrize("text", ["classifier", "classifier:output_weights", "classifier::b", "a:b:c:d"])
def test_a_parameter_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match="KIND:WEIGHTS:BIAS"):
        from_parameter(text)


def test_heads_are_told_by_their_variables():
    found = heads_named({**CLASSIFIER, **SPAN, "other": (1,)})
    assert [(head.kind, head.weights, head.labels) for head in found] == [
        ("classifier", "output_weights", 3),
        ("span", "cls/squad/output_weights", 2),
    ]


@pytest.mark.parametrize(
    "shapes",
    [{}, {"output_weights": (3, 4)}, {"output_weights": (3,), "output_bias": (3,)}],
    ids=["none", "no bias", "one axis"],
)
def test_half_a_head_is_none(shapes):
    assert heads_named(shapes) == ()


def test_a_masked_lm_is_tied_to_the_familys_embeddings():
    assert masked_lm.TIED_WEIGHTS == WORD_EMBEDDINGS
