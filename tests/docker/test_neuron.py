"""The image for Neuron, built of its own Dockerfile with stand-ins for AWS's packages, and what runs in it.

They come from a package index on this machine, named as another one with AWS's would be, with a password in it.
"""

import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import containers
from matrix import WHOLE

from bertbuild.backends import lock_file
from bertbuild.isolation import docker_engine, images, mounts
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.project import ROOT

sys.path.append(str(ROOT / "tests" / "integration"))

from compiled_models import CompiledModel
from neuron_checkout import PackageIndex, build_wheels, checkout, stubs
from program import Bertbuild

pytestmark = pytest.mark.docker

TAG = "stand-in-test"
IMAGE = f"bertbuild/neuron:{TAG}"
BUDGET = 1600  # MB (10^6), base image and all
STAND_INS = {"tensorflow-neuron==1.15.5.2.8.9.0+stand.in", "neuron-cc==1.13.5.0+stand.in"}
FUSED, STANDARD = "neuron-float16-b4", "neuron-standard-b4"
FIRST_PORT, PORTS = 20000, 10000
EXACT = 1e-6
WORD = "of-nobody-0f3a"
VARIABLES = ("BERTBUILD_BASE_PYTHON37", "BERTBUILD_BASE_PYTHON311", "BERTBUILD_IMAGE_TAG", "BERTBUILD_NEURON_INDEX_URL")


