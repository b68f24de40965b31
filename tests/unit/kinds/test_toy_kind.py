"""A row in the table of kinds is all that a new kind needs: its flags, help, keys, schema, gate and accuracy follow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from small_fleet import write_tiny

from bertbuild.project import ROOT
from bertbuild.toml.document import _parsed

PROGRAM = Path(__file__).parents[2] / "shared" / "toy_kind_program.py"
BUILD_FILE = """
[defaults.toy]
colour = "green"

[targets.truck]
kind = "toy"
matrix = { wheels = [6, 8] }

[models.tiny]
checkpoint = "tiny"
"""


@pytest.fixture
def program(tmp_path):
    """Runs the program whose table has a toy more."""
    write_tiny(tmp_path / "tiny")
    environ = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}

    def run(*words):
        command = [sys.executable, str(PROGRAM), *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


def test_its_command_is_listed_and_its_help_has_its_flags(program):
    assert "make-toy" in program("--list").stdout
    told = " ".join(program("--help", "make-toy").stdout.split())
    assert "Make a toy, proved to answer like its source." in told
    for words in ("--wheels", "wheels under it", "default: 4", "--colour", "red", "green", "--sings", "--checkpoint"):
        assert words in told


def test_it_is_made_judged_by_its_own_tolerances_and_its_main_file_is_told(program):
    words = ("make-toy", "--checkpoint", "tiny", "--colour=green", "--wheels", "6", "--sings")
    made = program(*words)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[-1] == "artifacts/out/tiny/toy-green-6-sings/inference_graph.pb"
    again = program(*words, "--json").stdout.splitlines()
    (verdict,) = [event for event in map(json.loads, again) if event["event"] == "verdict"]
    assert (verdict["precision"], {row["limit"] for row in verdict["rows"]}) == ("toy", {0.25})
    assert [part["kind"] for part in json.loads(again[-1])["left_out"]] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--wheels", "0"), "--wheels must be at least 1 (got 0)."),
        (("--wheels", "many"), "--wheels 'many' is not a whole number."),
        (("--colour", "grean"), "--colour must be one of red, green (got 'grean'); did you mean \"green\"?"),
        (("--wheel", "3"), 'make-toy has no flag --wheel; did you mean "--wheels"?'),
    ],
)
def test_what_is_wrong_is_refused_with_what_is_nearest(program, words, sentence):
    run = program("make-toy", "--checkpoint", "tiny", *words)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {sentence}\n  → ")


def test_a_build_file_may_have_it_and_the_schema_knows_it(program, tmp_path):
    schema = json.loads(program("schema").stdout)
    (tmp_path / "toys.toml").write_text(BUILD_FILE)
    Draft202012Validator(schema).validate(_parsed(BUILD_FILE))
    assert not Draft202012Validator(schema).is_valid(_parsed(BUILD_FILE.replace("6, 8", "0")))
    assert schema["$defs"]["toy.colour"] == {
        "description": "what it is painted in",
        "enum": ["red", "green"],
        "default": "red",
    }
    built = json.loads(program("build", "--file", "toys.toml", "--json").stdout.splitlines()[-1])
    assert [row["target"] for row in built["targets"]] == ["truck-6", "truck-8"]
    (tmp_path / "toys.toml").write_text(BUILD_FILE.replace('"toy"', '"tou"'))
    refused = program("build", "--file", "toys.toml")
    assert 'not "tou"; did you mean "toy"?' in refused.stderr


def test_evaluate_knows_it(program):
    run = program("evaluate", "--checkpoint", "tiny", "--target", "toi")
    assert run.returncode == 2
    assert 'did you mean "toy"?' in run.stderr
    told = "".join(program("--help", "evaluate").stdout.split())
    assert "neuron-ready,tf2,toy;alsoir-int8,onnx-fp32,onnx-fp16,onnx-int8." in told
