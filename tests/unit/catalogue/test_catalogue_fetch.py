from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import threading

import pytest
from catalogue_doubles import CHECKPOINT, cut_after, honest, sha, status, zip_of

from bertbuild.catalogue import contents
from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.lockfile import read_lock
from bertbuild.catalogue.models import find_model
from bertbuild.catalogue.sources import Sources
from bertbuild.errors import ArchiveError, DownloadError, IntegrityError, NoSpaceError

WEIGHTS = "bert_model.ckpt.data-00000-of-00001"
UNPUBLISHED = (f"toy_L-1_H-2/{WEIGHTS}", "toy_L-1_H-2/vocab.txt")


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "downloads"


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "models.lock.json"


@pytest.fixture
def get(server, model, downloads, lock, patience):
    server.content = zip_of(CHECKPOINT, top="toy/")

    def run(wanted=model, sources=None, **options):
        sources = sources or Sources(mirror=f"{server.url}/mirror/")
        return fetch(wanted, downloads=downloads, sources=sources, lock=lock, patience=patience, **options)

    return run


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "fetched.json"}


def spoil(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_model_arrives_checked_and_recorded(get, server, model, downloads, lock):
    got = get()
    assert (got.name, got.kind, got.folder) == (model.name, "google-checkpoint", downloads / model.name)
    assert tree(got.folder) == CHECKPOINT
    assert {file.name: (file.bytes, file.sha256) for file in got.files} == {
        name: (len(data), sha(data)) for name, data in CHECKPOINT.items()
    }
    assert got.recorded == UNPUBLISHED
    assert got.repaired == ()
    assert tuple(read_lock(lock)) == UNPUBLISHED
    assert {entry.url for entry in read_lock(lock).values()} == {model.url}
    assert server.paths == ["/mirror/2018_10_18/toy.zip"]


def test_files_are_read_only_and_nothing_is_left_behind(get, downloads):
    folder = get().folder
    assert {path.stat().st_mode & 0o222 for path in folder.iterdir()} == {0}
    assert not [path for path in (downloads / ".zips").iterdir() if path.suffix != ".lock"]
    assert not list((downloads / ".work").iterdir())


def test_a_second_fetch_needs_neither_network_nor_hashing(get, server, monkeypatch):
    first = get()
    monkeypatch.setattr(contents, "sha256_file", None)
    again = get()
    assert len(server.requests) == 1
    assert (again.files, again.recorded) == (first.files, ())


def test_touched_files_are_hashed_once_and_kept(get, server, monkeypatch):
    folder = get().folder
    os.utime(folder / "vocab.txt", (1, 1))
    hashed = []
    real = contents.sha256_file
    monkeypatch.setattr(contents, "sha256_file", lambda path: hashed.append(path.name) or real(path))
    get()
    get()
    assert hashed == ["vocab.txt"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[PAD]", "vocab.txt has 5 bytes, not 12"), (b"[PAD]\n[UNX]\n", "vocab.txt was changed"), (None, "is missing")],
)
def test_a_damaged_file_is_reported_and_fetched_anew(get, server, content, words):
    path = get().folder / "vocab.txt"
    if content is None:
        path.unlink()
    else:
        spoil(path, content)
    said = []
    got = get(note=said.append)
    assert words in got.repaired[0]
    assert words in said[0]
    assert tree(got.folder) == CHECKPOINT
    assert len(server.requests) == 2


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"files": [{"name": "x"}]}'])
def test_a_folder_without_a_readable_record_is_fetched_anew(get, content):
    record = get().folder / "fetched.json"
    record.chmod(0o644)
    record.unlink() if content is None else record.write_text(content)
    assert get().repaired == ("fetched.json is missing or unreadable",)
    assert json.loads(record.read_text())["name"] == "toy_L-1_H-2"


def test_a_damaged_folder_stays_when_it_cannot_be_replaced(get, server):
    folder = get().folder
    spoil(folder / "vocab.txt", b"mine")
    server.steps = [status(404)]
    with pytest.raises(DownloadError):
        get()
    assert tree(folder) == CHECKPOINT | {"vocab.txt": b"mine"}


