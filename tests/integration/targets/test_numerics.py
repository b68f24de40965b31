from __future__ import annotations

import numpy as np
import pytest
from numpy_bert import NumpyBert
from tiny_models import CONFIG

from bertbuild.checkpoint.bundle import CheckpointReader

pytestmark = pytest.mark.integration


def farthest(bertbuild, model, target, bert, probes):
    """Largest difference of the TensorFlow 1 reference, and of the target, from float64 numpy."""
    inputs = bertbuild.probes(model, target)
    reference, answers = bertbuild.answers(model, target, "reference"), bertbuild.answers(model, target)
    differences = [0.0]
    for probe in probes:
        wanted = bert.answer(inputs[probe])
        for found in (reference, answers):
            outputs = [name for name in wanted if f"{probe}/{name}" in found]
            assert outputs
            differences += [float(np.abs(found[f"{probe}/{name}"] - wanted[name]).max()) for name in outputs]
    return max(differences)


@pytest.mark.parametrize("gelu", ["erf", "tanh"])
def test_a_tiny_model_answers_like_float64_numpy(bertbuild, tiny, tiny_weights, gelu):
    built = bertbuild.ok("build-ir", "--checkpoint", tiny, *(("--gelu", "tanh") if gelu == "tanh" else ()))
    target = built.last["targets"][0]["target"]
    bert = NumpyBert(tiny_weights, heads=CONFIG["num_attention_heads"], activation=gelu)
    assert farthest(bertbuild, "tiny", target, bert, ("b1_s16", "b1_s128", "b4_s16", "b4_s128")) <= 1e-5


@pytest.mark.parametrize("gelu", ["erf", "tanh"])
def test_minilm_answers_like_float64_numpy(bertbuild, minilm, gelu):
    assert minilm.code == 0
    built = bertbuild.ok("build-ir", "--model", "minilm-l6", *(("--gelu", "tanh") if gelu == "tanh" else ()))
    target = built.last["targets"][0]["target"]
    steps = {step["id"]: step for step in bertbuild.record("minilm-l6", target)["steps"]}
    reader = CheckpointReader(bertbuild.artifacts / steps[target]["inputs"]["checkpoint"]["path"] / "bert_model.ckpt")
    tensors = {name: reader.tensor(name) for name in reader.entries}
    right = NumpyBert(tensors, heads=12, activation=gelu)
    wrong = NumpyBert(tensors, heads=12, activation={"erf": "tanh", "tanh": "erf"}[gelu])
    assert farthest(bertbuild, "minilm-l6", target, right, ("b1_s128", "b4_s16")) <= 1e-5
    assert farthest(bertbuild, "minilm-l6", target, wrong, ("b4_s16",)) > 5e-5, "the comparison can tell them apart"
