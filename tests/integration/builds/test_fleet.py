"""examples/fleet.toml: six models, five targets each, built with two jobs at once in virtual environments."""

from __future__ import annotations

import shutil

import make_checkpoints
import pytest
from matrix import WHOLE, cells
from program import ROOT, Bertbuild

TARGETS = ("frozen", "ir-fp32", "ir-fp16", "neuron-ready", "savedmodel")
MODELS = ("two-layers", "four-layers", "three-heads", "classifier", "zipped", "huggingface")
MODELS = cells(MODELS, "three-heads", "zipped")
ALL = {(model, target) for model in MODELS for target in TARGETS}
OF_ZIPPED = ("zipped/frozen", "zipped/ir-fp16")
if not WHOLE:
    ALL -= {("zipped", target) for target in TARGETS if f"zipped/{target}" not in OF_ZIPPED}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example with its checkpoints."""
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copy(ROOT / "examples" / "fleet.toml", folder)
    make_checkpoints.main(folder / "checkpoints")
    return folder


@pytest.fixture(scope="module")
def fleet(folder, bertbuild):
    """The program over a store of its own."""
    assert bertbuild.artifacts.is_dir()
    return Bertbuild(folder / "artifacts")


@pytest.fixture(scope="module")
def build(fleet, folder):
    """What `build` is typed as."""
    assert fleet
    return ("build", "--file", folder / "fleet.toml", "--jobs", 2)


@pytest.fixture(scope="module")
def build_all(build):
    """The same for the models that are built: all, or in CI some of them."""
    return (*build, *(() if WHOLE else ("three-heads/*", *OF_ZIPPED)))


@pytest.fixture(scope="module")
def built(fleet, build_all):
    return fleet.ok(*build_all)


def states(outcome):
    """(model, target) → state."""
    return {(event["model"], event["target"]): event["state"] for event in outcome.of("target")}


def test_every_target_is_built_proved_and_named(built, fleet):
    assert states(built) == dict.fromkeys(ALL, "built")
    assert {(event["model"], event["target"]) for event in built.of("verdict") if event["passed"]} == ALL
    for model, target in ALL:
        assert fleet.out(model, target).resolve().is_relative_to(fleet.artifacts / "objects")
    assert built.last["lines"][-1] == f"{len(ALL)} targets in artifacts/out: {len(ALL)} built"


def test_what_targets_share_is_made_once_and_two_stages_run_at_a_time(built):
    done = [event["key"] for event in built.of("stage") if event["state"] == "done"]
    assert len(done) == len(set(done))
    running, most = set(), 0
    for event in built.of("stage"):
        running = running | {event["job"]} if event["state"] == "started" else running - {event["job"]}
        most = max(most, len({job for job in running if not job.endswith("parity")}))
    assert most == 2


def test_a_second_build_does_nothing_and_says_so_in_a_line(built, fleet, build_all):
    assert built
    again = fleet.ok(*build_all)
    assert states(again) == dict.fromkeys(ALL, "up to date")
    assert again.ids("started") == []
    assert again.last["lines"][-1] == f"{len(ALL)} targets in artifacts/out: {len(ALL)} up to date"


def test_a_failure_skips_only_what_depends_on_it(built, fleet, folder, build_all):
    assert built
    index = folder / "checkpoints" / "three-heads" / "bert_model.ckpt.index"
    content = index.read_bytes()
    index.write_bytes(content[:100])
    try:
        failed = fleet.refused(*build_all, "--keep-going", code=4)
        first = fleet(*build_all)
    finally:
        index.write_bytes(content)
    assert failed["message"] == f"5 of {len(ALL)} targets are not built."
    ended = states(first)
    assert first.code == 4
    assert {name for name, state in ended.items() if state == "skipped"} == {
        (model, target) for model, target in ALL if model == "three-heads"
    }
    assert fleet.out("three-heads", "frozen").exists(), "what was built before keeps its name"


def test_stages_run_twice_write_the_same(built, fleet, build):
    assert built
    outcome = fleet.ok(*build, *OF_ZIPPED, "--verify-reproducible")
    assert {event["stage"] for event in outcome.of("reproduced")} == {
        "freeze",
        "tf1-infer",
        "ir-direct",
        "openvino-infer",
        "tokenizer",
    }
    assert all(event["reproducible"] for event in outcome.of("reproduced"))


def test_the_store_can_be_moved_and_is_whole(built, fleet, build):
    """Another path to the store, and a name for a part of the file."""
    assert built
    moved = fleet.artifacts.with_name("moved")
    fleet.artifacts.rename(moved)
    try:
        elsewhere = Bertbuild(moved)
        assert elsewhere.ok(*build, "three-heads/*").ids("started") == []
        elsewhere.ok("verify-store")
    finally:
        moved.rename(fleet.artifacts)
