"""A row in the table of heads is all that the host needs of a new head: choices, refusals, what is left out, plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_head
from small_fleet import TINY, write_tiny

from bertbuild.project import ROOT

HEAD = {
    toy_head.WEIGHTS: np.zeros((2, TINY["hidden_size"]), np.float32),
    toy_head.BIAS: np.zeros(2, np.float32),
}
SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def program(tmp_path):
    """Runs the program whose table has a toy more, or the one that has none, in a folder with both kinds of models."""
    write_tiny(tmp_path / "without")
    write_tiny(tmp_path / "with", heads=HEAD)
    environ = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    def run(*words, name="toy_head_program.py"):
        command = [sys.executable, str(SHARED / name), *words]
        own = {"BERTBUILD_ARTIFACTS": str(tmp_path / name)}  # what one table found is not kept for the other
        return subprocess.run(
            command, env=environ | own, capture_output=True, encoding="utf-8", check=False, cwd=tmp_path
        )

    return run


def last(run):
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("command", ["freeze", "build-ir", "export", "neuron-ready"])
def test_its_output_is_a_choice_of_each_command(program, command):
    assert "smiles" in program(command, "--help").stdout
    assert "smiles" not in program(command, "--help", name="host_program.py").stdout


def test_the_schema_of_build_files_knows_it(program):
    assert '"smiles"' in program("schema").stdout


def test_an_output_nearly_its_name_is_refused_with_its_name(program):
    run = program("freeze", "--checkpoint", "with", "--output", "smile")
    assert run.returncode == 2
    assert 'did you mean "smiles"?' in run.stderr


def test_a_model_without_it_is_refused(program):
    run = program("freeze", "--checkpoint", "without", "--output", "smiles")
    assert run.returncode == 2
    assert run.stderr == (
        "error: without has no toy head (cls/toy/output_weights), so it gives no smiles.\n"
        "  → Use --output pooled or --output sequence or --output all-layers.\n"
    )


def test_it_is_left_out_by_name_and_the_flag_that_takes_it_is_told(program):
    left = last(program("freeze", "--checkpoint", "with", "--output", "pooled", "--json"))["left_out"]
    assert left == [
        {"kind": "toy", "what": "toy head", "names": sorted(HEAD), "taken_by": "--output smiles"},
    ]
    left = last(program("freeze", "--checkpoint", "with", "--json", name="host_program.py"))["left_out"]
    assert [(part["kind"], part["taken_by"]) for part in left] == [("other", "")]


def test_it_is_planned_and_then_not_left_out(program):
    made = last(program("freeze", "--checkpoint", "with", "--output", "smiles,pooled", "--json"))
    assert made["left_out"] == []
    assert [Path(target["path"]).name for target in made["targets"]] == ["frozen-smiles+pooled-auto"]


def test_a_saved_model_of_a_model_with_it_is_made_for_it(program, tmp_path):
    made = program("export", "--checkpoint", "with", "--seq-len", "8")
    assert made.returncode == 0, made.stderr
    (manifest,) = (tmp_path / "toy_head_program.py" / "objects" / "export").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["components"]["params"]["output"] == "smiles"


def test_its_answers_are_held_to_the_column_that_it_names():
    code = (
        "import toy_head; from bertbuild.heads.rows import HEADS; HEADS['toy'] = toy_head.HEAD\n"
        "from bertbuild.plans.tolerance import FLOAT16, allowed\n"
        "assert allowed(FLOAT16, 'toy_smiles') == FLOAT16['probabilities'] != allowed(FLOAT16, 'toy_frowns')\n"
    )
    environ = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join([str(ROOT), str(SHARED)])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)
