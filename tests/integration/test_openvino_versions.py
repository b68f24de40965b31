"""OpenVINO 2026.4 beside 2024.6: IRs are converted, quantized and asked by the version that is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from calibration_data import features, write_prepared

from bertbuild.backends import locked

pytestmark = pytest.mark.integration

NEW = ("--openvino", "2026.4")


@pytest.fixture(scope="module")
def built(bertbuild, tiny, tiny_built, session_folder):
    """The tiny checkpoint's IR by 2026.4, in fp32 and int8; that by 2024.6 is there."""
    assert tiny_built.code == 0
    examples = features(64)
    prepared = write_prepared(session_folder / "prepared-2026", examples, examples, np.zeros(64, int))
    calibrated = ("--calibration", prepared, "--calibration-size", 16)
    return bertbuild.ok("build-ir", "--checkpoint", tiny, *NEW, "--precision", "fp32,int8", *calibrated)


def packages(bertbuild, target, step):
    folder = bertbuild.result("tiny", target, step)
    return json.loads((folder / "stage.json").read_text())["packages"]


def test_it_is_made_and_asked_by_that_version_and_answers_as_its_source(bertbuild, built):
    assert built.verdict("ir-openvino2026.4-fp32")["passed"]
    assert built.verdict("ir-openvino2026.4-int8")["passed"]
    new, usual = locked("openvino@2026.4"), locked("openvino")
    for step in ("ir-openvino2026.4-int8", "ir-openvino2026.4-int8-infer"):
        assert packages(bertbuild, "ir-openvino2026.4-int8", step)["openvino"].startswith(new["openvino"])
    assert packages(bertbuild, "ir-openvino2026.4-int8", "ir-openvino2026.4-int8")["nncf"] == new["nncf"]
    assert packages(bertbuild, "ir-fp32", "ir-fp32")["openvino"].startswith(usual["openvino"])


def test_both_versions_answer_alike(bertbuild, built):
    assert built.code == 0
    old, new = (bertbuild.answers("tiny", target) for target in ("ir-fp32", "ir-openvino2026.4-fp32"))
    names = [name for name in new if not name.startswith("default/")]
    assert max(float(np.abs(old[name] - new[name]).max()) for name in names) <= 1e-5


def test_what_a_version_made_is_asked_by_it_again(bertbuild, built):
    """The record says the version: status and verify know no more than the name of the target."""
    assert built.code == 0
    again = bertbuild.ok("verify", "tiny/ir-openvino2026.4-fp32")
    assert again.code == 0
    steps = {step["id"]: step for step in bertbuild.record("tiny", "ir-openvino2026.4-fp32")["steps"]}
    assert steps["ir-openvino2026.4-fp32-infer"]["backend"] == "openvino@2026.4"


def test_a_bound_on_the_accuracy_holds_in_that_version(bertbuild, tiny, session_folder):
    examples, labels = features(48), np.zeros(48, int)
    data = write_prepared(session_folder / "bounded-2026", examples, examples, labels)
    options = ("--output", "probabilities", "--precision", "int8", "--calibration", data, "--max-drop", "0")
    bertbuild.ok("build-ir", "--checkpoint", tiny, *NEW, *options, "--calibration-size", 16)
    facts = json.loads((bertbuild.out("tiny", "ir-openvino2026.4-probabilities-drop0-int8") / "stage.json").read_text())
    accuracy = facts["facts"]["accuracy"]
    assert accuracy["int8"] >= accuracy["fp32"]
