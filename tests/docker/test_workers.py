"""Training in two containers: what one worker learns with the same batches, on a network without a way out."""

import json
import os
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import containers

from bertbuild.errors import StageError
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.project import ROOT

sys.path.append(str(ROOT / "tests" / "integration"))
from tiny_models import CONFIG, weights, write_google
from toy_task import write_task

pytestmark = pytest.mark.docker

CALM = {**CONFIG, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
FLAGS = ("--train_batch_size", "8", "--eval_batch_size", "6", "--num_train_epochs", "2", "--learning_rate", "1e-3")
TOGETHER = ("--distribution_strategy", "multi_worker_mirrored", "--workers", "2")


def networks():
    command = ["docker", "network", "ls", "--filter", "name=workers", "--format", "{{.Name}}"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


@pytest.fixture(autouse=True)
def nothing_left_behind():
    before = containers(), networks()
    yield
    assert (containers(), networks()) == before


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A tiny model without dropout, whose gradients are too small to be clipped, and a task for it."""
    folder = tmp_path_factory.mktemp("toy")
    small = {
        name: value * np.float32(0.1 if name.endswith(("kernel", "embeddings")) else 1)
        for name, value in weights(CALM, seed=2).items()
    }
    model = write_google(folder / "small", small, config=CALM)
    write_task(folder / "task", model / "vocab.txt")
    return folder


@pytest.fixture(scope="module")
def trained(request, toy):
    """Trains in containers; the folder of the result."""
    request.getfixturevalue("isolation")

    def train(*flags):
        words = ["train", "--checkpoint", toy / "small", "--prepared", toy / "task", *FLAGS, *flags]
        command = [sys.executable, "-m", "bertbuild", *map(str, words), "--isolation", "docker", "--json"]
        environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(toy / "artifacts")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        last = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == 0, last
        return json.loads((ROOT / last["path"] / "history.json").read_text())

    return train


@pytest.mark.whole
def test_two_containers_learn_what_one_learns_with_the_same_batches(trained):
    alone, together = trained(), trained(*TOGETHER)
    assert together["step"] == alone["step"] == list(range(1, 9))
    assert np.allclose(together["loss"], alone["loss"], rtol=1e-5)
    for epoch, figures in alone["epochs"].items():
        assert together["epochs"][epoch] == pytest.approx(figures, rel=1e-5)


@pytest.fixture
def probes(derived, isolation, monkeypatch, tmp_path):  # noqa: ARG001 - the image must be there
    """Runs the stage `probe` in two containers of the training's image; `act` is what both do."""
    tag = derived("tf2", "probe", ["COPY --chown=0:0 probe.py /opt/bertbuild/stages/probe.py"])
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", tag)
    (tmp_path / "work" / "out").mkdir(parents=True)
    (tmp_path / "data").mkdir()

    def run(act, on_event):
        stage_run = StageRun(
            backend="tf2",
            stage="probe",
            inputs={"data": tmp_path / "data"},
            params={"act": act},
            work=tmp_path / "work",
            log=tmp_path / "log",
            workers=2,
        )
        ComposeIsolation().run(stage_run, on_event)
        return json.loads((tmp_path / "work" / "out" / "look.json").read_text())

    return run


def test_a_worker_has_a_network_without_a_way_out_and_is_confined_otherwise(probes, tmp_path):
    with socket.create_server(("", 0)) as listening:  # this machine, at all its addresses
        (tmp_path / "data" / "port").write_text(str(listening.getsockname()[1]))
        seen = probes("dial", lambda _event: None)
    assert seen["interfaces"] == ["eth0", "lo"]
    assert seen["answered"] == []
    assert seen["status"]["NoNewPrivs"] == "1"
    assert int(seen["status"]["CapBnd"], 16) == 0
    assert seen["writable"] == ["/tmp", "/bertbuild/artifacts/out"]  # noqa: S108


def test_a_worker_that_dies_ends_all(probes):
    """Of two that sleep, one is killed as by the system."""

    def kill(_event):
        (victim,) = {name for name in containers() if name.endswith("-1") and "tf2-worker" not in name}
        threading.Thread(target=subprocess.run, args=(["docker", "kill", victim],), kwargs={"check": True}).start()

    with pytest.raises(StageError, match="killed from outside"):
        probes("sleep", kill)


def test_ctrl_c_ends_all(probes):
    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probes("sleep", interrupt)
