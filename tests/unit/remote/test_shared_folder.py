from __future__ import annotations

import hashlib
import io
import os
import time
from functools import partial

import pytest

pytest.importorskip("securesystemslib")

from provenance_doubles import frozen
from remote_doubles import keys_in

from bertbuild.config import Settings
from bertbuild.errors import RemoteError, UsageError
from bertbuild.remote.bringing import bring
from bertbuild.remote.opening import open_remote
from bertbuild.remote.protocols import result_name
from bertbuild.remote.shared_folder import Folder
from bertbuild.store.store import Store


@pytest.fixture
def place(tmp_path):
    (tmp_path / "shared – ü").mkdir()
    return tmp_path / "shared – ü"


@pytest.fixture
def settings(place, tmp_path):
    key, public = keys_in(tmp_path / "keys")
    return Settings(remote=f"file://{place}", remote_trust=public, remote_key=key, remote_write=True)


def test_a_result_goes_from_one_store_into_another(store, settings, place, tmp_path):
    remote = open_remote(settings)
    stored = frozen(store, tmp_path / "model")
    name = result_name(stored.stage, stored.key)
    assert remote.has([name]) == set()
    remote.push(stored)
    assert remote.has([name, "x"]) == {name}
    assert list(remote.transport.names()) == [name]
    (tmp_path / "second").mkdir()
    found = bring(remote, Store(tmp_path / "second"), stored.stage, stored.key, on_wait=pytest.fail)
    assert found.manifest == stored.manifest
    assert not [path for path in place.rglob("*") if path.name.startswith(".")]  # nothing unfinished


def test_the_second_of_two_writers_is_told(place):
    folder = Folder("file:///r", place)
    assert folder.put_manifest("a", b"1", replace=False)
    assert not folder.put_manifest("a", b"2", replace=False)
    assert folder.manifest("a", 10) == b"1"
    assert folder.put_manifest("a", b"3", replace=True)
    assert folder.manifest("a", 10) == b"3"


def test_a_blob_that_is_not_what_it_is_called_does_not_come_in(place):
    folder = Folder("file:///r", place)
    with pytest.raises(RemoteError, match="changed while it was sent"):
        folder.put_blob("0" * 64, 1, partial(io.BytesIO, b"x"), abs)
    assert not folder.has_blob("0" * 64)


def test_a_folder_that_is_not_mounted_is_not_taken_for_an_empty_one(tmp_path):
    folder = Folder("file:///r", tmp_path / "nothing")
    for ask in (lambda: folder.manifest("a", 1), lambda: folder.put_manifest("a", b"", replace=False)):
        with pytest.raises(RemoteError, match="no such folder"):
            ask()
    assert not (tmp_path / "nothing").exists()


def test_blobs_that_nothing_uses_go_after_a_day_unless_someone_asks_for_them(place):
    folder = Folder("file:///r", place)
    digests = [f"{number}" * 64 for number in range(4)]
    then = time.time() - 2 * 86400
    for digest in digests:
        path = place / "blobs" / digest[:2] / digest
        path.parent.mkdir(parents=True)
        path.write_text(digest)
        os.utime(path, (then, then) if digest != digests[3] else None)
    assert folder.has_blob(digests[2])  # whoever asks is about to name it in a manifest
    assert folder.collect(lambda: digests[:1]) == 64
    assert [folder.has_blob(digest) for digest in digests] == [True, False, True, True]


def test_a_clock_that_is_days_ahead_of_the_servers_removes_nothing_that_is_on_its_way(place, monkeypatch):
    folder = Folder(f"file://{place}", place)
    digest = hashlib.sha256(b"new").hexdigest()
    folder.put_blob(digest, 3, lambda: io.BytesIO(b"new"), abs)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 86400)
    assert folder.collect(list) == 0
    assert folder.has_blob(digest)
    assert [path.name for path in place.iterdir()] == ["blobs"]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("ftp://x/y", "is of no known form"),
        ("/folder", "is of no known form"),
        ("oci://", "is of no known form"),
        ("file://folder", "has no absolute path"),
    ],
)
def test_an_address_that_is_none_is_refused(address, told):
    with pytest.raises(UsageError, match=told):
        open_remote(Settings(remote=address))


def test_writing_without_a_key_is_refused(place):
    with pytest.raises(UsageError, match="no private key is named"):
        open_remote(Settings(remote=f"file://{place}", remote_write=True))


def test_without_an_address_there_is_none():
    assert open_remote(Settings(remote_write=True)) is None
