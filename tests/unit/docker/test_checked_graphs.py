"""The stages of mo and neuron give no graph to what runs it before its operators were looked at; no TensorFlow here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from graph_builder import GraphBuilder
from hostile_graphs import function_message, library, saved

from bertbuild.graph.wire import encode_bytes
from bertbuild.project import ROOT

WRITES = library(function_message("writes", ("w", "WriteFile", ())))
NODES = [("ids", "Placeholder", [], {}), ("harm", "PyFunc", [], {})]
GOOD = GraphBuilder([*NODES, ("out", "Identity", ["ids"], {})]).graph_def()
"""Its harm is not needed."""
BAD = {
    "an operator": GraphBuilder([*NODES, ("out", "Identity", ["harm"], {})]).graph_def(),
    "an operator it waits for": GraphBuilder([*NODES, ("out", "Identity", ["ids", "^harm"], {})]).graph_def(),
    "a function": GraphBuilder([*NODES, ("out", "writes", ["ids"], {})]).graph_def() + WRITES,
}
RESTORES = GraphBuilder([*NODES, ("out", "Identity", ["ids"], {}), ("restore", "NoOp", ["^harm"], {})]).graph_def()


def run(backend, code):
    """What a program says that can import the stages of a backend; a StageInputError is printed."""
    lines = "\n".join("    " + line for line in code.splitlines())
    source = f"from stage import StageInputError\ntry:\n{lines}\nexcept StageInputError as error:\n    print(error)"
    paths = [*(ROOT / "docker" / part for part in (backend, "common")), ROOT]
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def mo(path):
    return run("mo", f"from stages.mo import check\ncheck({str(path)!r}, {{'input_ids': 'ids:0'}}, {{'x': 'out:0'}})")


@pytest.mark.parametrize("name", BAD)
def test_mo_is_not_run_over_what_may_not_run(tmp_path, name):
    (tmp_path / "graph.pb").write_bytes(BAD[name])
    assert mo(tmp_path / "graph.pb").startswith("mo is not run: out:0 is computed by ")
    (tmp_path / "m.meta").write_bytes(encode_bytes(2, BAD[name]))
    assert mo(tmp_path / "m.meta").startswith("mo is not run: out:0 is computed by ")


def test_mo_is_run_over_what_does_not_need_it(tmp_path):
    (tmp_path / "graph.pb").write_bytes(GOOD)
    (tmp_path / "m.meta").write_bytes(encode_bytes(2, GOOD))
    assert (mo(tmp_path / "graph.pb"), mo(tmp_path / "m.meta")) == ("", "")


def test_mo_is_not_run_where_the_saver_runs_what_may_not_run(tmp_path):
    saver = encode_bytes(3, encode_bytes(3, b"restore"))
    (tmp_path / "m.meta").write_bytes(encode_bytes(2, RESTORES) + saver)
    assert mo(tmp_path / "m.meta") == "mo is not run: its saver runs PyFunc, which runs Python"


def neuron(folder):
    return run("neuron", f"from stages._may_run import check\ncheck({str(folder)!r})")


@pytest.mark.parametrize("name", BAD)
def test_neurons_stages_do_not_load_what_may_not_run(tmp_path, name):
    assert " is not loaded: out:0 is computed by " in neuron(saved(tmp_path / "model", BAD[name]))


def test_neurons_stages_load_what_does_not_need_it_and_what_was_compiled(tmp_path):
    compiled = GraphBuilder([*NODES, ("out", "NeuronOp", ["ids"], {})]).graph_def()
    assert neuron(saved(tmp_path / "good", GOOD)) == ""
    assert neuron(saved(tmp_path / "compiled", compiled)) == ""


def test_neurons_stages_do_not_load_what_initialises_itself_by_it(tmp_path):
    main = encode_bytes(1, b"legacy_init_op") + encode_bytes(2, encode_bytes(1, encode_bytes(1, b"harm")))
    assert "its initialisation runs PyFunc" in neuron(saved(tmp_path / "model", GOOD, encode_bytes(4, main)))


@pytest.mark.parametrize("stage", ["compile", "infer"])
def test_both_stages_look_before_they_load(stage):
    text = (ROOT / "docker" / "neuron" / "stages" / f"{stage}.py").read_text()
    assert text.index("_may_run.check(") < text.index('step("loading TensorFlow")')
