"""Uses and locks between processes: shares that end with their process, and lock files that may be removed."""

from __future__ import annotations

import os
import signal

from host_doubles import exit_code, in_child, wait_until
from small_store import while_it_runs

from bertbuild.files.locking import exclusive, if_free, is_held, remove_lock
from bertbuild.store.in_use import Uses


def test_what_another_process_uses_cannot_be_claimed_until_it_ends(tmp_path):
    def use():
        uses = Uses(tmp_path / "in-use")
        uses.add("a")
        return uses

    mine = Uses(tmp_path / "in-use")
    with while_it_runs(use) as child:
        assert mine.elsewhere("a")
        assert not mine.elsewhere("b")
        with mine.claimed("a") as claimed, mine.claimed("b") as other:
            assert (claimed, other) == (False, True)
        mine.add("a")  # many may use one thing
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert not mine.elsewhere("a")


def test_who_begins_to_use_a_claimed_thing_waits_until_it_is_given_back(tmp_path):
    mine = Uses(tmp_path / "in-use")
    log = tmp_path / "log"

    def use():
        Uses(tmp_path / "in-use").add("a")
        log.write_text(log.read_text() + "used")

    log.write_text("")
    with mine.claimed("a"):
        child = in_child(use)
        log.write_text("removed, ")
    assert exit_code(child) == 0
    assert log.read_text() == "removed, used"


def test_two_stores_of_one_process_count_as_two(tmp_path):
    one, other = Uses(tmp_path / "in-use"), Uses(tmp_path / "in-use")
    one.add("a")
    assert other.elsewhere("a")
    del one
    assert not other.elsewhere("a")


def test_without_lock_files_things_can_be_used_and_nothing_can_be_claimed(tmp_path):
    uses = Uses(tmp_path / "no such folder" / "in-use")
    uses.add("a")
    assert not uses.elsewhere("a")
    with uses.claimed("a") as claimed:
        assert claimed is False


def test_who_may_only_read_the_lock_files_is_respected(tmp_path, monkeypatch):
    mine = Uses(tmp_path / "in-use")
    real = os.open

    def read_only(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError
        return real(path, flags, *mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", read_only)
        reader = Uses(tmp_path / "in-use")
    reader.add("a")
    assert mine.elsewhere("a")
    with reader.claimed("b") as claimed:
        assert claimed is False


def test_locks_exclude_each_other_while_their_files_are_removed(tmp_path):
    """Four processes count under a lock whose file a fifth, and they themselves, keep removing."""
    lock, count = tmp_path / "lock", tmp_path / "count"
    count.write_text("0")

    def add():
        for number in range(150):
            with exclusive(lock):
                count.write_text(str(int(count.read_text()) + 1))
                if number % 3 == 0:
                    lock.unlink()

    def remove():
        for _ in range(300):
            remove_lock(lock)

    children = [in_child(add) for _ in range(4)] + [in_child(remove)]
    assert [exit_code(child) for child in children] == [0] * 5
    assert count.read_text() == "600"


def test_a_lock_that_is_held_is_seen_and_not_removed(tmp_path):
    lock = tmp_path / "lock"
    assert not is_held(lock)
    assert not lock.exists()
    with exclusive(lock):
        assert is_held(lock)
        assert not remove_lock(lock)
        with if_free(lock) as free:
            assert free is False
        assert lock.exists()
    assert not is_held(lock)
    assert remove_lock(lock)
    assert not lock.exists()


def test_who_waited_for_a_lock_whose_file_was_removed_is_told_once(tmp_path):
    lock, log = tmp_path / "lock", tmp_path / "log"

    def wait():
        with exclusive(lock, on_wait=lambda: log.open("a").write("waiting ")):
            log.open("a").write("got it")

    def hold():
        held = exclusive(lock)
        held.__enter__()
        return held

    with while_it_runs(hold):
        child = in_child(wait)
        wait_until(lambda: log.exists() and log.read_text())
        lock.unlink()
    assert exit_code(child) == 0
    assert log.read_text() == "waiting got it"
