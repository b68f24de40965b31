"""The stand-ins for AWS's Neuron packages: their wheels, the index that serves them, the program neuron-cc."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bertbuild.isolation.fetching import find_uv

STAND_IN = Path(__file__).resolve().parents[1] / "stand_in_neuron"
sys.path.insert(0, str(STAND_IN))

from index import PackageIndex  # noqa: E402
from wheels import build_wheels, stubs  # noqa: E402

IO_CONFIG = {"inputs": {"x:0": [[4, 8], "float32"]}, "outputs": ["y:0"]}


def field(number, content):
    """A length-delimited field of a protobuf message, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def graph_of(*nodes):
    """A GraphDef of (name, operator)."""
    return b"".join(field(1, field(1, name.encode()) + field(2, op.encode())) for name, op in nodes)


def install(folder, *words):
    done = subprocess.run(
        [str(find_uv()), "pip", "install", "--no-cache", "--no-deps", "--target", str(folder), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    build_wheels(folder)
    return folder


@pytest.fixture(scope="module")
def installed(wheel_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    install(folder, *wheel_folder.iterdir())
    return folder


@pytest.fixture
def neuron_cc(installed, tmp_path):
    """A function that runs the program in a folder of its own, on a graph of its own."""

    def run(*words, nodes=(("x", "Placeholder"), ("y", "MatMul")), config=IO_CONFIG):
        tmp_path.joinpath("graph_def.pb").write_bytes(graph_of(*nodes))
        if words[:1] == ("compile",):
            words = (
                "compile",
                "graph_def.pb",
                "--framework",
                "TENSORFLOW",
                "--io-config",
                json.dumps(config),
                *words[1:],
            )
            words += ("--output", "graph_def.neff")
        return subprocess.run(
            [sys.executable, str(installed / "bin" / "neuron-cc"), *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_wheels_are_the_same_every_time_and_say_what_they_are(wheel_folder, installed, tmp_path):
    assert sorted(path.read_bytes() for path in build_wheels(tmp_path)) == sorted(
        path.read_bytes() for path in wheel_folder.iterdir()
    )
    for package in ("tensorflow_neuron-1.15.5.2.8.9.0+stand.in", "neuron_cc-1.13.5.0+stand.in"):
        metadata = (installed / f"{package}.dist-info" / "METADATA").read_text()
        assert "Summary: A STAND-IN for AWS's" in metadata
    assert (
        "Requires-Dist: tensorflow==1.15.5\n"
        in (installed / "tensorflow_neuron-1.15.5.2.8.9.0+stand.in.dist-info" / "METADATA").read_text()
    )
    for package in ("tensorflow", "tensorflow_core"):
        assert "tensorflow_neuron" in (installed / package / "neuron" / "__init__.py").read_text()


def test_an_index_serves_them_under_the_versions_of_the_real_ones(wheel_folder, tmp_path):
    stubs(wheel_folder)
    with PackageIndex(wheel_folder) as index:
        install(tmp_path, "--index-url", index.url, "neuron-cc==1.13.5.0", "tensorflow-neuron==1.15.5.2.8.9.0")
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            urllib.request.urlopen(f"{index.url}numpy/")  # noqa: S310 - our own server
        missing.value.close()
        with urllib.request.urlopen(index.url) as page:  # noqa: S310 - the same
            assert page.read().count(b"<a ") == 2
    assert {"/simple/neuron-cc/", "/simple/tensorflow-neuron/", "/simple/numpy/"} <= set(index.asked)
    assert (tmp_path / "tensorflow_neuron" / "fuse.py").exists()


@pytest.mark.parametrize("module", ["tensorflow_neuron", "neuron_cc"])
def test_the_stubs_can_be_installed_but_not_imported(module, tmp_path):
    install(tmp_path / "target", *stubs(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "target")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ImportError: WRONG PACKAGE" in done.stderr


def test_neuron_cc_tells_its_version_and_that_it_is_a_stand_in(neuron_cc):
    assert neuron_cc("--version").stdout == "neuron-cc 1.13.5.0+stand.in (a stand-in)\n"
    assert "A STAND-IN" in neuron_cc("--help").stdout


def test_neuron_cc_lists_operators_one_a_line(neuron_cc):
    operators = neuron_cc("list-operators", "--framework", "TENSORFLOW").stdout.split("\n")
    assert {"MatMul", "Erf", "SquaredDifference", "Softmax", "AddV2"} <= set(operators)
    assert not {"GatherV2", "OneHot", "AddN", "Log"} & set(operators)
    assert operators[-1] == ""


def test_neuron_cc_writes_what_it_was_asked_for(neuron_cc, tmp_path):
    done = neuron_cc("compile", "--fp32-cast", "matmult", "--neuroncore-pipeline-cores", "4", "--topdown")
    assert done.returncode == 0, done.stderr
    neff = json.loads((tmp_path / "graph_def.neff").read_text())
    assert neff.pop("stand-in").endswith("runs on no device")
    assert neff == {
        "fp32_cast": "matmult",
        "neuroncore_pipeline_cores": 4,
        "io_config": IO_CONFIG,
        "operators": 1,
        "other": ["--topdown"],
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes": [("x", "Placeholder"), ("y", "GatherV2"), ("z", "AddN")]}, "unsupported operators: AddN, GatherV2"),
        ({"config": {**IO_CONFIG, "outputs": ["z:0"]}}, "names z:0, which the graph does not have"),
        ({"config": {**IO_CONFIG, "inputs": {"w:0": [[1], "float32"]}}}, "names w:0, which the graph does not have"),
        ({"config": {**IO_CONFIG, "inputs": {"x:0": [[None, 8], "float32"]}}}, "shape of x:0 is not static: [null, 8]"),
        ({"config": {"inputs": {"y:0": [[1], "float32"]}, "outputs": ["y:0"]}}, "leaves out the placeholders x"),
        ({"config": {"inputs": {}}}, "--io-config cannot be read"),
        ({"nodes": [("x", "")]}, "a node has no name or no operator"),
    ],
)
def test_neuron_cc_refuses_what_cannot_be_compiled(neuron_cc, tmp_path, changes, said):
    done = neuron_cc("compile", **changes)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "graph_def.neff").exists()


@pytest.mark.parametrize("words", [("--fp32-cast", "half"), ("--neuroncore-pipeline-cores", "0"), ("--stand-in", "x")])
def test_neuron_cc_refuses_values_it_does_not_know(neuron_cc, words):
    done = neuron_cc("compile", *words)
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def test_neuron_cc_misbehaves_as_told(neuron_cc, tmp_path):
    neff = tmp_path / "graph_def.neff"
    failed = neuron_cc("compile", "--stand-in", "fail")
    assert (failed.returncode, neff.exists()) == (1, False)
    assert "ERROR: told to fail" in failed.stderr
    assert (neuron_cc("compile", "--stand-in", "killed").returncode, neff.exists()) == (-signal.SIGKILL, False)
    assert (neuron_cc("compile", "--stand-in", "empty").returncode, neff.read_bytes()) == (0, b"")
    assert neuron_cc("compile", "--stand-in", "few").returncode == 0
    started = time.monotonic()
    assert neuron_cc("compile", "--stand-in", "slow").returncode == 0
    assert time.monotonic() - started > 3
    assert neff.stat().st_size


def test_a_hanging_neuron_cc_leaves_a_child_behind(installed):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "neuron_cc.main",
            "compile",
            "x",
            "--stand-in",
            "hang",
            "--framework",
            "TENSORFLOW",
            "--io-config",
            "{}",
        ],
        env={**os.environ, "PYTHONPATH": str(installed)},
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        until = time.monotonic() + 10
        while not children.read_text() and time.monotonic() < until:
            time.sleep(0.02)
        (child,) = map(int, children.read_text().split())
        process.kill()
        process.wait()
        os.kill(child, 0)  # it is alive
    finally:
        os.killpg(process.pid, signal.SIGKILL)
