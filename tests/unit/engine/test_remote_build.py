from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("securesystemslib")

from host_doubles import Events, FakeIsolation, exit_code, in_child
from remote_doubles import GONE, keys_in

from bertbuild.commands.gc import gc
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.engine.elsewhere import Elsewhere
from bertbuild.engine.engine import Engine
from bertbuild.engine.staleness import ENVIRONMENT, REMOTE, UP_TO_DATE, Checker
from bertbuild.errors import RemoteError, StageError
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.remote.results import Results
from bertbuild.remote.signing import Trust
from bertbuild.store.store import Store

STAGES = ["freeze", "tf1-infer", "ir", "openvino-infer"]


@pytest.fixture
def plan(source, probes):
    return plan_ir(source, Ir(route="reshapeable"), probes)


class Machine:
    """A machine with a store of its own."""

    def __init__(self, root, remote, probes, **settings):
        root.mkdir(exist_ok=True)
        self.store, self.isolation, self.events, self.probes = Store(root), FakeIsolation(), Events(), probes
        self.remote, self.settings = remote, {"reads": True, "writes": False, "fetch": "targets"} | settings

    def build(self, plan):
        self.isolation.runs.clear()
        self.events.clear()
        trusted = self.remote.trusted
        elsewhere = Elsewhere(self.remote, self.store, self.events, trusted=trusted, **self.settings)
        self.built = Engine(self.store, self.isolation, self.events, elsewhere=elsewhere).build(plan, self.probes)
        return self.isolation.runs.copy()

    def objects(self):
        return sorted(path.parent.name for path in (self.store.root / "objects").glob("*/*"))


@pytest.fixture
def machine(tmp_path, remote, probes):
    def make(name, of=remote, **settings):
        return Machine(tmp_path / name, of, probes, **settings)

    return make


@pytest.fixture
def writer(machine, plan):
    """A machine that has built the plan and put all into the remote store."""
    made = machine("writer", writes=True)
    assert made.build(plan) == STAGES
    return made


def test_what_one_machine_built_another_one_brings_and_runs_nothing(writer, machine, plan, memory):
    assert len(memory.manifests) == 5
    reader = machine("reader")
    assert reader.build(plan) == []
    (built,) = reader.built
    assert built.path.is_symlink()
    assert built.path.resolve().parent.name == "ir"
    assert {path.name: path.read_bytes() for path in built.path.iterdir()} == {
        path.name: path.read_bytes() for path in writer.built[0].path.iterdir()
    }
    assert reader.objects() == ["ir", "openvino-infer", "parity"]  # the steps between stayed there
    assert {(event["state"], event.get("remote")) for event in reader.events.of("stage")} == {
        ("cached", "memory://r"),
    }
    assert [event["state"] for event in reader.events.of("target")] == ["up to date"]


@pytest.mark.usefixtures("writer")
def test_looking_up_is_a_wave_a_step_and_a_request_a_key(machine, plan, monkeypatch):
    reader, waves = machine("reader"), []
    look = reader.remote.look
    monkeypatch.setattr(
        reader.remote, "look", lambda names: waves.append(sorted(n[:-65] for n in names)) or look(names)
    )
    reader.build(plan)
    assert waves == [["freeze"], ["tf1-infer"], ["ir"], ["openvino-infer"], ["parity"]]


@pytest.mark.usefixtures("writer")
def test_a_second_build_of_a_reader_asks_for_nothing(machine, plan, memory):
    reader = machine("reader")
    reader.build(plan)
    memory.asked.clear()
    assert reader.build(plan) == []
    assert memory.asked == []
    memory.gone = True
    assert reader.build(plan) == []
    assert reader.events.texts("warning") == []


