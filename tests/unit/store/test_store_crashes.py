"""The store under kill -9, and under many processes at once: real processes, real signals."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from host_doubles import Events, exit_code, in_child, ir_order, wait_until

from bertbuild.engine.engine import Engine
from bertbuild.keys import components, digest
from bertbuild.store.store import Store

OUTPUT = {f"part-{number}": bytes([number]) * 200_000 for number in range(8)}


def parts_of(number):
    return components(stage="ir", code="c", environment={}, params={"n": str(number)}, inputs={})


def build(root, number, *, log=None, pause=0.0, events=None):
    """Build as the engine does; each real run appends a line to `log`."""

    def make(work):
        if log is not None:
            with log.open("a") as file:
                file.write(f"{number}\n")
        for name, content in OUTPUT.items():
            (work / "out" / name).write_bytes(content)
        (work / "out" / "stage.json").write_text("{}")
        time.sleep(pause)

    events = Events() if events is None else events
    return Engine(Store(root), None, events).stored(ir_order(parts_of(number)), make)


def whole(store, number):
    """Whether a result is published; one that is half-published fails the test."""
    found = store.find_or_set_aside("ir", digest(parts_of(number)), on_damage=pytest.fail)
    return found is not None and all((found.path / name).read_bytes() == content for name, content in OUTPUT.items())


def test_kill_9_at_any_instant_loses_at_most_the_stage_in_progress(root):
    chance = random.Random(7)  # noqa: S311 - instants, not secrets
    published, killed, longest = set(), 0, 0.1
    for _ in range(25):

        def build_many():
            for number in range(10_000):
                build(root, number)

        child = in_child(build_many)
        time.sleep(chance.uniform(0.005, longest))
        os.kill(child, signal.SIGKILL)
        killed += exit_code(child) == -signal.SIGKILL

        store = Store(root)
        assert list(store.work.iterdir()) == []
        now = {path.name for path in (store.objects / "ir").glob("*")}
        assert published <= now
        published = now
        longest *= 1 if published else 1.3  # where other programs leave little of the processor
        assert now == {digest(parts_of(number)) for number in range(len(now))}
        assert all(whole(store, number) for number in range(len(now)))
    assert killed == 25
    assert published
    assert not (root / "damaged").exists()


@pytest.mark.parametrize("instant", ["fsync", "chmod", "rename", "after rename"])
def test_kill_9_at_each_step_of_publishing_leaves_all_or_nothing(root, instant):
    def die(*_args, **_kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    def build_and_die():
        from pathlib import Path

        from bertbuild.store import store as store_module

        if instant == "fsync":
            store_module._flush = die
        elif instant == "after rename":
            rename = Path.rename
            Path.rename = lambda path, target: (rename(path, target), die())
        else:
            setattr(Path, instant, die)
        build(root, 0)

    assert exit_code(in_child(build_and_die)) == -signal.SIGKILL
    assert (root / "work" / f"ir-{digest(parts_of(0))}").exists()
    store = Store(root)
    assert list(store.work.iterdir()) == []
    assert whole(store, 0) == (instant == "after rename")
    build(root, 0)
    assert whole(store, 0)


@pytest.mark.parametrize("count", [2, 8])
def test_processes_that_build_the_same_at_once_build_it_once_and_all_have_it(root, tmp_path, count):
    log = tmp_path / "runs"
    children = [in_child(lambda: build(root, 0, log=log, pause=0.1)) for _ in range(count)]
    assert [exit_code(child) for child in children] == [0] * count
    assert log.read_text() == "0\n"
    assert whole(Store(root), 0)


def test_processes_that_meet_a_damaged_result_at_once_set_it_aside_once(root, tmp_path):
    (build(root, 0).path / "part-0").unlink()
    log = tmp_path / "runs"
    children = [in_child(lambda: build(root, 0, log=log, pause=0.1)) for _ in range(8)]
    assert [exit_code(child) for child in children] == [0] * 8
    assert log.read_text() == "0\n"
    assert len(list((root / "damaged").iterdir())) == 1
    assert whole(Store(root), 0)


def test_who_waits_for_another_process_says_so(root, tmp_path):
    log = tmp_path / "runs"
    child = in_child(lambda: build(root, 0, log=log, pause=0.3))
    wait_until(log.exists)
    events = Events()
    build(root, 0, events=events)
    assert exit_code(child) == 0
    assert events.texts("note") == [f"another process is building ir {digest(parts_of(0))[:12]}; waiting for it"]
    assert events.stages() == [("ir", "cached")]


def test_when_the_builder_dies_the_one_that_waits_builds(root, tmp_path):
    log = tmp_path / "runs"
    builder = in_child(lambda: build(root, 0, log=log, pause=60))
    wait_until(log.exists)
    waiter = in_child(lambda: build(root, 0, log=log))
    time.sleep(0.1)
    os.kill(builder, signal.SIGKILL)
    exit_code(builder)
    assert exit_code(waiter) == 0
    assert log.read_text() == "0\n0\n"
    assert whole(Store(root), 0)
