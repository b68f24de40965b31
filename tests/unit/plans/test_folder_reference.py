"""Who answers for a checkpoint that was imported: the Hugging Face folder, where a class of transformers can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.hf import HuggingFace
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.kinds.onnx import Onnx
from bertbuild.kinds.planning import plan_targets
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.kinds.tf2 import Tf2
from bertbuild.plans.folder_reference import by_folder
from bertbuild.plans.plan import File, Origin, Source

CHECKPOINT = File(path=PurePosixPath("/c"), digest="d")
FOLDER = File(path=PurePosixPath("/hf"), digest="e", files=("config.json", "model.safetensors"))
CLASSIFIER = "BertForSequenceClassification"


def source(*kinds, architecture="BertModel", **changes):
    heads = tuple(FoundHead(kind, *HEADS[kind].last, labels=3) for kind in kinds)
    told = {"heads": heads, "origin": Origin(file=FOLDER, architecture=architecture, labels=3), **changes}
    return Source(model="small", kind="checkpoint", file=CHECKPOINT, gelu="erf", **told)


def planned(source, request):
    return by_folder(plan_targets(source, request, CHECKPOINT), source)


@pytest.mark.parametrize(
    "request_", [Frozen(), Ir(), Onnx(), HuggingFace(), SavedModel(), NeuronReady(), Tf2(), Ir(route="static")], ids=str
)
def test_every_kind_is_judged_by_the_folder_s_own_class(request_):
    plan = planned(source(), request_)
    reference = plan.step(plan.targets[0].reference)
    assert reference.stage == "hf-tf-infer"
    assert reference.inputs == {"huggingface": FOLDER, "probes": CHECKPOINT}
    assert reference.params["class"] == "BertModel"
    assert reference.params["alone"] == "false"


@pytest.mark.parametrize(
    ("kind", "architecture", "asked"),
    [
        ("classifier", CLASSIFIER, CLASSIFIER),
        ("regression", CLASSIFIER, CLASSIFIER),
        ("tokens", "BertForTokenClassification", "BertForTokenClassification"),
        ("classifier", "", None),
        ("tokens", CLASSIFIER, None),
    ],
)
def test_a_head_is_asked_of_the_class_that_config_json_names(kind, architecture, asked):
    reference = planned(source(kind, architecture=architecture), Ir()).step("reference")
    assert (reference.stage, reference.params.get("class")) == ("hf-tf-infer" if asked else "tf1-infer", asked)


def test_the_encoder_of_a_folder_with_any_head_is_asked_of_the_encoder_s_class():
    reference = planned(source("classifier", architecture="BertForX"), Ir(output="pooled")).step("reference")
    assert reference.params["class"] == "BertModel"


@pytest.mark.parametrize(
    ("changed", "request_"),
    [
        ({"origin": None}, Ir()),
        ({"heads": (FoundHead("tokens", "w", "b", 4),), "architecture": "BertForTokenClassification"}, Ir()),
        ({}, Ir(gelu="tanh")),
        ({"heads": (FoundHead("masked-lm", "cls/predictions/output_weights", "b", 9),)}, Ir(output="masked-lm-logits")),
    ],
    ids=[
        "a checkpoint of Google's",
        "another number of labels than config.json has",
        "another gelu",
        "a table of its own",
    ],
)
def test_what_the_folder_does_not_compute_is_judged_as_before(changed, request_):
    named = {"architecture": "BertForMaskedLM", **changed}
    one = replace(source(architecture=named.pop("architecture")), **{"heads": (), **named})
    assert planned(one, request_) == plan_targets(one, request_, CHECKPOINT)


def test_an_albert_s_folder_is_asked_and_not_what_is_written_of_its_checkpoint():
    plan = planned(source(family="albert", architecture="AlbertModel"), Ir())
    assert plan.step("reference").inputs["huggingface"] == FOLDER
    assert not any(step.stage == "hf-weights" for step in plan.steps)
