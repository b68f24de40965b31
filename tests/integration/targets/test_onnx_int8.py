"""int8 ONNX models by ONNX Runtime's own quantizer: the gate, what is stored, what a bound on the metric says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from backends import run as run_script
from calibration_data import features, write_prepared
from tiny_models import weights, write_google, write_readable_vocab

pytestmark = pytest.mark.integration

EXAMPLES = features(40, seed=8)


@pytest.fixture(scope="module")
def prepared_for_onnx(session_folder):
    return write_prepared(session_folder / "prepared-for-onnx", EXAMPLES, EXAMPLES, np.zeros(40, int))


@pytest.fixture(scope="module")
def quantized(bertbuild, tiny, prepared_for_onnx):
    """The tiny checkpoint's ONNX models in fp32 and in int8, with a bound that lets it lose all but a hundredth."""
    words = ("--precision", "fp32,int8", "--calibration", prepared_for_onnx, "--max-drop", 0.99)
    return bertbuild.ok("convert-onnx", "--checkpoint", tiny, *words)


TARGET = "onnx-drop0.99-int8"


def test_it_passes_the_gate_of_int8_and_says_what_it_cost(bertbuild, quantized):
    verdict = quantized.verdict(TARGET)
    assert (verdict["passed"], verdict["precision"]) == (True, "int8")
    facts = json.loads((bertbuild.out("tiny", TARGET) / "stage.json").read_text())["facts"]
    assert facts["quantized"] == {"Gather": 1, "MatMul": 11}
    # Of segments, of the head; of each layer two products of activations and one more.
    assert len(facts["left_in_float32"]) == 8
    assert facts["calibrated_on"] == 40
    assert facts["accuracy"].keys() == {"metric", "fp32", "int8", "max_drop", "examples"}
    assert facts["accuracy"]["metric"] == "accuracy"


def test_it_is_of_onnxs_own_operators_and_says_what_it_is(bertbuild, quantized):
    assert quantized.code == 0
    path = bertbuild.out("tiny", TARGET) / "model.onnx"
    seen = run_script("onnx", "onnx_facts", onnx=path, heads=4, hidden=32)
    assert (seen["opset"], seen["ir_version"]) == ([["", 20]], 9)
    assert {"QuantizeLinear", "DequantizeLinear", "LayerNormalization", "Gelu"} <= set(seen["operators"])
    told = dict(seen["metadata"])
    assert (told["bertbuild.precision"], told["bertbuild.int8_for"]) == ("int8", "any")
    assert told["bertbuild.key"] == bertbuild.record("tiny", TARGET)["results"][TARGET][1]
    assert path.stat().st_size < (bertbuild.out("tiny", "onnx-fp32") / "model.onnx").stat().st_size


@pytest.mark.whole
def test_text_every_processor_and_a_guard(bertbuild, session_folder):
    readable = write_google(session_folder / "readable-for-onnx", weights(seed=1, labels=3))
    write_readable_vocab(readable)
    text = session_folder / "for-onnx.txt"
    text.write_text("".join(f"w{number} w{number + 7}\tw{number + 3}\n" for number in range(30)))
    words = ("--precision", "int8", "--calibration-text", text, "--int8-for", "vnni", "--output", "sequence,pooled")
    built = bertbuild.ok("convert-onnx", "--checkpoint", readable, *words)
    assert built.verdict(built.last["target"])["passed"]
