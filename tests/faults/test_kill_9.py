"""Kill -9 at any instant: what was published stays and is used, the next run goes on, the end is the same."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from killing import WHOLE, Watch, events_of, in_a_stage, kill_host, kill_tree, killed_after

HOOKS = Path(__file__).parent / "hooks"
KILLS = (kill_tree, kill_host)
OF_ONE_STORE = 8
"""So many kills at most before a store is left to be built."""


def kill_often(make, build, counts, *, wanted, seed):
    """Kill builds as often as wanted: over one store until it is built, or was hit eight times; then over the next."""
    chance = random.Random(seed)  # noqa: S311 - instants, not secrets
    counts |= {"kills": 0, "of them while a step was made": 0, "stores built": 0}
    pace = 1.0  # of the time that the undisturbed build took
    while counts["kills"] < wanted:
        watch = Watch(program=make(), wanted=build, counts=counts)
        enough = min(wanted, counts["kills"] + OF_ONE_STORE)
        while counts["kills"] < enough:
            left = pace * build.left({key for _, key in watch.kept})
            kill = KILLS[counts["kills"] % 2]
            code, events = killed_after(watch.program, build.words, chance.uniform(0, left), kill)
            watch.after_kill(events) if code == -9 else watch.after(events)
            if code == 0:
                pace *= 0.9
                break
            assert code == -9, events[-1:]
            if not events:  # the machine is busier than it was then
                pace = min(3.0, pace * 1.2)
            counts["kills"] += 1
            counts["of them while a step was made"] += in_a_stage(events)
        watch.finished(*build.words)
        counts["stores built"] += 1
        shutil.rmtree(watch.program.artifacts.parent)


def test_kill_9_at_random_instants_of_a_build(real, real_build, counts, times):
    kill_often(real, real_build, counts, wanted=times(8, 100), seed=20181011)


@pytest.mark.whole
def test_kill_9_at_random_instants_of_the_host(light, light_build, counts):
    kill_often(light, light_build, counts, wanted=150, seed=1)


def test_kill_9_at_random_instants_of_a_build_file(request, counts):
    kind = "real" if WHOLE else "light"
    make, build = request.getfixturevalue(kind), request.getfixturevalue(f"{kind}_fleet")
    kill_often(make, build, counts, wanted=30 if WHOLE else 6, seed=6)


@pytest.mark.whole
def test_kill_9_at_random_instants_of_a_build_file_by_the_host(light, light_fleet, counts):
    kill_often(light, light_fleet, counts, wanted=100, seed=7)


def test_kill_9_before_each_change_of_the_disk(light, light_ir, counts, times, tmp_path):
    def at(program, number):
        variables = {"FAULTS_STORE": program.artifacts, "FAULTS_KILL_AT": number, "FAULTS_COUNTED": tmp_path / "count"}
        return program.having(PYTHONPATH=f"{HOOKS}:{program.root}", **variables)

    program = light()
    at(program, 0).ok(*light_ir.words)
    changes = int((tmp_path / "count").read_text())
    assert changes > 50
    step = max(1, changes // times(3, changes))
    counts |= {"changes": changes, "kills": 0}
    for number in range(1, changes + 1, step):
        watch = Watch(program=light(), wanted=light_ir, counts=counts)
        process = at(watch.program, number).start(*light_ir.words)
        stdout, stderr = process.communicate(timeout=60)
        # Jobs that run at the same time make now a few changes more, now a few less.
        assert process.returncode == -9 or number > 0.9 * changes, (number, stderr)
        counts["kills"] += process.returncode == -9
        watch.after_kill(events_of(stdout))
        watch.finished(*light_ir.words)
        shutil.rmtree(watch.program.artifacts.parent)
