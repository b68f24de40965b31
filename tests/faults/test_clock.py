"""A clock that is set back, or forward, and files with times that are old, equal or to come: correct work."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from killing import WHOLE, Watch, keys_that
from program import events_until

HOOKS = Path(__file__).parent / "hooks"
DAY = 86_400
SHIFTS = {
    "a day back": -DAY,
    **({"twenty years back": -20 * 365 * DAY, "ten years on": 10 * 365 * DAY, "an hour on": 3600} if WHOLE else {}),
}


def at(program, seconds):
    """The program with a clock that is off by some seconds."""
    return program.having(PYTHONPATH=f"{HOOKS}:{program.root}", FAULTS_CLOCK=seconds)


@pytest.fixture
def model(tiny, tmp_path):
    """The tiny checkpoint in a folder that the test may change, under the same name."""
    return shutil.copytree(tiny, tmp_path / "models" / "tiny")


def rewritten(path, change):
    """Change a file's bytes in place, as many as before, and give it the times that it had."""
    facts = path.stat()
    content = path.read_bytes()
    path.write_bytes(change(content))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_clock_set_between_builds(light, light_build, shift):
    program = light()
    watch = Watch(program=program, wanted=light_build)
    process = program.start(*light_build.words)
    wanted = ("stage", "ir-fp32", "started")
    seen = events_until(process, lambda event: (event["event"], event.get("id"), event.get("state")) == wanted)
    assert seen is not None
    process.send_signal(signal.SIGTERM)
    watch.after(seen + program.finish(process).events)
    assert watch.kept

    other = at(program, SHIFTS[shift])
    outcome = other.ok(*light_build.words)
    watch.after(outcome.events)
    watch.check_end(outcome.last)
    for again in (program, at(program, -SHIFTS[shift])) if WHOLE else (program,):
        assert again.ok(*light_build.words).ids("started") == []


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_changed_checkpoint_is_noticed_whatever_its_time(light, model, shift):
    """As long as before and of the same time or an older one, written in place or put in its place."""
    program = at(light(), SHIFTS[shift])
    vocabulary = model / "vocab.txt"
    first = vocabulary.read_bytes()
    keys = set()

    def build(*, is_new):
        key = program.ok("build-ir", "--checkpoint", model).last["targets"][0]["key"]
        assert (key not in keys) is is_new
        keys.add(key)

    build(is_new=True)
    build(is_new=False)
    rewritten(vocabulary, lambda content: content.replace(b"w59", b"x59"))
    build(is_new=True)
    replacement = model / "replacement"
    replacement.write_bytes(first.replace(b"w59", b"y59"))
    os.utime(replacement, (1, 1))
    replacement.replace(vocabulary)
    build(is_new=True)
    rewritten(vocabulary, lambda _: first)
    build(is_new=False)


@pytest.mark.whole
@pytest.mark.parametrize("year", [1970, 2100])
def test_a_checkpoint_from_another_time(light, model, year):
    program = light()
    words = ("build-ir", "--checkpoint", model)
    moment = (year - 1970) * 365.25 * DAY + 1
    for path in model.iterdir():
        os.utime(path, (moment, moment))
    first = program.ok(*words)
    assert program.ok(*words).ids("started") == []
    rewritten(model / "vocab.txt", lambda content: content.replace(b"w59", b"x59"))
    assert program.ok(*words).last["targets"][0]["key"] != first.last["targets"][0]["key"]


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_damaged_result_is_noticed_whatever_its_time(light, light_build, shift):
    program = light()
    program.ok(*light_build.words)
    path = program.result("tiny", "ir-fp32", "ir-fp32") / "model.bin"
    path.chmod(0o644)
    rewritten(path, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    path.chmod(0o444)
    outcome = at(program, SHIFTS[shift]).ok(*light_build.words)
    assert keys_that(outcome.events, "done") == [path.parent.name]
    assert len([text for text in outcome.warnings if "in the store is damaged" in text]) == 1
    assert program.digests() == light_build.digests
