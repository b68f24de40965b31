from __future__ import annotations

import json

import pytest

from bertbuild.engine import memory
from bertbuild.engine.memory import Measured, MemoryBudget, Phases, available_memory
from bertbuild.errors import StageKilledForMemoryError
from bertbuild.stages import STAGES

FREEZE = STAGES["freeze"]


def test_a_stage_never_measured_is_expected_to_take_what_is_declared(tmp_path):
    measured = Measured(tmp_path / "measured.json")
    assert measured.expected(FREEZE, 0) == 100 * 10**6
    assert measured.expected(FREEZE, 10**9) == 100 * 10**6 + 1_300_000_000
    assert all(spec.memory.of(10**8) < 10 * 10**9 for spec in STAGES.values())


def test_what_runs_of_alike_inputs_took_refines_it_and_is_remembered(tmp_path):
    path = tmp_path / "cache" / "measured.json"
    measured = Measured(path)
    measured.remember("freeze", 1000, 10**6)
    measured.remember("freeze", 1100, 2 * 10**6)
    measured.remember("freeze", 9000, 10**9)
    measured.save()
    again = Measured(path)
    assert again.expected(FREEZE, 1050) == 2_400_000
    assert again.expected(FREEZE, 4000) == FREEZE.memory.of(4000), "neither is like it"


def test_a_broken_file_is_none(tmp_path):
    path = tmp_path / "measured.json"
    for text in ("", "[]", '{"freeze": 1'):
        path.write_text(text)
        assert Measured(path).expected(FREEZE, 0) == FREEZE.memory.of(0)


def test_only_the_last_measurements_are_kept(tmp_path):
    measured = Measured(tmp_path / "measured.json")
    for number in range(200):
        measured.remember("freeze", number, number)
    measured.save()
    assert len(json.loads((tmp_path / "measured.json").read_text())["freeze"]) == 50


def test_a_budget_is_what_is_said_or_what_is_free():
    assert MemoryBudget(100).fits(60, 40)
    assert not MemoryBudget(100).fits(60, 41)
    free = available_memory()
    assert 10**6 < free < 2**50
    assert abs(MemoryBudget().limit - free) < 10**10
    assert not MemoryBudget(10**18).fits(10**17, 0), "never more than the machine has free"


def test_how_long_a_stage_took_is_known_of_inputs_of_like_size_and_of_the_stage(tmp_path):
    measured = Measured(tmp_path / "measured.json")
    assert measured.seconds("freeze") is None
    measured.remember("freeze", 1000, 10**6, 4.0)
    measured.remember("freeze", 9000, 10**6, 20.0)
    measured.save()
    again = Measured(tmp_path / "measured.json")
    assert (again.seconds("freeze", 1100), again.seconds("freeze", 4000), again.seconds("freeze")) == (4.0, None, 20.0)


def test_what_an_older_version_measured_has_no_seconds(tmp_path):
    path = tmp_path / "measured.json"
    path.write_text('{"freeze": [[1000, 1000000]]}')
    assert Measured(path).expected(FREEZE, 1000) == 1200000
    assert Measured(path).seconds("freeze") is None


def test_a_phase_is_told_how_long_it_took_when_it_last_ended_well(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("bertbuild.engine.memory.time.monotonic", lambda: clock[0])
    measured = Measured(tmp_path / "measured.json")

    def run(files, *, ends=True):
        phases, told = Phases(measured, "finetune", 1000), []
        for now, text in ((0.0, "building the training graph"), (30.0, f"writing {files} tensors")):
            clock[0] = now
            told.append(phases.expects({"event": "step", "text": text}))
        told.append(phases.expects({"event": "note", "text": "anything"}))
        clock[0] = 45.0
        if ends:
            phases.end()
        return told

    assert run(7, ends=False) == [{}, {}, {}]
    assert run(8) == [{"expects": 30.0}, {}, {}]
    assert run(9) == [{"expects": 30.0}, {"expects": 15.0}, {}]


def test_a_checkpoint_larger_than_the_memory_is_refused_with_both_figures(monkeypatch):
    monkeypatch.setattr(memory, "whole_memory", lambda: 8 * 10**9)
    memory.require_room("ir-direct", 8 * 10**9)
    with pytest.raises(StageKilledForMemoryError) as raised:
        memory.require_room("ir-direct", 9_600_000_000)
    assert str(raised.value) == (
        "The checkpoint has 9.60 GB, and there are 8.00 GB of memory here; ir-direct was not begun."
    )
    assert "save the model alone" in raised.value.next_step


def test_what_there_is_in_all_is_more_than_what_is_free():
    assert available_memory() <= memory.whole_memory() < 2**63


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/user.slice/run-7.scope", "user.slice/run-7.scope", memory.VERSION_2),
        ("0::/user.slice/run-7.scope/inner", "user.slice/run-7.scope", memory.VERSION_2),
        ("0::/run-7.scope", "unified/run-7.scope", memory.VERSION_2),
        ("4:memory:/run-7.scope", "memory/run-7.scope", memory.VERSION_1),
        ("4:cpu,memory:/docker/a1b2", "memory", memory.VERSION_1),
        ("0::/", "", memory.VERSION_2),
        ("0::/../../other", "", memory.VERSION_2),
    ],
)
def test_the_limit_of_any_cgroup_around_this_process_is_a_limit(tmp_path, monkeypatch, line, folder, names):
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    own.write_text(f"9:name=systemd:/\n{line}\n")
    there = root / folder
    there.mkdir(parents=True)
    limit, used = names
    (there / limit).write_text("3000000\n")
    (there / used).write_text("2000000\n")
    (there / "memory.stat").write_text("anon 1200000\ninactive_file 500000\n")
    found = memory._cgroups(root, own)
    monkeypatch.setattr(memory, "_cgroups", lambda: found)
    found = list(found)
    assert memory.whole_memory() == 3_000_000
    assert memory.available_memory() == 1_500_000, "files that were read count as free"


def test_a_cgroup_without_a_limit_is_none(tmp_path, monkeypatch):
    own, root = tmp_path / "cgroup", tmp_path / "fs"
    own.write_text("0::/\n")
    root.mkdir()
    (root / "memory.max").write_text("max\n")
    free = memory.available_memory()
    found = list(memory._cgroups(root, own))
    monkeypatch.setattr(memory, "_cgroups", lambda: found)
    assert memory.whole_memory() > 3_000_000
    assert abs(memory.available_memory() - free) < 10**10


def test_a_limit_of_address_space_is_a_limit(monkeypatch):
    monkeypatch.setattr(memory.resource, "getrlimit", lambda _kind: (5_000_000, 5_000_000))
    assert memory.whole_memory() == 5_000_000