def test_a_file_that_is_not_the_one_on_record_is_refused(get, server, model, downloads, lock):
    server.content = zip_of(CHECKPOINT | {"bert_model.ckpt.index": b"other"})
    with pytest.raises(IntegrityError) as caught:
        get()
    for word in (sha(b"other"), sha(CHECKPOINT["bert_model.ckpt.index"]), "5 bytes", "100 bytes"):
        assert word in str(caught.value)
    assert "On record from: us" in caught.value.details
    assert not (downloads / model.name).exists()
    assert not lock.exists()


def test_a_bad_zip_is_set_aside_so_that_the_next_call_starts_anew(get, server, downloads):
    good, server.content = server.content, zip_of({"cat.jpg": b""})
    with pytest.raises(ArchiveError, match=r"cat\.jpg") as caught:
        get()
    assert (downloads / ".zips" / "toy_L-1_H-2.zip.bad").read_bytes() == server.content
    assert "toy_L-1_H-2.zip.bad" in caught.value.details
    server.content = good
    assert tree(get().folder) == CHECKPOINT


def test_the_lock_file_is_checked_ever_after(get, server, lock):
    folder = get().folder
    shutil.rmtree(folder)
    server.content = zip_of(CHECKPOINT | {"vocab.txt": b"other"})
    with pytest.raises(IntegrityError, match=r"not the file recorded in models\.lock\.json") as caught:
        get()
    assert f'remove the entry "{UNPUBLISHED[1]}" from {lock}' in caught.value.next_step
    assert not folder.exists()
    content = json.loads(lock.read_text())
    del content["files"][UNPUBLISHED[1]]
    lock.write_text(json.dumps(content))
    assert get().recorded == (UNPUBLISHED[1],)


def test_a_folder_fetched_before_tells_a_new_lock_file(get, server, lock):
    get()
    lock.unlink()
    assert get().recorded == UNPUBLISHED
    assert len(server.requests) == 1


def test_a_folder_that_the_lock_file_disowns_is_not_used(get, lock):
    get()
    content = json.loads(lock.read_text())
    content["files"][UNPUBLISHED[1]]["sha256"] = "0" * 64
    lock.write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match="not the file recorded"):
        get()


def test_a_catalogue_that_learnt_a_hash_is_obeyed(get, model):
    get()
    files = tuple(dataclasses.replace(file, sha256="0" * 64) if file.name == WEIGHTS else file for file in model.files)
    with pytest.raises(IntegrityError, match=f"{WEIGHTS} is not the file on record"):
        get(dataclasses.replace(model, files=files))


def test_a_catalogue_that_asks_for_other_files_is_obeyed(get, model):
    get()
    got = get(dataclasses.replace(model, files=model.files[:3]))
    assert got.repaired == ("vocab.txt is no longer part of it",)
    assert set(tree(got.folder)) == {file.name for file in model.files[:3]}
    assert get().repaired == ("vocab.txt was never fetched",)


def test_a_file_the_zip_lacks_is_named(get, server):
    server.content = zip_of({name: data for name, data in CHECKPOINT.items() if name != "vocab.txt"})
    with pytest.raises(ArchiveError, match=r"does not contain vocab\.txt"):
        get()


def test_an_optional_file_may_be_missing(get, model):
    meta = dataclasses.replace(model.files[0], name="bert_model.ckpt.meta", optional=True)
    assert tree(get(dataclasses.replace(model, files=(*model.files, meta))).folder) == CHECKPOINT


def test_files_nobody_expects_are_left_out(get, server):
    server.content = zip_of(CHECKPOINT | {"run.sh": b"rm"})
    assert tree(get().folder) == CHECKPOINT


def test_an_interrupted_download_goes_on_at_the_next_call(get, server):
    server.steps = [cut_after(50), *[status(503)] * 3]
    with pytest.raises(DownloadError):
        get()
    get()
    assert server.ranges()[-1] == "bytes=50-"