@pytest.mark.usefixtures("writer")
def test_gc_keeps_the_notes_that_a_named_target_needs_and_removes_the_others(
    machine, plan, memory, source, probes, tmp_path
):
    other = plan_ir(source, Ir(route="reshapeable", precision="fp16"), probes)
    machine("writer", writes=True).build(other)
    root = tmp_path / "reader"

    def both_are_read():
        assert machine("reader").build(plan) == []
        assert machine("reader", fetch="none").build(other) == []

    def nothing_is_asked():
        memory.asked.clear()
        assert machine("reader").build(plan) == []
        assert memory.asked == []

    assert exit_code(in_child(both_are_read)) == 0  # what a process uses stays until it ends
    assert sorted(path.parent.name for path in root.glob("remote/*/*")) == [
        "freeze",
        "ir",
        "openvino-infer",
        "tf1-infer",
    ]
    assert collect(root, "30d") == []
    assert collect(root, "targets") == ["ir", "openvino-infer"]  # of the target that has no name here
    assert exit_code(in_child(nothing_is_asked)) == 0
    shutil.rmtree(root / "out")
    assert collect(root, "targets") == ["freeze", "tf1-infer"]


def collect(root, keep):
    """The notes that `gc` removed, by their stages."""
    removed = gc(Session(settings=Settings(artifacts=root), report=Events()), keep, dry_run=False).removed
    return sorted(row["path"].split("/")[1] for row in removed if row["category"] == "note")


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize(
    ("fetch", "there"),
    [
        ("all", ["freeze", "ir", "openvino-infer", "parity", "tf1-infer"]),
        ("targets", ["ir", "openvino-infer", "parity"]),
        ("none", ["parity"]),
    ],
)
def test_only_what_is_asked_for_is_brought(machine, plan, fetch, there):
    reader = machine("reader", fetch=fetch)
    assert reader.build(plan) == []
    assert reader.objects() == there
    assert reader.built[0].verdict.passed
    assert reader.built[0].path.is_symlink() is (fetch != "none")


@pytest.mark.usefixtures("writer")
def test_a_step_between_is_brought_where_a_stage_reads_it(machine, source, probes):
    reader = machine("reader")
    assert reader.build(plan_ir(source, Ir(route="reshapeable", precision="fp16"), probes)) == ["ir", "openvino-infer"]
    assert "freeze" in reader.objects()


@pytest.mark.usefixtures("writer")
def test_without_trust_or_reading_all_is_built(machine, plan, memory, tmp_path):
    stranger = Results(memory, Trust(keys_in(tmp_path / "new")[1]))
    reader = machine("reader", of=stranger)
    assert reader.build(plan) == STAGES
    assert "not used: no key in trust signed it" in reader.events.texts("warning")[0]
    assert machine("other", reads=False).build(plan) == STAGES


@pytest.mark.usefixtures("writer")
def test_a_reader_that_ceased_to_trust_does_not_use_what_it_noted(machine, plan, memory, tmp_path):
    machine("reader").build(plan)
    distrusting = machine("reader", of=Results(memory, Trust(keys_in(tmp_path / "new")[1])))
    assert distrusting.build(plan) == ["freeze", "tf1-infer"]  # what is here is here; the steps between are made


def test_a_remote_store_that_is_gone_is_said_once_and_the_build_goes_on(machine, plan, memory):
    memory.gone = True
    both = machine("both", writes=True)
    assert both.build(plan) == STAGES
    warnings = both.events.texts("warning")
    assert [text.startswith(GONE) for text in warnings] == [True, True]  # of reading, and of writing
    assert warnings[0].endswith("It is asked no more; the build goes on without it. Look.")  # what mends it
    assert warnings[1].endswith("Nothing more is put into the remote store; the build goes on. Look.")
    assert len(memory.asked) == 2


@pytest.mark.usefixtures("writer")
def test_a_remote_store_that_goes_away_in_the_middle_leaves_nothing_half(machine, plan, memory):
    frozen = next(name for name in memory.manifests if name.startswith("ir-"))
    digest = json.loads(memory.manifests[frozen])["layers"][0]["digest"].partition(":")[2]
    memory.lies["blob", digest] = RemoteError("The remote store memory://r hung up.")
    reader = machine("reader")
    assert reader.build(plan) == ["freeze", "ir"]  # the target could not be had, and is made, of what it is made of
    assert reader.built[0].verdict.passed
    assert len(reader.events.texts("warning")) == 1
    assert not list((reader.store.root / "work").iterdir())


