"""Eight processes that build the same over one empty store: each result is made once, and all have it."""

from __future__ import annotations

from collections import Counter

import pytest
from killing import Watch, events_of, keys_that, kill_tree
from program import events_until

EIGHT = 8


def together(program, build):
    """Eight builds at once; their outcomes."""
    processes = [program.start(*build.words) for _ in range(EIGHT)]
    return [program.finish(process) for process in processes]


def check(outcomes, program, build, counts):
    counts["processes"] = counts.get("processes", 0) + len(outcomes)
    assert [outcome.code for outcome in outcomes] == [0] * len(outcomes), [outcome.last for outcome in outcomes]
    assert not any("Traceback" in outcome.stderr for outcome in outcomes)
    assert all(outcome.last == outcomes[0].last for outcome in outcomes)
    made = Counter(key for outcome in outcomes for key in keys_that(outcome.events, "done"))
    counts["results"] = counts.get("results", 0) + len(made)
    counts["made more than once"] = counts.get("made more than once", 0) + sum(made.values()) - len(made)
    assert made == Counter(key for _, key in build.digests), "each result is made once"
    Watch(program=program, wanted=build, counts=counts).check_end(outcomes[0].last)


@pytest.mark.whole
def test_eight_builds_at_once(real, real_build, counts):
    for _ in range(3):
        program = real()
        check(together(program, real_build), program, real_build, counts)


def test_eight_builds_at_once_of_quick_stages(light, light_fleet, counts, times):
    for _ in range(times(1, 10)):
        program = light()
        check(together(program, light_fleet), program, light_fleet, counts)


@pytest.mark.whole
def test_eight_builds_that_find_all_built(light, light_build):
    program = light()
    first = program.ok(*light_build.words)
    for outcome in together(program, light_build):
        assert (outcome.code, outcome.ids("started"), outcome.last) == (0, [], first.last)


@pytest.mark.parametrize("step", ["ir-fp32", pytest.param("ir-fp16", marks=pytest.mark.whole)])
def test_when_the_builder_is_killed_the_seven_that_wait_go_on(light, light_build, step):
    program = light()
    builder = program.start(*light_build.words)
    wanted = ("stage", step, "started")
    seen = events_until(builder, lambda event: (event["event"], event.get("id"), event.get("state")) == wanted)
    assert seen is not None
    others = [program.start(*light_build.words) for _ in range(EIGHT - 1)]
    kill_tree(builder)
    before = keys_that(seen + events_of(builder.communicate(timeout=60)[0]), "done")
    outcomes = [program.finish(process) for process in others]
    assert [outcome.code for outcome in outcomes] == [0] * len(outcomes), [outcome.last for outcome in outcomes]
    made = Counter(key for outcome in outcomes for key in keys_that(outcome.events, "done"))
    assert made + Counter(before) == Counter(key for _, key in light_build.digests)
    Watch(program=program, wanted=light_build).check_end(outcomes[0].last)
