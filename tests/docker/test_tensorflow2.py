"""convert-tf2 and convert-tf1 in containers and in virtual environments: the same files, there and back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.project import ROOT

pytestmark = pytest.mark.docker

DATA = "bert_model.ckpt.data-00000-of-00001"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Two layers of 128 units, random, with the heads of pre-training."""
    folder = tmp_path_factory.mktemp("checkpoints") / "two_layers"
    subprocess.run([sys.executable, ROOT / "bench" / "random_checkpoint.py", "tiny", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    """Runs a command to its good end in an isolation; gives the result event."""
    request.getfixturevalue("isolation")
    stores = {name: tmp_path_factory.mktemp(name) / "artifacts" for name in ("docker", "venv")}

    def run(isolation, *words):
        command = [sys.executable, "-m", "bertbuild", *map(str, words), "--isolation", isolation, "--json"]
        environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(stores[isolation])}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        last = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == 0, last
        return last

    return run


def test_both_isolations_convert_to_the_same_bytes(run, checkpoint):
    contents = []
    for isolation in ("docker", "venv"):
        prefix = run(isolation, "convert-tf2", "--checkpoint", checkpoint)["path"]
        folder = Path(prefix).parent
        contents.append([(folder / name).read_bytes() for name in ("bert_model.ckpt.index", DATA)])
    assert contents[0] == contents[1]


@pytest.mark.whole
def test_there_and_back_in_containers_gives_the_same_numbers(run, checkpoint):
    for format_ in ("savedmodel", "hub"):
        made = run("docker", "convert-tf2", "--checkpoint", checkpoint, "--format", format_)
        back = run("docker", "convert-tf1", "--tf2", made["path"], "--name", f"back-{format_}")
        folder = Path(back["path"]).parent
        source, came_back = (
            CheckpointReader(checkpoint / "bert_model.ckpt"),
            CheckpointReader(folder / "bert_model.ckpt"),
        )
        wanted = {name for name in source.entries if name.startswith("bert/") or format_ != "hub"}
        assert came_back.entries.keys() == wanted
        for name in came_back.entries:
            assert (came_back.tensor(name) == source.tensor(name)).all()
        assert (folder / "bert_model.ckpt.meta").exists()
