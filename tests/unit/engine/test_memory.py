from __future__ import annotations

import json

from bertbuild.engine.memory import Measured, MemoryBudget, available_memory
from bertbuild.stages import STAGES

FREEZE = STAGES["freeze"]


def test_a_stage_never_measured_is_expected_to_take_what_is_declared(tmp_path):
    measured = Measured(tmp_path / "measured.json")
    assert measured.expected(FREEZE, 0) == 500 * 10**6
    assert measured.expected(FREEZE, 10**9) == 500 * 10**6 + 3 * 10**9
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
