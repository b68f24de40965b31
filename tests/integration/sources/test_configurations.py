"""bert_config.json's keys that change what is computed, through every stage that computes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy_bert import NumpyBert
from small_meta import meta_of_epsilon
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration

EPSILON = 0.01  # far enough from 1e-12 to show in every answer
TOLD = CONFIG | {"hidden_act": "gelu_new", "layer_norm_eps": EPSILON}


@pytest.fixture(scope="module")
def tensors():
    return weights(seed=11, labels=3)


@pytest.fixture(scope="module")
def told(session_folder, tensors):
    """A checkpoint whose configuration names a form of gelu and another epsilon, and begins with a byte order mark."""
    folder = write_google(session_folder / "told", tensors, config=TOLD)
    (folder / "bert_config.json").write_text(json.dumps(TOLD), encoding="utf-8-sig")
    return folder


def differences(bertbuild, model, target, output, bert):
    """The target's largest difference on a probe to `bert`, and to the same BERT with modeling.py's epsilon."""
    probe = bertbuild.probes(model, target)["b4_s16"]
    found = bertbuild.answers(model, target)[f"b4_s16/{output}"]
    other = NumpyBert(bert.tensors, heads=bert.heads, activation="tanh")
    return [np.abs(found - one.answer(probe)[output]).max() for one in (bert, other)]


@pytest.fixture(scope="module")
def bert(tensors):
    return NumpyBert(tensors, heads=4, activation="tanh", epsilon=EPSILON)


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (["build-ir", "--output", "pooled"], "pooled_output"),
        (["neuron-ready", "--compute", "float32"], "probabilities"),
        pytest.param(["convert-tf2"], "pooled_output", marks=pytest.mark.whole),
        pytest.param(["convert-tf2", "--format", "savedmodel"], "probabilities", marks=pytest.mark.whole),
    ],
)
def test_every_kind_of_target_computes_the_epsilon_and_gelu_that_are_told(bertbuild, told, bert, command, output):
    (verdict,) = bertbuild.ok(*command, "--checkpoint", told).of("verdict")
    assert verdict["passed"]
    target = verdict["target"]
    same, other = differences(bertbuild, "told", target, output, bert)
    assert same < 1e-5
    assert other > 1e-3


def test_an_epsilon_of_the_meta_alone_is_computed_and_handed_on(bertbuild, session_folder, told, bert):
    folder = session_folder / "untold"
    shutil.copytree(told, folder)
    (folder / "bert_config.json").write_text(json.dumps(CONFIG | {"hidden_act": "gelu_new"}))
    (folder / "bert_model.ckpt.meta").write_bytes(meta_of_epsilon(EPSILON))
    outcome = bertbuild.ok("convert-tf2", "--checkpoint", folder)
    same, other = differences(bertbuild, "untold", "tf2-encoder", "pooled_output", bert)
    assert same < 1e-5
    assert other > 1e-3
    written = json.loads(Path(outcome.last["path"]).with_name("bert_config.json").read_text())
    assert written == CONFIG | {"layer_norm_eps": EPSILON}
