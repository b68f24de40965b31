"""The heads of a Hugging Face folder are known before it is imported, so that nothing is started for what they lack."""

from __future__ import annotations

import pytest
from tiny_models import huggingface_tensors, weights, write_huggingface

from bertbuild.errors import UsageError
from bertbuild.plans.outputs import outputs_of
from bertbuild.source.expected import expected_source


@pytest.mark.parametrize(
    ("labels", "settings", "outputs"),
    [
        (3, {"architectures": ["BertForSequenceClassification"]}, ("probabilities",)),
        (3, {"architectures": ["BertForTokenClassification"]}, ("probabilities",)),
        (1, {"architectures": ["BertForSequenceClassification"]}, ("score",)),
        (3, {"architectures": ["BertForMultipleChoice"]}, ("pooled",)),
    ],
)
def test_the_usual_outputs_are_those_of_the_kind(tmp_path, labels, settings, outputs):
    folder = write_huggingface(tmp_path / "hf", huggingface_tensors(weights(labels=labels)), **settings)
    assert outputs_of(expected_source(folder, "m"), "") == outputs


def test_a_tagger_without_a_pooler_is_known_by_its_class(tmp_path):
    tensors = huggingface_tensors(weights(labels=3))
    without = {name: value for name, value in tensors.items() if not name.startswith("pooler.")}
    folder = write_huggingface(tmp_path / "hf", without, architectures=["BertForTokenClassification"])
    source = expected_source(folder, "m")
    assert (source.pooler, source.head.kind, source.head.assumed) == (False, "tokens", False)


def test_one_label_of_an_unknown_class_is_refused_until_it_is_said(tmp_path):
    folder = write_huggingface(tmp_path / "hf", huggingface_tensors(weights(labels=1)))
    with pytest.raises(UsageError, match="Nothing tells of what kind the head is"):
        outputs_of(expected_source(folder, "m"), "")
    assert outputs_of(expected_source(folder, "m", "regression"), "") == ("score",)


def test_a_kind_that_config_json_contradicts_is_refused(tmp_path):
    tensors = huggingface_tensors(weights(labels=3))
    folder = write_huggingface(tmp_path / "hf", tensors, architectures=["BertForTokenClassification"])
    with pytest.raises(UsageError, match=r"config\.json says BertForTokenClassification, but --head says classifier"):
        expected_source(folder, "m", "classifier")
