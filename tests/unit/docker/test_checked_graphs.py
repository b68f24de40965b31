"""The stages of mo and neuron give no graph to what runs it before its operators were looked at; no TensorFlow here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from graph_builder import GraphBuilder
from hostile_graphs import function_message, library, saved

from bertbuild.graph.graphdef import read_graph, read_meta_graph
from bertbuild.graph.wire import encode_bytes
from bertbuild.project import ROOT

WRITES = library(function_message("writes", ("w", "WriteFile", ())))
NODES = [("ids", "Placeholder", [], {}), ("harm", "PyFunc", [], {})]
GOOD = GraphBuilder([*NODES, ("out", "Identity", ["ids"], {})]).graph_def()
"""Its harm is not needed."""
HARMLESS = GraphBuilder([NODES[0], ("out", "Identity", ["ids"], {})]).graph_def()
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
    """The refusal, or the path that mo is given."""
    (path.parent / "work").mkdir(exist_ok=True)
    arguments = f"{str(path)!r}, {{'input_ids': 'ids:0'}}, {{'x': 'out:0'}}, {str(path.parent / 'work')!r}"
    return run("mo", f"from stages.mo import checked\nprint(checked({arguments}))")


@pytest.mark.parametrize("name", BAD)
def test_mo_is_not_run_over_what_may_not_run(tmp_path, name):
    (tmp_path / "graph.pb").write_bytes(BAD[name])
    assert mo(tmp_path / "graph.pb").startswith("mo is not run: out:0 is computed by ")
    (tmp_path / "m.meta").write_bytes(encode_bytes(2, BAD[name]))
    assert mo(tmp_path / "m.meta").startswith("mo is not run: out:0 is computed by ")


@pytest.mark.parametrize("name", ["graph.pb", "m.meta"])
def test_mo_is_given_no_operator_that_may_not_run_where_it_is_not_needed(tmp_path, name):
    content = encode_bytes(2, GOOD) if name == "m.meta" else GOOD
    (tmp_path / name).write_bytes(content)
    given = Path(mo(tmp_path / name))
    assert given == tmp_path / "work" / name
    left = (read_meta_graph if name == "m.meta" else read_graph)(given)
    assert list(left.nodes) == ["ids", "out"]
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["graph.pb", "m.meta"])
def test_mo_is_given_a_graph_as_it_is_where_all_of_it_may_run(tmp_path, name):
    (tmp_path / name).write_bytes(encode_bytes(2, HARMLESS) if name == "m.meta" else HARMLESS)
    assert mo(tmp_path / name) == str(tmp_path / name)


def test_mo_is_not_run_where_the_saver_runs_what_may_not_run(tmp_path):
    saver = encode_bytes(3, encode_bytes(3, b"restore"))
    (tmp_path / "m.meta").write_bytes(encode_bytes(2, RESTORES) + saver)
    assert mo(tmp_path / "m.meta") == "mo is not run: its saver runs PyFunc, which runs Python"


def neuron(folder):
    """The refusal, or what is loaded: whether that is the given folder, its files and the nodes of its graph."""
    lines = (
        "import os",
        "from bertbuild.graph.saved_model import read_saved_model",
        "from stages._may_run import checked",
        f"with checked({str(folder)!r}) as found:",
        f"    same, files = found == {str(folder)!r}, sorted(os.listdir(found))",
        "    print(same, *files, *read_saved_model(found).graph.nodes)",
    )
    return run("neuron", "\n".join(lines))


@pytest.mark.parametrize("name", BAD)
def test_neurons_stages_do_not_load_what_may_not_run(tmp_path, name):
    assert " is not loaded: out:0 is computed by " in neuron(saved(tmp_path / "model", BAD[name]))


def test_neurons_stages_load_no_operator_that_may_not_run_where_it_is_not_needed(tmp_path):
    compiled = GraphBuilder([*NODES, ("out", "NeuronOp", ["ids"], {})]).graph_def()
    for name, graph in {"good": GOOD, "compiled": compiled}.items():
        folder = saved(tmp_path / name, graph)
        (folder / "signature.json").write_text("{}")
        assert neuron(folder) == "False saved_model.pb signature.json ids out"
    assert neuron(saved(tmp_path / "harmless", HARMLESS)) == "True saved_model.pb ids out"


def test_neurons_stages_do_not_load_what_initialises_itself_by_it(tmp_path):
    main = encode_bytes(1, b"legacy_init_op") + encode_bytes(2, encode_bytes(1, encode_bytes(1, b"harm")))
    assert "its initialisation runs PyFunc" in neuron(saved(tmp_path / "model", GOOD, encode_bytes(4, main)))


@pytest.mark.parametrize("stage", ["compile", "infer"])
def test_both_stages_look_before_they_load(stage):
    text = (ROOT / "docker" / "neuron" / "stages" / f"{stage}.py").read_text()
    assert text.index("_may_run.checked(") < text.index('step("loading TensorFlow")')
