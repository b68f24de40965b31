"""The stand-ins for AWS's Neuron packages in a real TensorFlow 1.15."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from backends import python
from program import ROOT

from bertbuild.isolation.fetching import find_uv

STAND_IN = ROOT / "tests" / "stand_in_neuron"
sys.path.insert(0, str(STAND_IN))

from wheels import build_wheels  # noqa: E402

EXACT = 1e-6


@pytest.fixture(scope="session")
def neuron_python(bertbuild, session_folder):
    """The Python of a copy of the tf1 environment, hard links all of it, that has the stand-ins."""
    assert bertbuild.artifacts.is_dir()
    source, copy = python("tf1").parents[1], session_folder / "neuron-environment"
    same_disk = source.stat().st_dev == session_folder.stat().st_dev
    subprocess.run(["cp", "-al" if same_disk else "-a", str(source), str(copy)], check=True)
    wheels = map(str, build_wheels(session_folder / "neuron-wheels"))
    words = ["pip", "install", "-q", "--offline", "--no-cache", "--no-deps", "--python", str(copy / "bin" / "python")]
    subprocess.run([str(find_uv()), *words, *wheels], check=True)
    return copy / "bin" / "python"


def end_group(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@pytest.fixture
def check(neuron_python, tmp_path):
    """A function that runs a program of checks/ and reads its answer; what it started is ended with it."""

    def run(name, *words):
        process = subprocess.Popen(
            [str(neuron_python), str(STAND_IN / "checks" / f"{name}.py"), *words, str(tmp_path)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process, contextlib.ExitStack() as stack:
            stack.callback(end_group, process.pid)
            answer = process.stdout.readline()
            assert answer, process.stderr.read()[-4000:]
            return json.loads(answer)

    return run


def test_a_fused_function_is_a_neuron_op_that_is_compiled_when_a_session_runs(check):
    found = check("fuse_check", "compiled")
    assert found["names"] == ["bert/encoder/NeuronOp", "bert/encoder_1/NeuronOp"]
    assert found["before"] == ["", ""]
    assert [neff["fp32_cast"] for neff in found["executables"]] == ["matmult", "matmult"]
    assert found["executables"][0]["io_config"] == {
        "inputs": {"fixed_rows:0": [[4, 3, 300], "float32"], "fixed_mask:0": [[4, 3, 1], "float32"]},
        "outputs": ["bert/encoder/Sum:0", "bert/encoder/Tanh:0"],
    }
    assert found["model_config"] == [2, 2, 2, 10]
    assert found["input_names"] == ["fixed_rows:0", "fixed_mask:0"]
    assert max(found["graph_def_bytes"]) < 4096, "large constants are to be kept out of graph_def"
    assert found["logs"] == 2
    assert found["error"] < EXACT


def test_a_neuron_op_keeps_to_the_batch_it_was_compiled_for_until_its_attributes_free_it(check):
    found = check("fuse_check", "compiled")
    kind, said = found["fixed_batch"]
    assert kind == "InvalidArgumentError"
    # Both inputs are of another batch, and are checked at the same time.
    assert re.search(r"Shape of tensor fixed_\w+ \[2,3,\d+\] is not compatible with expected shape \[4,3,", said)
    assert found["compiled_batch"] is None
    assert set(found["errors"]) == {"1", "2", "7"}
    assert max(found["errors"].values()) < EXACT
    assert "its executable is empty" in found["uncompiled"][1]


def test_a_saved_neuron_op_answers_in_another_process(check, tmp_path):
    check("fuse_check", "compiled")
    tmp_path.joinpath("saved").rename(tmp_path / "moved")
    found = check("fuse_check", "loaded")
    assert max(*found["loaded"].values(), found["predictor"]) < EXACT


def test_failures_of_the_compiler_are_met_as_by_the_real_package(check):
    found = check("fuse_check", "misbehaving")
    assert [found[act]["said"][0] for act in ("fail", "killed", "hang")] == [
        "CalledProcessError",
        "CalledProcessError",
        "TimeoutExpired",
    ]
    assert "its executable is empty" in found["empty"]["said"][1]
    assert found["at once"][0] == "CalledProcessError"
    assert found["hang"]["seconds"] < 10
    assert found["slow"]["said"] is None
    assert min(found["slow"]["executables"]) > 0
    assert [found[act]["executables"] for act in ("fail", "killed", "empty", "hang")] == [[0, 0]] * 4


def test_a_saved_model_is_compiled_in_part(check):
    found = check("compile_check")
    demo = found["demo"]
    (neff,) = demo["executables"]
    assert neff["fp32_cast"] == "all"
    assert sorted(neff["io_config"]["inputs"]) == [
        "bert/embeddings/LayerNorm/batchnorm/add_1/_0:0",
        "bert/encoder/Cast/_0:0",
        "bert/encoder/ones/_0:0",
    ]
    assert neff["io_config"]["outputs"] == ["bert/pooler/dense/Tanh:0"]
    assert demo["on_cpu"] == ["bert/embeddings/MatMul", "dense/MatMul"]
    assert demo["shapes"] == {
        **{name: [4, 16] for name in ("input_ids", "input_mask", "segment_ids")},
        **{name: [4] for name in ("label_ids", "is_real_example")},
        "pooled": [4, 32],
        "probabilities": [4, 2],
    }
    assert 0.7 < demo["ratio"] < found["free"]["ratio"] < 1
    assert found["free"]["on_cpu"] == []
    assert 0 < found["few"]["ratio"] < 0.05
    for name in ("fail", "late", "missing"):
        assert (found[name]["ratio"], found[name]["nodes"]) == (0, []), name
    assert found["dynamic"]["shapes"]["input_ids"] == [-1, 16]
    assert set(found["dynamic"]["errors"]) == {"1", "4", "7"}
    for name in ("demo", "free", "dynamic", "few", "fail", "late", "missing"):
        assert max(found[name]["errors"].values()) < EXACT * 10, name
    assert found["other_batch"] == "ValueError"
    assert found["unknown"] == "TypeError"
    assert found["again"] == "AssertionError"
    assert found["no_recovery"] == "ValueError"
