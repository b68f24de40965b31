from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from bertbuild.files import digests
from bertbuild.files.digests import DigestCache, sha256_file


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def file(tmp_path):
    """A file that was last touched long enough ago to be remembered."""
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    time.sleep(digests.SETTLED_NS / 1e9 + 0.01)
    return path


@pytest.fixture
def reads(monkeypatch):
    """The files that were read."""
    paths = []
    monkeypatch.setattr(digests, "sha256_file", lambda path: paths.append(path) or sha256_file(path))
    return paths


def test_a_file_is_read_once(tmp_path, file, reads):
    for _ in range(2):
        cache = DigestCache(tmp_path / "cache" / "digests.json")
        assert [cache.of(file), cache.of(file)] == [sha(b"weights")] * 2
        cache.save()
    assert reads == [file]


def test_a_change_with_the_same_size_and_a_restored_mtime_is_noticed(tmp_path, file):
    cache = DigestCache(tmp_path / "digests.json")
    before = file.stat()
    assert cache.of(file) == sha(b"weights")
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_mtime_ns, file.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert cache.of(file) == sha(b"WEIGHTS")


def test_a_file_put_in_place_of_another_is_noticed(tmp_path, file):
    cache = DigestCache(tmp_path / "digests.json")
    cache.of(file)
    other = tmp_path / "other"
    other.write_bytes(b"strange")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert cache.of(file) == sha(b"strange")


def test_a_file_touched_just_now_is_not_remembered_even_with_an_old_mtime(tmp_path, reads):
    """Within one step of the file system's clock it may change again without a trace in `stat`."""
    file = tmp_path / "fresh"
    file.write_bytes(b"weights")
    os.utime(file, (1, 1))
    cache = DigestCache(tmp_path / "digests.json")
    cache.of(file)
    cache.of(file)
    assert reads == [file, file]


def test_an_mtime_in_the_future_is_never_trusted(tmp_path, file, reads):
    later = time.time() + 10 * 365 * 86400
    os.utime(file, (later, later))
    time.sleep(digests.SETTLED_NS / 1e9 + 0.01)
    cache = DigestCache(tmp_path / "digests.json")
    assert [cache.of(file), cache.of(file)] == [sha(b"weights")] * 2
    assert reads == [file, file]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", '{"FILE": 5}', '{"FILE": []}', '{"FILE": "x"}', '{"FILE": [1]}', "\udcff"]
)
def test_a_corrupted_cache_is_ignored_and_replaced(tmp_path, file, content):
    path = tmp_path / "digests.json"
    path.write_text(content.replace("FILE", str(file)), errors="surrogateescape")
    cache = DigestCache(path)
    assert cache.of(file) == sha(b"weights")
    cache.save()
    assert json.loads(path.read_text())[str(file)][-1] == sha(b"weights")


def test_a_cache_that_cannot_be_written_is_none(tmp_path, file):
    (tmp_path / "occupied").write_text("no folder")
    cache = DigestCache(tmp_path / "occupied" / "digests.json")
    assert cache.of(file) == sha(b"weights")
    cache.save()
    assert (tmp_path / "occupied").read_text() == "no folder"


def test_what_is_forgotten_is_read_again_and_what_is_gone_is_dropped(tmp_path, file, reads):
    cache = DigestCache(tmp_path / "digests.json")
    cache.of(file)
    cache.forget([file])
    cache.of(file)
    assert reads == [file, file]
    file.unlink()
    cache.save()
    assert json.loads((tmp_path / "digests.json").read_text()) == {}


def test_large_files_have_the_same_digest_on_every_python(tmp_path):
    path = tmp_path / "large"
    content = bytes(range(256)) * (digests.CHUNK // 256) + b"and a bit"
    path.write_bytes(content)
    with path.open("rb") as stream:
        assert digests._sha256(stream) == sha256_file(path) == sha(content)


def test_a_tree_digest_is_sha256_over_the_sha256_of_the_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "PIECE", 3 * digests.CHUNK)
    content = bytes(range(251)) * (7 * digests.CHUNK // 251) + b"and a bit"
    path = tmp_path / "file"
    for size in (0, 1, 3 * digests.CHUNK, len(content)):
        path.write_bytes(content[:size])
        starts = range(0, size, digests.PIECE)
        pieces = [hashlib.sha256(content[start : min(start + digests.PIECE, size)]).digest() for start in starts]
        assert digests.tree_digest(path) == sha(b"".join(pieces))
