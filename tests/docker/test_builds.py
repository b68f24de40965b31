"""build-ir in containers and in virtual environments: the same files, the same answers, nothing left behind."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bertbuild.project import ROOT

pytestmark = pytest.mark.docker

JUDGED = ("--reference", "1.15")
"""MiniLM is a Hugging Face folder; this asks its import in TensorFlow 1, whose image other tests need too."""
PUBLISHED = ("import", "ir-direct", "tf1-infer", "openvino-infer")


class Built:
    """One build of MiniLM in a store of its own."""

    def __init__(self, artifacts, isolation):
        self.artifacts = artifacts
        self.isolation = isolation

    def __call__(self, *words):
        command = [sys.executable, "-m", "bertbuild", *words, "--isolation", self.isolation, "--json"]
        environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(self.artifacts)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def manifest(self, stage):
        (path,) = (self.artifacts / "objects" / stage).glob("*/manifest.json")
        return json.loads(path.read_text())

    def answers(self, stage):
        (path,) = (self.artifacts / "objects" / stage).glob("*/answers.npz")
        with np.load(path) as file:
            return dict(file)


@pytest.fixture(scope="module")
def builds(request, tmp_path_factory):
    """MiniLM built with both isolations; the model's files are fetched once."""
    request.getfixturevalue("isolation")
    made = {}
    for name in ("docker", "venv"):
        made[name] = Built(tmp_path_factory.mktemp(name) / "artifacts", name)
        if name == "venv":
            made[name].artifacts.mkdir()
            (made[name].artifacts / "downloads").symlink_to(made["docker"].artifacts / "downloads")
        code, events = made[name]("build-ir", "--model", "minilm-l6", *JUDGED)
        assert code == 0, events[-1]
    return made


def test_both_isolations_make_the_same_bytes(builds):
    docker, venv = builds["docker"].manifest, builds["venv"].manifest
    assert docker("import")["digest"] == venv("import")["digest"]
    # model.xml has the key in it, and the key the environment.
    assert docker("ir-direct")["files"]["model.bin"] == venv("ir-direct")["files"]["model.bin"]


def test_both_isolations_give_the_same_answers(builds):
    for stage in ("tf1-infer", "openvino-infer"):
        ours, theirs = builds["docker"].answers(stage), builds["venv"].answers(stage)
        assert ours.keys() == theirs.keys()
        assert max(np.abs(ours[name] - theirs[name]).max() for name in ours) <= 1e-6


def test_the_key_of_a_stage_in_a_container_has_the_image(builds):
    for stage in PUBLISHED:
        assert builds["docker"].manifest(stage)["components"]["environment"]["base"].startswith("sha256:")
        assert "lock" in builds["venv"].manifest(stage)["components"]["environment"]


def test_a_second_build_runs_nothing(builds):
    code, events = builds["docker"]("build-ir", "--model", "minilm-l6")
    assert code == 0
    assert {event["state"] for event in events if event["event"] == "stage"} == {"cached"}


def test_verify_repeats_the_gate_in_containers(builds):
    code, events = builds["docker"]("verify")
    assert code == 0
    (verdict,) = (event for event in events if event["event"] == "verdict")
    assert verdict["passed"]
    assert len(verdict["rows"]) == 6  # four probes, and each row of the two batches alone


def test_results_belong_to_the_caller_and_no_container_is_left(builds):
    files = [path for path in builds["docker"].artifacts.rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in files} == {os.getuid()}
    left = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter", "name=bertbuild-"], capture_output=True, text=True, check=True
    )
    assert left.stdout == ""


def test_a_stage_beyond_its_memory_limit_ends_with_its_own_exit_code(builds, monkeypatch):
    monkeypatch.setenv("BERTBUILD_MEMORY", "120m")
    code, events = builds["docker"]("build-ir", "--model", "minilm-l6", "--output", "sequence", *JUDGED)
    assert code == 14
    assert "120" in events[-1]["message"]
    assert "BERTBUILD_MEMORY" in events[-1]["next_step"]


@pytest.mark.whole
def test_models_that_take_strings_are_the_same_from_both_isolations(builds):
    """build-ir --text, whole: what is written reads the corpus as google-research/bert does, and passes the gate."""
    made = {}
    for name, build in builds.items():
        code, events = build("build-ir", "--model", "minilm-l6", "--text", *JUDGED)
        assert code == 0, events[-1]
        (verdict,) = (event for event in events if event["event"] == "verdict")
        assert (verdict["target"], verdict["passed"]) == ("ir-text-fp32", True)
        made[name] = build.manifest("text")["files"]
        assert build.manifest("tokenizer")["files"]["text_gate.json"]
    for file in ("model.bin", "text_model.bin", "text_pair_model.bin", "tokenizer.bin", "text_gate.json"):
        assert made["docker"][file]["sha256"] == made["venv"][file]["sha256"], file
    found = json.loads((builds["docker"].artifacts / "out/minilm-l6/ir-text-fp32/text_gate.json").read_text())
    assert found["texts"] >= 5000
    assert found["differences"] == {}