def test_two_fetches_of_one_model_make_one_download(get, server):
    started, waiting = threading.Event(), threading.Event()

    def slow(handler, server):
        started.set()
        waiting.wait(60)
        honest(handler, server)

    server.steps = [slow]
    first = threading.Thread(target=get)
    first.start()
    assert started.wait(60)
    said = []
    got = get(note=lambda sentence: (said.append(sentence), waiting.set()))
    first.join()
    assert said == ["Another process is fetching toy_L-1_H-2; waiting for it."]
    assert tree(got.folder) == CHECKPOINT
    assert len(server.requests) == 1


def test_what_a_crash_left_behind_is_removed(get, downloads):
    left = downloads / ".work" / "toy_L-1_H-2" / "fresh"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    assert tree(get().folder) == CHECKPOINT
    assert not left.exists()


def test_a_complete_folder_is_only_read(get, monkeypatch):
    get()

    def nobody_locks(*_args, **_more):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("bertbuild.catalogue.fetch.exclusive", nobody_locks)
    assert tree(get().folder) == CHECKPOINT


def test_downloads_that_cannot_be_written_are_a_download_error(get, monkeypatch):
    def refused(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("bertbuild.catalogue.fetch.exclusive", refused)
    with pytest.raises(DownloadError, match="cannot be put into") as caught:
        get()
    assert "Permission denied" in caught.value.details


@pytest.mark.parametrize("where", ["archive._write", "fetch.remember"])
def test_a_disk_that_fills_up_keeps_the_zip(get, server, downloads, monkeypatch, where):
    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"bertbuild.catalogue.{where}", full)
        with pytest.raises(NoSpaceError):
            get()
    assert (downloads / ".zips" / "toy_L-1_H-2.zip").exists()
    get()
    assert len(server.requests) == 1


# --- from the user's own disk


@pytest.mark.parametrize("where", ["toy.zip", "toy_L-1_H-2.zip", "2018_10_18/toy.zip"])
def test_a_zip_of_the_users_is_used_and_kept(get, server, tmp_path, where):
    path = tmp_path / "mine" / where
    path.parent.mkdir(parents=True)
    path.write_bytes(server.content)
    assert tree(get(sources=Sources(local=tmp_path / "mine")).folder) == CHECKPOINT
    assert path.read_bytes() == server.content
    assert server.requests == []


@pytest.mark.parametrize("depth", [0, 1])
def test_a_folder_of_the_users_is_copied(get, server, unpacked, depth):
    (unpacked / "training.log").write_text("not ours")
    got = get(sources=Sources(local=[unpacked, unpacked.parent][depth]))
    assert tree(got.folder) == CHECKPOINT
    assert server.requests == []
    assert (unpacked / "vocab.txt").stat().st_mode & 0o200


def test_a_folder_of_the_users_is_checked_the_same_way(get, unpacked):
    (unpacked / "bert_config.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match=r"bert_config\.json is not the file on record"):
        get(sources=Sources(local=unpacked))


@pytest.mark.parametrize("name", [WEIGHTS, "bert_model.ckpt.index"])
def test_a_git_lfs_pointer_is_never_taken_for_the_file(get, unpacked, lock, name):
    (unpacked / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(IntegrityError, match=f"{name} is a Git LFS pointer") as caught:
        get(sources=Sources(local=unpacked))
    assert "git lfs pull" in caught.value.next_step
    assert not lock.exists()


def test_weights_known_to_be_another_models_are_not_recorded(get, unpacked, model, monkeypatch):
    other = find_model("uncased_L-12_H-768_A-12")
    theirs = next(file for file in other.files if file.name == WEIGHTS)
    real = contents.sha256_file
    monkeypatch.setattr(contents, "sha256_file", lambda path: theirs.sha256 if path.name == WEIGHTS else real(path))
    with pytest.raises(IntegrityError, match=f"{WEIGHTS} belongs to uncased_L-12_H-768_A-12, not to {model.name}"):
        get(sources=Sources(local=unpacked))


def test_a_folder_without_the_model_says_what_was_looked_for(get, tmp_path):
    with pytest.raises(DownloadError, match=r"has no toy_L-1_H-2") as caught:
        get(sources=Sources(local=tmp_path))
    assert "2018_10_18/toy.zip" in caught.value.details
    assert "bert_config.json" in caught.value.details
