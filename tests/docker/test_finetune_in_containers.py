"""From files of MRPC's form to a table of accuracies, each stage in a container of its own."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bertbuild.project import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.whole]

HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
TARGETS = ["tf1", "frozen", "ir-fp32", "ir-int8", "neuron-ready-float32", "tf2"]


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    """Runs a command in containers to an end, a good one unless told; gives the events."""
    request.getfixturevalue("isolation")
    environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(tmp_path_factory.mktemp("store") / "artifacts")}

    def run(*words, code=0):
        command = [sys.executable, "-m", "bertbuild", *map(str, words), "--isolation", "docker", "--json"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == code, events[-1]
        return events

    return run


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Two layers of 128 units, random, without a head."""
    folder = tmp_path_factory.mktemp("checkpoints") / "two_layers"
    subprocess.run([sys.executable, ROOT / "bench" / "random_checkpoint.py", "tiny", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "MRPC"
    folder.mkdir()
    chance = random.Random(1)  # noqa: S311 - no secret
    for split, count in (("train", 64), ("dev", 16)):
        pairs = (" ".join(f"word{chance.randrange(900)}" for _ in range(8)) for _ in range(2 * count))
        rows = (f"{number % 2}\t{number}\t{number}\t{next(pairs)}\t{next(pairs)}\n" for number in range(count))
        (folder / f"{split}.tsv").write_text(HEADER + "".join(rows))
    return folder


@pytest.mark.skipif(os.getuid() != 0, reason="only where root calls does a stage run as somebody else")
def test_a_folder_that_a_stage_may_not_read_is_told(run, checkpoint, data, tmp_path):
    private = tmp_path / "MRPC"
    shutil.copytree(data, private)
    private.chmod(0o700)
    words = ("prepare-data", "--task", "MRPC", "--data", private, "--checkpoint", checkpoint)
    told = run(*words, code=2)[-1]
    assert str(private) in told["message"]
    assert f"chmod -R a+rX {private}" in told["next_step"]


def test_data_are_prepared_a_model_trained_and_every_target_evaluated(run, checkpoint, data):
    prepared = run(
        "prepare-data", "--task", "MRPC", "--data", data, "--checkpoint", checkpoint, "--max-seq-length", 24
    )[-1]["path"]
    events = run("finetune", "--checkpoint", checkpoint, "--prepared", prepared, "--train-batch-size", 16)
    tuned = Path(events[-1]["path"])
    assert [event["steps"] for event in events if event["event"] == "training"][-1] == 12
    assert (tuned / "training.svg").stat().st_uid == os.getuid()
    assert not list(tuned.parents[2].glob("unfinished/*/*"))

    (evaluation,) = (
        event
        for event in run("evaluate", "--checkpoint", tuned, "--prepared", prepared, "--target", ",".join(TARGETS))
        if event["event"] == "evaluation"
    )
    rows = {row["target"]: row for row in evaluation["targets"]}
    assert list(rows) == TARGETS
    assert rows["tf1"]["metrics"]["accuracy"] == pytest.approx(events[-1]["eval"]["eval_accuracy"], abs=1e-6)
    assert all(row["max_abs"] <= 1e-5 for name, row in rows.items() if name != "ir-int8")
