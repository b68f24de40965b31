"""package and predict: a trained classifier answers text alike by every kind of target, and by its packages.

CI runs the program of a plain package with the backends' own OpenVINO and tokenizers; `invoke test --whole` takes each
package into an environment of the packages that it pins, and each layout to its server's own definitions.
"""

from __future__ import annotations

import csv
import functools
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from http import HTTPStatus
from http.client import HTTPConnection

import numpy as np
import pytest
from backends import SCRIPTS, python
from matrix import WHOLE, cells
from program import arrays

from bertbuild.isolation.fetching import find_uv
from bertbuild.packaging.licences import PACKAGES

TEXT = "w41 w2 w55 w9"
MODEL = "tuned-classifier"
KINDS = {
    "ir-fp32": ("build-ir",),
    "frozen": ("freeze",),
    "onnx-fp32": ("convert-onnx",),
    "saved-model": ("export",),
    "tf2-keras-bert": ("convert-tf2", "--format", "keras-bert"),
    "tf2-savedmodel": ("convert-tf2", "--format", "savedmodel"),
    "ir-int8": ("build-ir", "--precision", "int8"),
    "onnx-int8": ("convert-onnx", "--precision", "int8"),
    "ir-text-fp32": ("build-ir", "--text"),
}
"""Target → the command that makes it."""
INT8 = 0.05
"""How far int8 may be from the others; the gate allows more."""
FRESH = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "CI": "true"}
"""An environment without a variable of ours; with CI, OpenVINO sends no usage data."""


@pytest.fixture(scope="module")
def built(bertbuild, tuned_heads):
    """Have targets of the trained classifier; gives the program."""
    tuned = tuned_heads["classifier"]

    def have(*targets):
        for target in targets:
            more = ("--calibration", tuned.prepared) if "int8" in target else ()
            bertbuild.ok(*KINDS[target], "--checkpoint", tuned.folder, "--name", MODEL, *more)
        return bertbuild

    return have


def answer(program, target, text=TEXT):
    """What predict says of a text."""
    (found,) = program.ok("predict", "--target", f"{MODEL}/{target}", "--text", text).last["answers"]
    return found


def test_every_kind_of_target_answers_a_text_alike(built):
    kinds = cells(tuple(KINDS), "ir-fp32", "frozen", "onnx-fp32")
    program = built(*kinds)
    found = {target: answer(program, target) for target in kinds}
    first = found["ir-fp32"]
    assert first["probability"] > 0.6
    for target, told in found.items():
        assert told["label"] == first["label"], target
        allowed = INT8 if "int8" in target else 1e-5
        assert told["probabilities"] == pytest.approx(first["probabilities"], abs=allowed), target


def test_predict_answers_a_dev_set_from_its_text_as_evaluate_does_from_its_records(built, tuned_heads):
    program, tuned = built("ir-fp32"), tuned_heads["classifier"]
    words = ("--checkpoint", tuned.folder, "--name", MODEL, "--prepared", tuned.prepared, "--target", "ir-fp32")
    (evaluation,) = program.ok("evaluate", *words).of("evaluation")
    (row,) = [row for row in evaluation["targets"] if row["target"] == "ir-fp32"]
    asked = arrays(program.artifacts / "objects" / "openvino-infer" / row["keys"]["answers"] / "answers.npz")
    dev = tuned.files / "dev.csv"
    told = program.ok("predict", "--target", f"{MODEL}/ir-fp32", "--file", dev).last["answers"]
    assert [one["text"] for one in told] == [line["text"] for line in csv.DictReader(dev.read_text().splitlines())]
    shares = np.array([list(one["probabilities"].values()) for one in told])
    assert (shares.argmax(1) == asked["probabilities"].argmax(1)).all()
    np.testing.assert_allclose(shares, asked["probabilities"], atol=1e-6)


@pytest.fixture(scope="module")
def packed(built, tuned_heads, tmp_path_factory):
    """Pack a target; gives the folder that its archive holds, in a place of its own, and what the command said."""
    folder = tmp_path_factory.mktemp("packages")
    texts = tuned_heads["classifier"].files / "test.csv"

    @functools.cache
    def pack(target, layout):
        program = built(target)
        examples = ("--examples", texts) if layout == "tensorflow-serving" else ()
        words = (f"{MODEL}/{target}", "--format", layout, "--to", folder / f"{target} {layout}", "--archive", *examples)
        made = program.ok("package", *words).last
        place = folder / f"fresh {target} {layout}"
        with tarfile.open(made["archive"]) as tar:
            tar.extractall(place, filter="data")
        (inside,) = place.iterdir()
        return inside, made

    return pack


