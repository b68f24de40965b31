"""A new place to run stages in is a row and a module: commands, records and doctor know no more of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_fleet import write_tiny

from bertbuild.isolation.choice import LAST
from bertbuild.project import ROOT

PROGRAM = Path(__file__).parents[2] / "shared" / "toy_place_program.py"


@pytest.fixture
def program(tmp_path):
    """Runs the program with the toy place; a Docker engine answers nowhere."""
    environ = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "DOCKER_HOST": f"unix://{tmp_path}/nowhere",
        "COLUMNS": "200",
    }

    def run(*words):
        line = [sys.executable, str(PROGRAM), *words]
        return subprocess.run(line, env=environ, capture_output=True, encoding="utf-8", check=False, cwd=tmp_path)

    return run


def last(run):
    return json.loads(run.stdout.splitlines()[-1])


def test_flags_settings_and_doctor_know_it(program):
    shown = program("build-ir", "--help").stdout
    assert "toy, docker, venv, or auto (default)" in " ".join(shown.split())
    refused = program("build-ir", "--model", "m", "--isolation", "toi")
    assert refused.returncode == 2
    assert 'did you mean "toy"?' in refused.stderr
    looked = last(program("doctor", "--json"))
    assert {"what": "Toys", "ok": True, "text": "in their box", "needed_for": "toy", "untried": False} in looked[
        "findings"
    ]
    assert looked["usable"][0] == "toy"
    assert looked["isolation"] == {"name": "toy", "why": "a box of toys is open"}


def test_a_build_runs_there_and_its_results_say_so(program, tmp_path):
    write_tiny(tmp_path / "model")
    build = ("build-ir", "--checkpoint", "model")
    first = program(*build)
    assert first.returncode == 0, first.stderr
    results = tmp_path / "artifacts" / "objects"
    (manifest,) = (results / "ir-direct").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["isolation"] == "toy"
    statement = json.loads((manifest.parent / "provenance.json").read_text())["predicate"]
    assert statement["buildDefinition"]["internalParameters"]["isolation"] == "toy"
    assert {"name": "fake", "uri": "fake:openvino"} in statement["buildDefinition"]["resolvedDependencies"]
    assert statement["runDetails"]["builder"]["id"].endswith("/toy")
    assert (tmp_path / "artifacts" / LAST).read_text() == "toy\n"
    (verdict,) = (results / "parity").glob("*/manifest.json")
    assert "isolation" not in json.loads(verdict.read_text())  # bertbuild's own

    status = last(program("status", "--json"))
    assert [target["state"] for target in status["targets"]] == ["built"]
    made = program("images", "--backend", "openvino")
    assert "by hand: toy" in made.stdout.splitlines()


def test_why_names_the_place_that_a_result_was_made_in(program, tmp_path):
    write_tiny(tmp_path / "model")
    assert program("build-ir", "--checkpoint", "model").returncode == 0
    told = program("why", "model/ir-fp32", "--isolation", "venv")
    assert "environment isolation: toy → venv" in told.stdout
