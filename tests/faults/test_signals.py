"""Ctrl-C and SIGTERM at any instant: exit 130, nobody left, and the next run goes on."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time

import pytest
from killing import Watch, events_of
from processes import left_after

INTERRUPTED = 130
SECONDS_TO_END = 10.0
OF_ONE_STORE = 8
"""So many signals at most before a store is left to be built."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt_often(make, build, counts, *, wanted, seed):
    """Interrupt builds until that was done as often as wanted; each is finished, after eight signals at most."""
    chance = random.Random(seed)  # noqa: S311 - instants, not secrets
    counts |= {"signals": 0, "before anything began": 0, "stores built": 0, "slowest end in ms": 0}
    pace = 1.0  # of the time that the undisturbed build took
    while counts["signals"] < wanted:
        watch = Watch(program=make(), wanted=build, counts=counts)
        enough = min(wanted, counts["signals"] + OF_ONE_STORE)
        while counts["signals"] < enough:
            left = pace * build.left({key for _, key in watch.kept})
            process = watch.program.start(*build.words)
            sent = 0
            try:
                process.wait(chance.uniform(0, left))
            except subprocess.TimeoutExpired:
                sent = SIGNALS[counts["signals"] % 2]
                process.send_signal(sent)
            began = time.monotonic()
            stdout, stderr = process.communicate(timeout=60)
            assert left_after(SECONDS_TO_END - (time.monotonic() - began), watch.program.artifacts) == []
            took = time.monotonic() - began
            events = events_of(stdout)
            watch.after(events)
            starting = process.returncode == -sent or "init_import_site" in stderr
            if not events and starting:  # the interpreter itself
                counts["before anything began"] += 1
                continue
            assert "Traceback" not in stderr, stderr
            if process.returncode == 0:  # it was done before the signal came
                pace *= 0.9
                break
            counts["signals"] += 1
            counts["slowest end in ms"] = max(counts["slowest end in ms"], int(took * 1000))
            assert process.returncode == INTERRUPTED, (sent, events[-1:], stderr)
            assert (events[-1].get("error"), bool(events[-1].get("next_step"))) == ("Interrupted", True)
            assert not list(watch.program.artifacts.glob("work/*"))
        watch.finished(*build.words)
        counts["stores built"] += 1
        shutil.rmtree(watch.program.artifacts.parent)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A shell starts what runs in the background with SIGINT ignored, which the program would inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.whole
def test_signals_at_random_instants_of_a_build(real, real_build, counts):
    interrupt_often(real, real_build, counts, wanted=30, seed=3)


def test_signals_at_random_instants_of_the_host(light, light_build, counts, times):
    interrupt_often(light, light_build, counts, wanted=times(4, 60), seed=4)


@pytest.mark.whole
def test_signals_at_random_instants_of_a_build_file(light, light_fleet, counts):
    interrupt_often(light, light_fleet, counts, wanted=50, seed=5)
