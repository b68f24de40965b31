"""A full disk and a read-only one: made by hand, and real where a file system may be mounted."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest
from host_doubles import freezing, ir_order

from bertbuild.engine.engine import Engine
from bertbuild.errors import NoSpaceError, StageError, StoreError
from bertbuild.files import digests
from bertbuild.keys import components
from bertbuild.store import store as store_module
from bertbuild.store.store import Store

PARTS = ir_order(components(stage="ir", code="c", environment={}, params={}, inputs={}))
MORE = ir_order(components(stage="ir", code="more", environment={}, params={}, inputs={}))


def writes(size):
    def make(work):
        (work / "out" / "model.bin").write_bytes(bytes(size))
        (work / "out" / "stage.json").write_text("{}")

    return make


def full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def quota(*_args, **_kwargs):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


@pytest.mark.parametrize("error", [full, quota])
@pytest.mark.parametrize("step", ["mkdir", "write_text", "write_bytes", "rename", "fsync"])
def test_a_full_disk_is_told_as_one_and_loses_nothing(engine, root, monkeypatch, step, error):
    kept = engine.stored(PARTS, writes(10))
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "_flush", error) if step == "fsync" else patched.setattr(Path, step, error)
        with pytest.raises(NoSpaceError, match="is full") as raised:
            engine.stored(MORE, writes(10))
    assert str(root) in str(raised.value)
    assert "BERTBUILD_ARTIFACTS" in raised.value.next_step
    assert Store(root).find("ir", kept.key) == kept
    assert list((root / "work").iterdir()) == []
    assert engine.stored(MORE, writes(10)).path.exists()


def test_a_stage_that_fails_beside_one_that_met_a_full_disk_is_told_as_that(engine, source, isolation):
    """By then the other's work folder may be gone, and there is space again."""

    def fill(_run):
        raise NoSpaceError("full")

    def fail(_run):
        raise StageError("no word of why")

    for behaviour in (fill, fail):
        isolation.behaviour["freeze"] = behaviour
        with pytest.raises(NoSpaceError):
            engine.run(freezing(source))


def test_a_stage_that_says_the_disk_is_full_is_believed(engine, source, isolation):
    def fail(_run):
        words = "OSError: [Errno 28] No space left on device"
        raise StageError("The stage freeze failed with exit code 1.", details=words)

    isolation.behaviour["freeze"] = fail
    with pytest.raises(NoSpaceError) as raised:
        engine.run(freezing(source))
    assert raised.value.details == "OSError: [Errno 28] No space left on device"
    assert isinstance(raised.value.__cause__, StageError)


def test_a_stage_that_cannot_even_say_that_the_disk_is_full(small_disk, events, source, isolation):
    """Its words would go into a log on the same disk."""
    engine = Engine(Store(small_disk("size=600k") / "artifacts"), isolation, events)

    def fill(run):
        with pytest.raises(OSError, match="No space left"):
            (run.work / "out" / "inference_graph.pb").write_bytes(bytes(1_000_000))
        raise StageError("The stage freeze failed with exit code 1.", details="")

    isolation.behaviour["freeze"] = fill
    with pytest.raises(NoSpaceError, match="is full"):
        engine.run(freezing(source))


def test_a_disk_with_no_room_for_one_more_file(small_disk, events):
    """The work folder may be made, and the one below it no more."""
    root = small_disk("nr_inodes=40") / "artifacts"
    engine = Engine(Store(root), None, events)
    kept = engine.stored(PARTS, writes(10))
    (root / "locks" / f"ir-{MORE.key}").touch()
    room = os.statvfs(root).f_ffree
    for number in range(room - 1):
        (root.parent / str(number)).touch()
    with pytest.raises(NoSpaceError):
        engine.stored(MORE, writes(10))
    assert list((root / "work").iterdir()) == []
    assert Store(root).find("ir", kept.key) == kept


def test_other_errors_of_the_store_are_told_as_its_own(engine, root, monkeypatch):
    def forbidden(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(root))

    monkeypatch.setattr(Path, "rename", forbidden)
    with pytest.raises(StoreError, match="cannot be used: Permission denied"):
        engine.stored(PARTS, writes(10))
    assert list((root / "work").iterdir()) == []


def test_a_closed_pipe_is_no_error_of_the_store(store):
    def closed(_text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError), store_module.translated_os_errors(store.root):
        closed("waiting")


def test_a_disk_that_is_really_full(small_disk, events):
    root = small_disk("size=600k") / "artifacts"
    engine = Engine(Store(root), None, events)
    kept = engine.stored(PARTS, writes(200_000))
    with pytest.raises(NoSpaceError):
        engine.stored(MORE, writes(500_000))
    assert events.stages()[-1] == ("ir", "failed")
    store = Store(root)
    assert list(store.work.iterdir()) == []
    assert store.load(kept.path) == kept
    assert Engine(store, None, events).stored(MORE, writes(100_000)).path.exists()


def test_a_disk_with_no_room_for_a_store_at_all(small_disk):
    folder = small_disk("size=16k")
    with pytest.raises(OSError, match="No space left"):
        (folder / "filler").write_bytes(bytes(64_000))
    with pytest.raises(NoSpaceError):
        Store(folder / "artifacts").use("downloads/x")


def test_a_read_only_store_can_be_used_but_not_built_in(small_disk, events):
    folder = small_disk("size=1m")
    kept = Engine(Store(folder / "artifacts"), None, events).stored(PARTS, writes(10))
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    store = Store(folder / "artifacts")
    engine = Engine(store, None, events)
    assert engine.stored(PARTS, pytest.fail) == kept
    with pytest.raises(StoreError, match="Read-only file system"):
        engine.stored(MORE, writes(10))
    with pytest.raises(StoreError, match="Read-only file system"):
        store.link("toy", "ir-fp32", kept)
    store.digests.remember(kept.path / "model.bin", "0" * 64)
    store.digests.save()  # a cache that cannot be written is none
    assert digests.DigestCache(folder / "artifacts" / "cache" / "digests.json")._entries == {}


def test_a_store_that_cannot_be_made_on_a_read_only_disk(small_disk):
    folder = small_disk("size=1m,ro")
    with pytest.raises(StoreError, match="Read-only file system"):
        Store(folder / "artifacts").use("downloads/x")
