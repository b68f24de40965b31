from __future__ import annotations

import json
import threading

import pytest

from bertbuild.catalogue.lockfile import LockEntry, check_or_record, read_lock
from bertbuild.errors import IntegrityError, LockFileError


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "models.lock.json"


def entry(letter="a", size=3):
    return LockEntry(bytes=size, sha256=letter * 64, url="https://example.org/toy.zip")


def test_the_first_sight_is_recorded_and_later_ones_are_checked(lock):
    assert check_or_record(lock, {"toy/b": entry(), "toy/a": entry("c")}) == ("toy/a", "toy/b")
    assert check_or_record(lock, {"toy/b": entry()}) == ()
    assert read_lock(lock) == {"toy/a": entry("c"), "toy/b": entry()}


def test_the_file_is_sorted_stable_and_without_dates(lock):
    check_or_record(lock, {"toy/b": entry("b")})
    check_or_record(lock, {"toy/a": entry("a")})
    once = lock.read_text()
    lock.unlink()
    check_or_record(lock, {"toy/a": entry("a"), "toy/b": entry("b")})
    assert lock.read_text() == once
    fields = {"bytes": 3, "url": "https://example.org/toy.zip"}
    files = {"toy/a": fields | {"sha256": "a" * 64}, "toy/b": fields | {"sha256": "b" * 64}}
    assert json.loads(once) == {"files": files, "version": 1}
    assert once.index("toy/a") < once.index("toy/b")
    assert once.endswith("}\n")


@pytest.mark.parametrize("other", [entry("b"), entry(size=4)])
def test_another_file_is_an_integrity_error_and_changes_nothing(lock, other):
    check_or_record(lock, {"toy/b": entry()})
    before = lock.read_text()
    with pytest.raises(IntegrityError) as caught:
        check_or_record(lock, {"toy/a": entry(), "toy/b": other})
    for word in (entry().sha256, other.sha256, "3 bytes", f"{other.bytes} bytes"):
        assert word in str(caught.value)
    assert f'remove the entry "toy/b" from {lock}' in caught.value.next_step
    assert lock.read_text() == before


def test_a_moved_url_is_no_mismatch(lock):
    check_or_record(lock, {"toy/a": entry()})
    moved = LockEntry(bytes=3, sha256="a" * 64, url="https://elsewhere.example.org/toy.zip")
    assert check_or_record(lock, {"toy/a": moved}) == ()


def test_nothing_found_writes_nothing(lock):
    assert check_or_record(lock, {}) == ()
    assert not lock.exists()


BROKEN = ["", "{", "[]", '{"version": 1}', '{"version": 1, "files": {"a": {"bytes": 1}}}']


@pytest.mark.parametrize("content", [*BROKEN, pytest.param("[" * 200_000, id="nested without end")])
def test_a_broken_lock_file_is_named(lock, content):
    lock.write_text(content)
    with pytest.raises(LockFileError, match=r"models\.lock\.json cannot be read") as caught:
        check_or_record(lock, {"toy/a": entry()})
    assert "version control" in caught.value.next_step
    assert lock.read_text() == content


def test_a_lock_file_of_the_future_is_not_guessed_at(lock):
    lock.write_text('{"version": 2, "files": {}}')
    with pytest.raises(LockFileError, match="has version 2"):
        read_lock(lock)


def test_a_lock_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LockFileError, match="cannot be written"):
        check_or_record(tmp_path / "file" / "models.lock.json", {"toy/a": entry()})


def test_many_writers_lose_nothing(lock):
    threads = [threading.Thread(target=check_or_record, args=(lock, {f"toy/{n}": entry()})) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_lock(lock)) == sorted(f"toy/{n}" for n in range(12))
    assert [path.name for path in lock.parent.iterdir()] == [lock.name]
