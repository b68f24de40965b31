"""The model card: front matter that YAML reads, and a section on each thing that a reader asks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from packed_target import OUTPUTS, signature, text_facts, verdict

from bertbuild.catalogue.datasets import find_dataset
from bertbuild.catalogue.models import find_model
from bertbuild.packaging.card import Measured, card
from bertbuild.packaging.licences import licences
from bertbuild.packaging.lineage import Lineage
from bertbuild.packaging.packed import Packed

SECTIONS = (
    *("How to use it", "Intended use", "Source", "Training data", "Accuracy", "Parity with the source", "Text"),
    *("Licences", "Origin"),
)
MEASURED = Measured(
    task="STS-B",
    examples=1500,
    metric="pearson",
    reference="TensorFlow 1.15.5",
    rows={"tf1": {"pearson": 0.87654, "spearman": 0.86}, "ir-fp32": {"pearson": 0.87651}},
    own="ir-fp32",
)


def packed(tmp_path, head="regression"):
    facts = {"text": text_facts(head), "signature": signature("ir", head), "verdict": verdict()}
    return Packed(model="mine", target="ir-fp32", kind="ir", folder=tmp_path, **facts)


def origin(*data, models=("bert-base-uncased",), own=()):
    return Lineage(
        models=tuple(map(find_model, models)),
        datasets=tuple(map(find_dataset, data)),
        own_tasks=own,
        trainings=(("finetune", {"learning_rate": "2e-05", "seed": "1"}),),
    )


def text_of(tmp_path, found, *, head="regression", measured=()):
    return card(packed(tmp_path, head), "How.", found, licences("mine", found, ["openvino"]), measured)


def front(text):
    """The front matter's fields; what is no plain word is JSON."""
    lines = text.split("---\n")[1].splitlines()
    fields = dict(line.split(": ", 1) for line in lines)
    return {name: json.loads(value) if value[0] in '["{' else value for name, value in fields.items()}


def test_it_tells_source_licence_data_accuracy_parity_and_use(tmp_path):
    text = text_of(tmp_path, origin("STS-B"), measured=[MEASURED])
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(SECTIONS)
    assert "[BERT-Base, uncased](" in text
    assert "- trained by `finetune`: learning rate 2e-05, seed 1" in text
    assert "- STS-B: " in text
    assert "STS-B: 1500 examples of the dev set, by `bertbuild evaluate`" in text
    assert "| ir-fp32 | 0.8765 | – |" in text
    assert "| probabilities | 2.0e-06 | 1e-05 |" in text
    assert "| data | STS-B | CC-BY-SA-4.0 |" in text
    fields = front(text)
    assert (fields["license"], fields["library_name"], fields["pipeline_tag"]) == (
        "apache-2.0",
        "openvino",
        "text-classification",
    )
    (result,) = fields["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "pearson", "value": 0.8765}]
    assert fields["datasets"] == ["glue"]


def test_special_tokens_in_a_text_are_told(tmp_path):
    found = packed(tmp_path)
    for special in (False, True):
        other = replace(found, text={**found.text, "special_tokens_in_text": special})
        told = "[SEP], [MASK] and the like in a text are special" in card(other, "How.", origin(), (), ())
        assert told is special


def test_what_was_not_measured_is_said_not_to_be(tmp_path):
    text = text_of(tmp_path, origin(models=(), own=("own-reviews",)))
    assert "Not measured: `bertbuild evaluate` was not run" in text
    assert "weights that the user gave" in text
    assert "- own-reviews: files of the user's own" in text
    assert "Ask the owners of what is not known" in text
    assert front(text)["license"] == "unknown"
    assert "model-index" not in front(text)


def test_restricted_terms_are_named(tmp_path):
    fields = front(text_of(tmp_path, origin("XNLI")))
    assert (fields["license"], fields["license_name"]) == ("other", "Apache-2.0 and CC-BY-NC-4.0")


@pytest.mark.parametrize("head", OUTPUTS)
def test_it_tells_of_what_use_each_head_is(tmp_path, head):
    text = text_of(tmp_path, origin(), head=head)
    assert "{" not in text.partition("## Intended use")[2].partition("## Source")[0]
    assert front(text)["pipeline_tag"]