def docker(*arguments):
    return subprocess.run(["docker", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def inside(script):
    return docker("run", "--rm", "--network=none", "--entrypoint=sh", IMAGE, "-c", script)


@pytest.fixture(scope="module")
def gateway(isolation):
    """This machine's address for containers."""
    assert isolation.name == "docker"
    config = json.loads(docker("network", "inspect", "bridge", "--format={{json (index .IPAM.Config 0)}}"))
    # An engine that has just been started for the first time tells the network and not the gateway, its first address.
    return config.get("Gateway") or str(ipaddress.ip_network(config["Subnet"])[1])


@pytest.fixture(scope="module")
def index(gateway, tmp_path_factory):
    """An index with the stand-ins, at one address for the same wheels, so that the engine has most of it already."""
    folder = tmp_path_factory.mktemp("wheels")
    port = FIRST_PORT + zlib.crc32(b"".join(path.read_bytes() for path in build_wheels(folder))) % PORTS
    with socket.socket() as probe:
        if probe.connect_ex((gateway, port)) == 0:  # somebody has it
            port = 0
    with PackageIndex(folder, gateway, port) as served:
        yield served.url_at(gateway).replace("://", f"://somebody:{WORD}@")


@pytest.fixture(scope="module")
def image(isolation, index):
    """The facts of the image, made under a tag of its own, which goes with the tests."""
    others = docker("image", "ls", "--quiet", "--filter=reference=bertbuild/tf1:local").split()
    assert isolation.is_ready("tf1")
    assert others
    with pytest.MonkeyPatch.context() as patch:
        docker("tag", images.image_name("tf1"), f"bertbuild/tf1:{TAG}")
        patch.setenv("BERTBUILD_IMAGE_TAG", TAG)
        patch.setenv("BERTBUILD_NEURON_INDEX_URL", index)
        try:
            ComposeIsolation().prepare("neuron", print)
            yield docker_engine.image(IMAGE)
        finally:
            docker("rmi", "--force", IMAGE, f"bertbuild/tf1:{TAG}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Two layers of 128 units, random, with a head."""
    folder = tmp_path_factory.mktemp("checkpoints") / "two_layers"
    script = ROOT / "bench" / "random_checkpoint.py"
    subprocess.run([sys.executable, script, "tiny", folder, "--labels", "2"], check=True)
    return folder


@pytest.fixture(scope="module")
def contained(image, tmp_path_factory):
    """The program with stages in containers, over a store of its own."""
    assert image is not None
    passed_on = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return Bertbuild(tmp_path_factory.mktemp("contained") / "artifacts").having(
        BERTBUILD_ISOLATION="docker", BERTBUILD_NEURON_DEVICE=tmp_path_factory.getbasetemp() / "no", **passed_on
    )


@pytest.fixture(scope="module")
def fused(contained, checkpoint):
    return contained.ok("neuron-compile", "--checkpoint", checkpoint)


@pytest.fixture(scope="module")
def standard(contained, checkpoint):
    return contained.ok("neuron-compile", "--checkpoint", checkpoint, "--standard")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = containers()
    yield
    assert containers() == before


def test_the_image_is_ready_and_says_what_it_is_made_of(image):
    assert ComposeIsolation().is_ready("neuron")
    assert ComposeIsolation().environment("neuron") == images.facts("neuron", image)
    labels = {name: value for name, value in image.labels.items() if name.startswith("org.bertbuild.")}
    assert labels["org.bertbuild.backend"] == "neuron"
    assert labels["org.bertbuild.lock"] == images.lock_digest("neuron")
    assert labels["org.bertbuild.source"] == images.source_digest("neuron")


def test_an_image_of_packages_from_elsewhere_is_stale(image, monkeypatch):
    assert image is not None
    monkeypatch.setenv("BERTBUILD_NEURON_INDEX_URL", "http://other.example/simple/")
    assert not ComposeIsolation().is_ready("neuron")


@pytest.mark.usefixtures("image")
def test_the_password_of_the_index_is_in_no_history_label_or_layer(index):
    assert WORD in index
    told = docker("history", "--no-trunc", IMAGE) + docker("image", "inspect", IMAGE)
    assert "org.bertbuild.source" in told
    assert WORD not in told
    search = ["grep", "--text", "--count", WORD]
    with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:  # layers and what describes them
        found = subprocess.run(search, stdin=saved.stdout, stdout=subprocess.PIPE, text=True, check=False)
    assert saved.returncode == 0
    assert found.stdout.strip() == "0"


@pytest.mark.usefixtures("image")
def test_it_is_within_its_budget():
    size = int(docker("image", "inspect", "--format={{.Size}}", IMAGE))
    assert size <= BUDGET * 10**6
    sys.stdout.write(f"{size / 10**6:.0f} MB")


@pytest.mark.usefixtures("image")
def test_its_packages_are_those_of_the_lock_and_the_two_of_the_index():
    listing = inside("ls -d /opt/venv/lib/python3*/site-packages/*.dist-info")
    found = {
        f"{name.lower().replace('_', '-')}=={version}"
        for name, version in re.findall(r"/([^/]+)-([^/-]+)\.dist-info$", listing, re.MULTILINE)
    }
    assert found == STAND_INS | set(re.findall(r"^(\S+==\S+)", lock_file("neuron").read_text(), re.MULTILINE))


@pytest.mark.usefixtures("image")
def test_where_its_packages_came_from_is_nowhere_in_it(index):
    address = index.split("/")[2]
    told = docker("history", "--no-trunc", IMAGE) + docker("image", "inspect", IMAGE) + inside("env")
    assert address not in told
    assert inside(f"ls -A /run/secrets /var/cache/pip ~root/.cache 2>/dev/null; grep -rlF {address} /opt; true") == ""


def test_in_a_container_a_stage_has_no_network_no_rights_and_one_folder(image, derived, monkeypatch, tmp_path):
    assert image is not None
    tag = derived("neuron", f"{TAG}-probe", ["COPY --chown=0:0 probe.py /opt/bertbuild/stages/probe.py"])
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", tag)
    (tmp_path / "data").mkdir()
    for name, device in (("neuron", False), ("neuron-device", True)):
        monkeypatch.setenv("BERTBUILD_NEURON_DEVICE", os.devnull)
        work = tmp_path / name
        (work / "out").mkdir(parents=True)
        run = StageRun(
            backend="neuron",
            stage="probe",
            inputs={"data": tmp_path / "data"},
            params={"act": "look"},
            work=work,
            log=tmp_path / f"{name}.log",
            device=device,
        )
        ComposeIsolation().run(run, print)
        seen = json.loads((work / "out" / "look.json").read_text())
        assert (seen["interfaces"], seen["reaches"]) == (["lo"], False)
        assert seen["uid"] == (os.getuid() or mounts.NOBODY)
        assert {int(seen["status"][name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {0}
        assert (seen["status"]["NoNewPrivs"], seen["status"]["Seccomp"]) == ("1", "2")
        assert seen["writable"] == ["/tmp", "/bertbuild/artifacts/out"]  # noqa: S108
        assert seen["modules_without_bytecode"] == []


def test_the_fused_way_in_containers(fused):
    ready, compiled = fused.last["targets"]
    assert (ready["verified"], compiled["verified"], compiled["target"]) == (True, False, FUSED)
    model = CompiledModel(compiled["path"])
    assert model.asked["fp32_cast"] == "matmult"
    assert model.neuron_op.numbers("input_batch_axis") == [0, 0]
    assert model.stage["facts"]["operators_on_neuron"] == sum(model.neuron_op.work.values())
    assert model.log.startswith("$ neuron-cc compile ")
    assert {path.stat().st_uid for path in model.folder.iterdir()} == {os.getuid()}


@pytest.mark.whole
def test_the_standard_way_in_containers(standard):
    exported, compiled = standard.last["targets"]
    assert (exported["verified"], compiled["verified"], compiled["target"]) == (True, False, STANDARD)
    model = CompiledModel(compiled["path"])
    assert model.interface("inputs")["label_ids"] == ("int32", (4,))
    assert model.stage["facts"]["operators_on_cpu"] == sum(model.on_cpu.values())


def test_what_was_compiled_in_a_container_runs_in_the_one_with_the_device(contained, fused, request):
    here = contained.having(BERTBUILD_NEURON_DEVICE=os.devnull)
    for outcome in (fused, *([request.getfixturevalue("standard")] if WHOLE else ())):
        target = outcome.last["targets"][-1]["target"]
        verdict = here.ok("verify", target).verdict(target)
        assert verdict["passed"]
        assert verdict["skipped"] == []
    assert {fact["state"] for fact in contained.ok("status").last["targets"]} == {"built"}


@pytest.mark.whole
def test_both_isolations_compile_the_same_model_with_the_same_answers(contained, fused, checkpoint, tmp_path):
    device = {"BERTBUILD_NEURON_DEVICE": os.devnull}
    here = Bertbuild(tmp_path / "artifacts", checkout(tmp_path / "checkout")).having(**device)
    ours = here.ok("neuron-compile", "--checkpoint", checkpoint)
    theirs = contained.having(**device).ok("neuron-compile", "--checkpoint", checkpoint)
    assert theirs.last["targets"][-1]["key"] == fused.last["targets"][-1]["key"] != ours.last["targets"][-1]["key"]
    one, other = (CompiledModel(outcome.last["targets"][-1]["path"]) for outcome in (ours, theirs))
    assert one.bytes == other.bytes
    assert one.stage["operators"] == other.stage["operators"]
    model = Path(checkpoint).name
    answers, same = here.answers(model, FUSED), contained.answers(model, FUSED)
    assert answers.keys() == same.keys()
    assert max(np.abs(answers[name] - same[name]).max() for name in answers) <= EXACT


@pytest.mark.usefixtures("fused")
def test_a_compiler_that_is_killed_in_its_container_is_told_in_words(contained, checkpoint):
    flags = ("--compiler-args", "--stand-in killed")
    error = contained.refused("neuron-compile", "--checkpoint", checkpoint, *flags, code=13)
    assert "neuron-cc was killed (exit 137), which the system does when memory runs out" in error["message"]
    assert "BERTBUILD_MEMORY" in error["message"]


@pytest.mark.usefixtures("fused")
def test_a_container_with_too_little_memory_is_told_before_it_begins_or_when_it_ends(contained, checkpoint):
    build = ("neuron-compile", "--checkpoint", checkpoint, "--batch-size", "2")
    error = contained.having(BERTBUILD_MEMORY="300m").refused(*build, code=13)
    assert re.search(r"takes about 0\.4 GB of memory, and 0\.3 GB are free", error["message"])
    assert "BERTBUILD_MEMORY" in error["message"]
    error = contained.having(BERTBUILD_MEMORY="100m").refused(*build, "--min-memory", "0", code=14)
    assert "memory limit of 100 MiB (exit 137)" in error["message"]
    assert "BERTBUILD_MEMORY" in error["next_step"]


@pytest.mark.usefixtures("image")
@pytest.mark.parametrize(
    "hollow", [True, pytest.param(False, marks=pytest.mark.whole)], ids=["the_public_indexs_hollow_ones", "none"]
)
def test_no_image_is_built_without_the_packages(contained, gateway, tmp_path, hollow):
    if hollow:
        stubs(tmp_path)
    before = docker("image", "inspect", "--format={{.Id}}", IMAGE)
    with PackageIndex(tmp_path, gateway) as served:
        program = contained.having(BERTBUILD_NEURON_INDEX_URL=served.url_at(gateway))
        error = program.refused("images", "--backend", "neuron", code=10)
    assert error["error"] == "ImageBuildError"
    sentence = "tensorflow-neuron and neuron-cc come from https://pip.repos.neuron.amazonaws.com; name another index"
    assert error["next_step"].startswith(sentence)
    assert "BERTBUILD_NEURON_INDEX_URL" in error["next_step"]
    assert "docker/neuron/wheels" in error["next_step"]
    found = "PyPI's packages of these names are empty" if hollow else "were looked for at"
    assert found in error["details"]
    assert docker("image", "inspect", "--format={{.Id}}", IMAGE) == before