def test_tampered_bytes_are_told_and_the_stage_runs(writer, machine, plan, memory):
    name = next(name for name in memory.manifests if name.startswith("ir-"))
    digest = json.loads(memory.manifests[name])["layers"][0]["digest"].partition(":")[2]
    memory.lies["blob", digest] = bytes(reversed(memory.blobs[digest]))
    reader = machine("reader")
    assert reader.build(plan) == ["ir"]
    (warning,) = reader.events.texts("warning")
    assert "are not those that were signed" in warning
    assert reader.built[0].stored.digest == writer.built[0].stored.digest


@pytest.mark.usefixtures("writer")
def test_what_is_made_anew_and_is_another_one_ends_with_a_sentence(machine, plan, memory):
    name = next(name for name in memory.manifests if name.startswith("ir-"))
    digest = json.loads(memory.manifests[name])["layers"][0]["digest"].partition(":")[2]
    memory.lies["blob", digest] = RemoteError("gone")
    reader = machine("reader")
    run = reader.isolation.run

    def otherwise(stage_run, on_event):
        run(stage_run, on_event)
        if stage_run.stage == "ir":
            (stage_run.work / "out" / "model.bin").write_text("another")

    reader.isolation.run = otherwise
    with pytest.raises(StageError, match="made again it is another one"):
        reader.build(plan)
    assert reader.build(plan) == ["openvino-infer"]


@pytest.mark.usefixtures("writer")
def test_a_result_that_another_machine_made_otherwise_is_told_and_stays(machine, plan, memory):
    before = dict(memory.manifests)
    rival = machine("rival", reads=False, writes=True)
    run = rival.isolation.run

    def otherwise(stage_run, on_event):
        run(stage_run, on_event)
        if stage_run.stage == "ir":
            (stage_run.work / "out" / "model.bin").write_text("another")

    rival.isolation.run = otherwise
    rival.build(plan)
    assert any(
        text.startswith("not reproducible: memory://r has another result") for text in rival.events.texts("warning")
    )
    assert {name: memory.manifests[name] for name in before} == before


def test_a_file_that_was_lost_there_is_told_made_and_put_there_again(writer, machine, plan, memory):
    """As a registry's own collection, or a disk, may lose one. All else of the remote store is used."""
    content = (writer.built[0].path / "model.bin").read_bytes()
    (lost,) = [digest for digest, blob in memory.blobs.items() if blob == content]
    del memory.blobs[lost]
    reader = machine("reader", writes=True)
    assert reader.build(plan) == ["ir"]
    (told,) = reader.events.texts("warning")
    assert "is not used: its file model.bin is not there any more" in told
    assert memory.blobs[lost] == content
    assert machine("third").build(plan) == []


def checks(machine, plan):
    """What a build would do, as `build --dry-run` looks: job → state."""
    elsewhere = Elsewhere(
        machine.remote, machine.store, machine.events, trusted=machine.remote.trusted, **machine.settings
    )
    jobs = Engine(machine.store, machine.isolation, machine.events, elsewhere=elsewhere).jobs()
    checker = Checker(jobs, machine.store, "fake")
    named = checker.add_targets(plan, machine.probes)
    return {
        check.job.partition("/")[2]: check.state for check in map(checker.check, named) if check.kind != ENVIRONMENT
    }


@pytest.mark.usefixtures("writer")
def test_what_would_be_brought_is_told_and_nothing_is_brought(machine, plan, memory):
    reader = machine("reader")
    reader.isolation.prepared += ["data", "tf1", "openvino"]
    assert set(checks(reader, plan).values()) == {REMOTE}
    assert memory.count("blob") == 0
    assert not [path for path in reader.store.root.rglob("*.json") if "remote" in path.parts]
    reader.build(plan)
    assert set(checks(reader, plan).values()) == {UP_TO_DATE}  # the steps between too, which stay there
