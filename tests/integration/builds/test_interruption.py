from __future__ import annotations

import hashlib
import json
import random
import signal
import time

import pytest
from processes import left_after, processes_over
from program import events_until

pytestmark = pytest.mark.integration

KILLED_IN = (("ir-fp32", 0.1), ("reference", 0.3), ("reference", 0.5), ("ir-fp32-infer", 0.2))
"""Steps of a build, and within how many seconds of each one's start the program is killed."""


def started(step):
    return lambda event: (event["event"], event.get("id"), event.get("state")) == ("stage", step, "started")


def assert_whole(program):
    """Every published result has all the bytes of its manifest."""
    for path in program.artifacts.glob("objects/*/*"):
        manifest = json.loads((path / "manifest.json").read_text())
        for name, entry in manifest["files"].items():
            assert hashlib.sha256((path / name).read_bytes()).hexdigest() == entry["sha256"]


def artifacts_of(program):
    """(stage, key) → digest of what is delivered; answers are compared by the gate, not by their bits."""
    return {name: digest for name, digest in program.digests().items() if name[0] == "ir-direct"}


@pytest.mark.whole
def test_killed_at_random_instants_it_ends_with_the_same_artifacts(fresh, bertbuild, tiny, tiny_built):
    chance = random.Random(20181011)  # noqa: S311 - not for secrets
    kills = 0
    for step, span in KILLED_IN:
        process = fresh.start("build-ir", "--checkpoint", tiny)
        if events_until(process, started(step)) is not None:
            time.sleep(chance.uniform(0, span))
            process.kill()
            kills += 1
        process.communicate(timeout=60)
        assert left_after(1.0, fresh.artifacts) == []
        assert_whole(fresh)
    assert kills >= 3
    done = fresh.ok("build-ir", "--checkpoint", tiny)
    assert done.verdict("ir-fp32")["passed"]
    assert_whole(fresh)
    assert list((fresh.artifacts / "work").iterdir()) == []
    wanted = {step: key for step, (_, key) in bertbuild.record("tiny", "ir-fp32")["results"].items()}
    assert tiny_built.last["targets"][0]["key"] == done.last["targets"][0]["key"] == wanted["ir-fp32"]
    made = artifacts_of(fresh)
    assert {stage for stage, _ in made} == {"ir-direct"}
    assert made.items() <= artifacts_of(bertbuild).items()


def test_nothing_of_the_model_optimizer_outlives_a_kill(bertbuild, tiny, tiny_built):
    assert tiny_built.code == 0
    flags = ("--converter", "mo", "--route", "reshapeable", "--name", "killed")
    process = bertbuild.start("build-ir", "--checkpoint", tiny, *flags)
    assert events_until(process, lambda event: event.get("text", "").startswith("mo --input_model")) is not None
    time.sleep(0.7)
    assert len(processes_over(bertbuild.artifacts)) >= 2, "the program and its stage"
    process.kill()
    process.communicate(timeout=60)
    assert left_after(3.0, bertbuild.artifacts) == []
    assert not bertbuild.out("killed", "ir-mo-fp32").exists()


def test_ctrl_c_ends_the_stage_and_says_how_to_go_on(fresh, tiny):
    process = fresh.start("build-ir", "--checkpoint", tiny)
    assert events_until(process, started("reference")) is not None
    process.send_signal(signal.SIGINT)
    outcome = fresh.finish(process)
    assert outcome.code == 130
    assert outcome.last["error"] == "Interrupted"
    assert outcome.last["next_step"]
    assert "Traceback" not in outcome.stderr
    assert left_after(1.0, fresh.artifacts) == []
    assert list((fresh.artifacts / "work").iterdir()) == []


@pytest.mark.whole
def test_two_builds_at_once_make_each_result_once(fresh, tiny):
    processes = [fresh.start("build-ir", "--checkpoint", tiny) for _ in range(2)]
    outcomes = [fresh.finish(process) for process in processes]
    assert [outcome.code for outcome in outcomes] == [0, 0], [outcome.last for outcome in outcomes]
    done = sorted(step for outcome in outcomes for step in outcome.ids("done"))
    assert done == sorted({"inspect", "tokenizer", "reference", "ir-fp32", "ir-fp32-infer", "parity ir-fp32"})
    assert outcomes[0].last == outcomes[1].last
    assert any("another process is building" in note for outcome in outcomes for note in outcome.notes)
