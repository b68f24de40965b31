"""A name in out/ that once gave pooled output, and a build file that says no output, are told what they give now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_fleet import TINY, write_tiny

from bertbuild.project import ROOT

SHARED = Path(__file__).parents[2] / "shared"
HEAD = {
    "output_weights": np.zeros((3, TINY["hidden_size"]), np.float32),
    "output_bias": np.zeros(3, np.float32),
}
LINE = (
    "tuned/frozen gives probabilities, the answer of its classifier head; before, without --output, it gave pooled: "
    "--output pooled makes that"
)


@pytest.fixture
def notes(tmp_path):
    """Runs the program in a folder with a model of a classifier and one without, and gives the notes of the run."""
    write_tiny(tmp_path / "tuned", heads=HEAD)
    write_tiny(tmp_path / "bare")
    (tmp_path / "bertbuild.toml").write_text(
        '[targets.frozen]\nkind = "frozen"\n[models.tuned]\ncheckpoint = "tuned"\n[models.bare]\ncheckpoint = "bare"\n'
    )
    environ = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(ROOT)}

    def run(*words):
        command = [sys.executable, str(SHARED / "host_program.py"), *words, "--json"]
        done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        events = map(json.loads, done.stdout.splitlines())
        return [event["text"] for event in events if event["event"] == "note" and "--output" in event["text"]]

    return run


def age(folder, target="tuned/frozen"):
    """Make the record of a target that of one that gave the pooled output."""
    path = folder / "artifacts" / "targets" / f"{target}.json"
    record = json.loads(path.read_text())
    (step,) = [step for step in record["steps"] if step["id"] == record["target"]["reference"]]
    assert step["params"]["output"] == "probabilities"
    step["params"]["output"] = "pooled"
    path.write_text(json.dumps(record))


def test_a_name_that_gave_the_pooled_output_is_told_once(notes, tmp_path):
    assert notes("freeze", "--checkpoint", "tuned") == []
    age(tmp_path)
    assert notes("freeze", "--checkpoint", "tuned") == [LINE]
    assert notes("freeze", "--checkpoint", "tuned") == []


def test_what_says_its_output_is_told_nothing(notes, tmp_path):
    assert notes("freeze", "--checkpoint", "tuned") == []
    age(tmp_path)
    assert notes("freeze", "--checkpoint", "tuned", "--output", "probabilities") == []


def test_a_build_file_without_an_output_is_told_the_first_time_here_and_of_models_with_a_head_alone(notes):
    assert notes("build") == [LINE]
    assert notes("build") == []
