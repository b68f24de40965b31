"""What is built has its statement, a copy is told from a changed one, and a stage run again writes the same."""

from __future__ import annotations

import json
import shutil

import pytest
from matrix import WHOLE, cells
from program import ROOT

from bertbuild.config import load_settings
from bertbuild.engine.carried import carry
from bertbuild.gate.reproducibility import compare
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.plans.carrying import TEXT, VOCAB
from bertbuild.provenance.shape import problems
from bertbuild.stages import STAGES

PB = "saved_model.pb"


class OtherSurroundings(VenvIsolation):
    """Another order of hashes, one thread, another time zone."""

    def _variables(self, run, temporary, code):
        changed = {"PYTHONHASHSEED": "4242", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"}
        return super()._variables(run, temporary, code) | changed


def statement(folder):
    return json.loads((folder / "provenance.json").read_text())


def run_again(store, made, tmp_path):
    """Run a stage from what its statement says; gives what it wrote."""
    definition = statement(made)["predicate"]["buildDefinition"]
    asked = definition["externalParameters"]
    named = {entry["name"]: entry for entry in definition["resolvedDependencies"]}
    sources = {name: named[name]["annotations"] for name in asked["inputs"] if name != VOCAB}
    spec = STAGES[asked["stage"]]
    work = tmp_path / "elsewhere"
    (work / "out").mkdir(parents=True)
    run = StageRun(
        backend=spec.backend,
        stage=spec.command,
        inputs={name: store / "objects" / source["stage"] / source["key"] for name, source in sources.items()},
        params={
            **{name: value for name, value in asked["params"].items() if name != TEXT},
            "key": definition["internalParameters"]["key"],
        },
        work=work,
        log=tmp_path / "log",
    )
    OtherSurroundings(load_settings({}).environments).run(run, lambda _: None)
    carry(work / "out", asked["params"][TEXT], made / "vocab.txt")  # the host's part
    return work / "out"


@pytest.fixture
def ir(bertbuild, tiny):
    """An IR that is made of another result, a frozen graph: the name of its target."""
    return bertbuild.ok("build-ir", "--checkpoint", tiny, "--route", "reshapeable").last["targets"][0]["target"]


def test_what_is_built_has_a_statement_that_can_be_followed(bertbuild, ir):
    made = bertbuild.out("tiny", ir).resolve()
    assert problems(statement(made)) == []
    (found,) = bertbuild.ok("verify-provenance", f"tiny/{ir}").last["provenance"]
    assert (found["wrong"], found["told"]) == ([], [])
    assert any(line.endswith("under the statement that is named") for line in found["checked"])
    assert any(line.endswith("checkpoint was given: 4 files by sha256") for line in found["checked"])
    (facts,) = (entry for entry in statement(made)["predicate"]["runDetails"]["byproducts"] if "annotations" in entry)
    locked = (ROOT / "docker" / "openvino" / "requirements.txt").read_text()
    assert f"\nopenvino=={facts['annotations']['packages']['openvino']} " in locked


def test_a_changed_copy_is_told_from_a_whole_one(bertbuild, tiny_built, tmp_path):
    assert tiny_built.code == 0
    folder = shutil.copytree(bertbuild.out("tiny", "ir-fp32"), tmp_path / "copy")
    bertbuild.ok("verify-provenance", "--path", folder)
    (folder / "model.bin").chmod(0o644)
    with (folder / "model.bin").open("r+b") as file:
        file.write(b"\xff")
    error = bertbuild.refused("verify-provenance", "--path", folder, code=24)
    assert "model.bin changed" in error["message"]


@pytest.fixture
def built(bertbuild, ir, request):
    """What was made of a checkpoint, by target."""
    made = {"ir": bertbuild.out("tiny", ir)}
    if WHOLE:
        converted = request.getfixturevalue("converted")
        made |= {"savedmodel": converted.folder("tiny", "savedmodel"), "hub": converted.folder("bare", "hub")}
    return made


GRAPHS = {"ir": "model.xml", "savedmodel": PB, "hub": PB}


@pytest.mark.parametrize(("target", "graph"), cells(GRAPHS, "ir").items())
def test_a_stage_run_again_in_other_surroundings_writes_the_same_bytes(bertbuild, built, tmp_path, target, graph):
    made = built[target].resolve()
    found = compare(made, run_again(bertbuild.artifacts, made, tmp_path), made.parent.name)
    assert found.reproducible, found.lines()
    assert [entry.name for entry in found.graphs] == [graph]
    assert [entry.max_abs for entry in found.numbers] == [0.0]
