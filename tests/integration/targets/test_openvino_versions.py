"""OpenVINO 2024.6 beside 2026.4: IRs are made, quantized and asked by the version that is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from calibration_data import features, write_prepared

from bertbuild.backends import locked

pytestmark = pytest.mark.integration

OLD = ("--openvino", "2024.6")


@pytest.fixture(scope="module")
def built(bertbuild, tiny, tiny_built):
    """The tiny checkpoint's IR by 2024.6; that by 2026.4 is there."""
    assert tiny_built.code == 0
    return bertbuild.ok("build-ir", "--checkpoint", tiny, *OLD)


@pytest.fixture(scope="module")
def prepared(session_folder):
    examples = features(64)
    return write_prepared(session_folder / "prepared-2024", examples, examples, np.zeros(64, int))


@pytest.fixture(scope="module")
def quantized(bertbuild, tiny, tiny_built, prepared):
    """Its int8 IRs by both versions, for any processor."""
    assert tiny_built.code == 0
    calibrated = ("--precision", "int8", "--calibration", prepared, "--calibration-size", 16)
    return {
        name: bertbuild.ok("build-ir", "--checkpoint", tiny, "--name", "in8", *calibrated, *flags).verdict(name)
        for name, flags in {"ir-int8": (), "ir-openvino2024.6-int8": OLD}.items()
    }


def packages(bertbuild, model, target, step):
    folder = bertbuild.result(model, target, step)
    return json.loads((folder / "stage.json").read_text())["packages"]


def test_it_is_made_and_asked_by_that_version_and_answers_as_its_source(bertbuild, built):
    assert built.verdict("ir-openvino2024.6-fp32")["passed"]
    old, usual = locked("openvino@2024.6"), locked("openvino")
    for step in ("ir-openvino2024.6-fp32", "ir-openvino2024.6-fp32-infer"):
        assert packages(bertbuild, "tiny", "ir-openvino2024.6-fp32", step)["openvino"].startswith(old["openvino"])
    assert packages(bertbuild, "tiny", "ir-fp32", "ir-fp32")["openvino"].startswith(usual["openvino"])


def test_both_versions_answer_alike(bertbuild, built):
    assert built.code == 0
    old, new = (bertbuild.answers("tiny", target) for target in ("ir-openvino2024.6-fp32", "ir-fp32"))
    names = [name for name in new if not name.startswith("default/")]
    assert max(float(np.abs(old[name] - new[name]).max()) for name in names) <= 1e-5


def test_what_a_version_made_is_asked_by_it_again(bertbuild, built):
    """The record says the version: status and verify know no more than the name of the target."""
    assert built.code == 0
    again = bertbuild.ok("verify", "tiny/ir-openvino2024.6-fp32")
    assert again.code == 0
    steps = {step["id"]: step for step in bertbuild.record("tiny", "ir-openvino2024.6-fp32")["steps"]}
    assert steps["ir-openvino2024.6-fp32-infer"]["backend"] == "openvino@2024.6"


@pytest.mark.whole
def test_int8_is_made_by_each_version_and_is_as_small(bertbuild, quantized):
    """NNCF 3.4 stores a float table beside its int8 form where the graph reads its shape."""
    assert all(verdict["passed"] for verdict in quantized.values())
    assert packages(bertbuild, "in8", "ir-int8", "ir-int8")["nncf"] == locked("openvino")["nncf"]
    made = {name: bertbuild.out("in8", name) for name in quantized}
    facts = {name: json.loads((folder / "stage.json").read_text())["facts"] for name, folder in made.items()}
    assert facts["ir-int8"]["quantized"] == facts["ir-openvino2024.6-int8"]["quantized"]
    assert facts["ir-int8"]["left_in_float32"] == facts["ir-openvino2024.6-int8"]["left_in_float32"]
    sizes = {name: (folder / "model.bin").stat().st_size for name, folder in made.items()}
    assert sizes["ir-int8"] <= 1.02 * sizes["ir-openvino2024.6-int8"]


@pytest.mark.whole
def test_a_bound_on_the_accuracy_holds_in_that_version(bertbuild, tiny, prepared):
    options = ("--output", "probabilities", "--precision", "int8", "--calibration", prepared, "--max-drop", "0")
    bertbuild.ok("build-ir", "--checkpoint", tiny, *OLD, *options, "--calibration-size", 16)
    facts = json.loads((bertbuild.out("tiny", "ir-openvino2024.6-probabilities-drop0-int8") / "stage.json").read_text())
    accuracy = facts["facts"]["accuracy"]
    assert accuracy["int8"] >= accuracy["fp32"]