def said(words, folder):
    """What a program prints, in the environment of a package's user."""
    done = subprocess.run(words, cwd=folder, env=FRESH, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


PLAIN = {"ir-fp32": "openvino", "onnx-fp32": "onnx", "onnx-int8": "onnx"}
"""Target → the backend that has what runs it."""


@pytest.mark.parametrize("target", cells(tuple(PLAIN), "ir-fp32", "onnx-fp32"))
def test_a_plain_package_answers_as_predict_does(built, packed, target):
    folder, made = packed(target, "plain")
    assert {path.name for path in folder.iterdir()} == set(made["files"])
    assert not any(path.is_symlink() for path in folder.iterdir())
    # The backends' own runtime, and tokenizers behind it.
    tokenizers = next((python("data").parents[1] / "lib").glob("python3*")) / "site-packages"
    script = f"import runpy, sys; sys.path.append({str(tokenizers)!r}); runpy.run_path('predict.py')"
    told = answer(built(target), target)
    assert said([python(PLAIN[target]), "-c", script, TEXT], folder) == f"{told['label']} {told['probability']:.4f}\n"
    card = (folder / "README.md").read_text()
    assert "- trained by `finetune`" in card
    assert "own-mood: 24 examples of the dev set" in card or not WHOLE or target != "ir-fp32"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Make a virtual environment of packages alone; gives its Python."""

    def make(*packages):
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([find_uv(), "venv", "--quiet", "--python", python("openvino"), folder], check=True, timeout=300)
        words = [find_uv(), "pip", "install", "--quiet", "--python", folder, *packages]
        subprocess.run(words, check=True, timeout=600)
        return folder / "bin" / "python"

    return make


RUN_ALONE = [("ir-fp32", "tokenizers"), ("ir-text-fp32", "openvino-tokenizers"), ("onnx-int8", "tokenizers")]


@pytest.mark.whole
@pytest.mark.parametrize(("target", "reader"), RUN_ALONE)
def test_a_plain_package_runs_where_only_what_it_pins_is_installed(built, packed, environment, target, reader):
    folder, _ = packed(target, "plain")
    assert f"\n{reader}==" in (folder / "requirements.txt").read_text()
    own = environment("--no-deps", "--requirements", folder / "requirements.txt")
    told = answer(built(target), target)
    assert said([own, "predict.py", TEXT], folder) == f"{told['label']} {told['probability']:.4f}\n"
    installed = json.loads(said([own, SCRIPTS / "package_licences.py"], folder))
    pinned = [line.partition("==")[0] for line in (folder / "requirements.txt").read_text().splitlines()]
    assert sorted(installed) == [name.replace("-", "_") for name in pinned]
    asked = said([own, SCRIPTS / "package_needs.py"], folder).split()
    assert {*asked} - {*pinned} <= {"huggingface-hub"}
    for one in json.loads((folder / "licences.json").read_text()):
        if one["part"] == "package":
            assert PACKAGES[one["name"]].split("-")[0].lower() in installed[one["name"].replace("-", "_")].lower(), one


@pytest.mark.whole
@pytest.mark.parametrize("target", ["ir-fp32", "onnx-fp32", "onnx-int8"])
def test_tritons_own_definition_reads_the_config(packed, environment, target):
    folder, _ = packed(target, "triton")
    own = environment("tritonclient[grpc]==2.73.0")
    (config,) = folder.glob("model_repository/*/config.pbtxt")
    told = json.loads(said([own, SCRIPTS / "triton_config.py", config], folder))
    assert told["name"] == config.parent.name == MODEL
    assert told["backend"] == ("openvino" if target == "ir-fp32" else "onnxruntime")
    assert {port["name"] for port in told["input"]} == {"input_ids", "input_mask", "segment_ids"}
    assert {port["dataType"] for port in told["input"]} == {"TYPE_INT32"}
    assert told["output"][0]["dims"] == ["-1", "2"]
    assert (config.parent / told["output"][0]["labelFilename"]).read_text() == "no\nyes\n"


@pytest.mark.whole
def test_triton_itself_serves_the_repository(packed, environment, tmp_path):
    """The server of the package nvidia-pytriton, which has no backend for OpenVINO: a stand-in runs the model."""
    folder, _ = packed("ir-fp32", "triton")
    (config,) = folder.glob("model_repository/*/config.pbtxt")
    wheel, backends = tmp_path / "wheel", tmp_path / "backends"
    words = ("install", "--quiet", "--no-deps", "--target", wheel, "nvidia-pytriton==0.7.0")
    subprocess.run([find_uv(), "pip", *words], check=True, timeout=300)
    own = wheel / "pytriton" / "tritonserver"
    shutil.copytree(own / "backends" / "python", backends / "python")
    shutil.copy(own / "python_backend_stubs" / "3.11" / "triton_python_backend_stub", backends / "python")
    (backends / "openvino").mkdir()
    shutil.copy(SCRIPTS / "triton_stand_in_backend.py", backends / "openvino" / "model.py")
    packages = environment("numpy==1.26.4", "openvino==2026.4.1").parents[1] / "lib" / "python3.11" / "site-packages"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = {"model-repository": config.parents[1], "backend-directory": backends, "http-port": port}
    flags |= {"http-address": "127.0.0.1", "allow-grpc": "false", "allow-metrics": "false"}
    for program in (own / "bin" / "tritonserver", backends / "python" / "triton_python_backend_stub"):
        program.chmod(0o755)
    server = subprocess.Popen(
        [own / "bin" / "tritonserver", *(f"--{name}={value}" for name, value in flags.items())],
        env={**FRESH, "LD_LIBRARY_PATH": str(wheel / "nvidia_pytriton.libs"), "PACKAGES": str(packages)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    rows = [("input_ids", [2, 41, 2, 55, 3]), ("input_mask", [1] * 5), ("segment_ids", [0] * 5)]
    asked = {"inputs": [{"name": name, "shape": [1, 5], "datatype": "INT32", "data": row} for name, row in rows]}
    asked["outputs"] = [{"name": "probabilities", "parameters": {"classification": 2}}]
    try:
        told = served(port, asked, server)
    finally:
        server.terminate()
        server.wait(60)
    (output,) = told["outputs"]
    assert sorted(one.split(":")[2] for one in output["data"]) == ["no", "yes"]
    assert sum(float(one.split(":")[0]) for one in output["data"]) == pytest.approx(1, abs=1e-5)


def served(port, asked, server):
    """What a server on this machine answers once it is ready, within four minutes: a busy machine took over one."""
    path = f"/v2/models/{MODEL}"
    for _ in range(240):
        assert server.poll() is None
        try:
            if http(port, "GET", f"{path}/ready")[0] == HTTPStatus.OK:
                break
        except OSError:
            pass
        time.sleep(1)
    status, told = http(port, "POST", f"{path}/infer", json.dumps(asked))
    assert status == HTTPStatus.OK, told
    return json.loads(told)


def http(port, method, path, body=None):
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.whole
@pytest.mark.parametrize("target", ["saved-model", "tf2-savedmodel"])
def test_tensorflow_servings_own_definition_reads_the_requests_and_the_model_answers_them(
    built, packed, target, tmp_path, tuned_heads
):
    folder, _ = packed(target, "tensorflow-serving")
    words = ("install", "--quiet", "--no-deps", "--target", tmp_path, "tensorflow-serving-api==2.20.0")
    subprocess.run([find_uv(), "pip", *words], check=True, timeout=300)
    script = [python("tf2"), SCRIPTS / "warm_up.py", folder / "model" / "1", tmp_path]
    told = json.loads(said(script, folder).splitlines()[-1])
    texts = [
        line["text"] for line in csv.DictReader((tuned_heads["classifier"].files / "test.csv").read_text().splitlines())
    ]
    assert len(told) == len(texts)
    assert {one["model"] for one in told} == {MODEL}
    for text, one in list(zip(texts, told, strict=True))[:2]:
        shares = list(answer(built(target), target, text)["probabilities"].values())
        assert one["probabilities"][0] == pytest.approx(shares, abs=1e-5)


@pytest.mark.whole
def test_the_model_server_layout_is_read_by_openvino(packed, tmp_path):
    folder, _ = packed("ir-fp32", "openvino-model-server")
    (entry,) = json.loads((folder / "config.json").read_text())["model_config_list"]
    model = folder / entry["config"]["base_path"] / "1" / "model.xml"
    compiled = f"openvino.Core().compile_model({str(model)!r}, 'CPU', {entry['config']['plugin_config']})"
    script = f"import openvino; print(len({compiled}.inputs))"
    assert said([python("openvino"), "-c", script], tmp_path) == "3\n"


def test_a_target_that_is_stale_is_not_packed(built, tmp_path):
    program = built("ir-fp32")
    record = program.artifacts / "targets" / MODEL / "ir-fp32.json"
    sound = record.read_text()
    try:
        record.write_text(sound.replace('"precision": "fp32"', '"precision": "fp16"', 1))
        error = program.refused("package", f"{MODEL}/ir-fp32", "--to", tmp_path / "p", code=2)
    finally:
        record.write_text(sound)
    assert "is stale" in error["message"]
    assert not (tmp_path / "p").exists()
