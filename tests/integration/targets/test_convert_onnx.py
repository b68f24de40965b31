"""ONNX models: what the gate says, what ONNX's own tools and OpenVINO make of them, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from backends import run as run_script
from test_every_head import CASES, variables
from tiny_models import CONFIG, write_google

from bertbuild.model.model import ROLES


@pytest.fixture(scope="module")
def converted(bertbuild, tiny):
    """The models of the checkpoint with a classifier head."""
    return bertbuild.ok("convert-onnx", "--checkpoint", tiny)


@pytest.fixture(scope="module")
def seen(bertbuild, converted):
    """What ONNX's own tools see in the one of float32."""
    assert converted.verdict("onnx-fp32")["passed"]
    return look(bertbuild, "tiny", "onnx-fp32")


def look(bertbuild, model, target):
    path = bertbuild.out(model, target) / "model.onnx"
    return run_script(
        "onnx", "onnx_facts", onnx=path, heads=CONFIG["num_attention_heads"], hidden=CONFIG["hidden_size"]
    )


def test_opset_version_and_metadata_are_written(bertbuild, seen):
    assert (seen["opset"], seen["ir_version"]) == ([["", 20]], 9)
    assert seen["metadata"] == sorted(seen["metadata"])
    told = {key.removeprefix("bertbuild."): value for key, value in seen["metadata"]}
    assert told["key"] == bertbuild.record("tiny", "onnx-fp32")["results"]["onnx-fp32"][1]
    assert (told["model"], told["gelu"], told["precision"], told["route"]) == ("tiny", "erf", "fp32", "direct")


def test_inputs_and_outputs_are_called_as_the_irs_and_are_free(seen):
    assert seen["inputs"] == {role: ["batch", "sequence"] for role in ROLES}
    assert seen["outputs"] == {"probabilities": ["batch", 3]}


def test_layer_norm_and_gelu_are_single_operators(seen):
    assert {"LayerNormalization", "Gelu"} <= set(seen["operators"])
    assert not {"Erf", "Pow", "ReduceMean", "Sqrt"} & set(seen["operators"])


def test_the_optimizer_of_the_runtime_finds_every_attention(seen):
    assert seen["fused"]["Attention"] == CONFIG["num_hidden_layers"]
    assert seen["fused"]["BiasGelu"] == CONFIG["num_hidden_layers"]


def test_openvino_reads_it_and_answers_the_same(bertbuild, converted, tmp_path):
    assert converted.code == 0
    probes = bertbuild.probes("tiny", "onnx-fp32")
    feeds = {f"{probe}/{role}": value for probe, inputs in probes.items() for role, value in inputs.items()}
    np.savez(tmp_path / "inputs.npz", **feeds)
    path = bertbuild.out("tiny", "onnx-fp32") / "model.onnx"
    asked = {"inputs": tmp_path / "inputs.npz", "answers": tmp_path / "answers.npz"}
    run_script("openvino", "onnx_in_openvino", onnx=path, **asked)
    ours = bertbuild.answers("tiny", "onnx-fp32")
    with np.load(tmp_path / "answers.npz") as answers:
        for probe in probes:
            name = f"{probe}/probabilities"
            assert np.abs(answers[name] - ours[name]).max() < 1e-6


def test_an_opset_too_old_or_too_new_is_refused_with_the_ones_that_work(bertbuild, tiny):
    error = bertbuild.refused("convert-onnx", "--checkpoint", tiny, "--opset", 19, code=2)
    assert error["message"] == "--opset must be at least 20 (got 19)."
    outcome = bertbuild("convert-onnx", "--checkpoint", tiny, "--opset", 999)
    assert outcome.code != 0
    assert "--opset must be from 20, the first that has Gelu, to " in json.dumps(outcome.events)
    assert "Traceback" not in outcome.stderr


@pytest.mark.whole
@pytest.mark.parametrize("name", CASES)
def test_every_head_passes_its_gate_and_keeps_its_attention(bertbuild, session_folder, name):
    flags, outputs, tensors = CASES[name]
    folder = write_google(session_folder / f"onnx-head-{name}", variables(name))
    source = ("--checkpoint", folder, *flags, "--output", ",".join(outputs))
    built = bertbuild.ok("convert-onnx", *source, "--precision", "fp32,fp16")
    for target in built.last["targets"]:
        verdict = built.verdict(target["target"])
        assert verdict["passed"]
        assert {row["output"] for row in verdict["rows"]} == tensors
    seen = look(bertbuild, f"onnx-head-{name}", built.last["targets"][0]["target"])
    assert seen["fused"]["Attention"] == CONFIG["num_hidden_layers"]


@pytest.mark.whole
def test_a_fixed_shape_another_opset_and_half_the_bytes(bertbuild, tiny):
    words = ("--batch-size", 2, "--seq-len", 128, "--opset", 21, "--ir-version", 10, "--precision", "fp32,fp16")
    built = bertbuild.ok("convert-onnx", "--checkpoint", tiny, *words)
    sizes = {}
    for precision in ("fp32", "fp16"):
        target = f"onnx-opset21-v10-b2-s128-{precision}"
        assert built.verdict(target)["passed"]
        sizes[precision] = (bertbuild.out("tiny", target) / "model.onnx").stat().st_size
    assert sizes["fp16"] < 0.65 * sizes["fp32"]
    seen = look(bertbuild, "tiny", "onnx-opset21-v10-b2-s128-fp32")
    assert (seen["opset"], seen["ir_version"]) == ([["", 21]], 10)
    assert seen["inputs"]["input_ids"] == [2, 128]


@pytest.mark.whole
def test_two_empty_stores_have_the_same_bytes(bertbuild, fresh, tiny, converted):
    fresh.ok("convert-onnx", "--checkpoint", tiny)
    files = [(program.out("tiny", "onnx-fp32") / "model.onnx").read_bytes() for program in (bertbuild, fresh)]
    assert converted.code == 0
    assert files[0] == files[1]
