"""The table of states in store.py's docstring, row by row, and what else a store promises."""

from __future__ import annotations

import errno
import json
import os
import signal
import string
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from host_doubles import exit_code, in_child
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.errors import StoreError
from bertbuild.files.disk import write_atomically
from bertbuild.files.locking import exclusive
from bertbuild.keys import components, digest
from bertbuild.stages import MANIFEST
from bertbuild.store.store import Store

FILES = {"model.bin": "weights", "variables/index": "names", "stage.json": '{"seconds": 1}'}
PARTS = components(stage="ir", code="c", environment={}, params={}, inputs={"a": "b"})
KEY = digest(PARTS)


def publish(store, files=FILES, parts=PARTS, stage="ir"):
    key = digest(parts)
    with store.lock(stage, key, on_wait=pytest.fail) as work:
        for name, content in files.items():
            path = work / "out" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return store.publish(stage, key, work, parts)


def files_in(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def rewrite(path, change):
    """Change a read-only file as a careless hand would."""
    path.chmod(0o644)
    path.write_text(change(path.read_text()))


def edited(**changes):
    """A function that changes entries of a manifest."""
    return lambda text: json.dumps({**json.loads(text), **changes})


def test_nothing_is_found_where_nothing_is(store):
    assert store.find("ir", KEY) is None
    assert store.find_or_set_aside("ir", KEY, on_damage=pytest.fail) is None


def test_what_is_published_is_found_whole(store, root):
    made = publish(store)
    found = Store(root).find("ir", KEY)
    assert found == made
    assert found.path == root / "objects" / "ir" / KEY
    assert files_in(found.path) == FILES
    assert found.manifest["components"] == PARTS
    assert json.loads((found.path / "stage.json").read_text()) == {"seconds": 1}
    assert list((root / "work").iterdir()) == []


def test_published_files_are_read_only(store):
    path = publish(store).path
    assert {file.stat().st_mode & 0o777 for file in path.rglob("*") if file.is_file()} == {0o444}


def test_the_facts_of_a_run_are_no_part_of_the_digest(store):
    one = publish(store)
    parts = {**PARTS, "code": "another"}
    other = publish(store, {**FILES, "stage.json": '{"seconds": 2}'}, parts)
    assert one.digest == other.digest
    assert publish(store, {**FILES, "model.bin": "w"}, {**PARTS, "code": "a third"}).digest != one.digest


DAMAGE = {
    "a changed file": (lambda path: rewrite(path / "model.bin", str.upper), "model.bin changed"),
    "a longer file": (lambda path: rewrite(path / "model.bin", lambda text: text + "!"), "model.bin changed"),
    "a changed file below": (lambda path: rewrite(path / "variables/index", str.upper), "variables/index changed"),
    "changed facts": (lambda path: rewrite(path / "stage.json", str.upper), "stage.json changed"),
    "a missing file": (lambda path: (path / "model.bin").unlink(), "model.bin is missing"),
    "a missing manifest": (lambda path: (path / MANIFEST).unlink(), "manifest.json is missing"),
    "a file too many": (lambda path: (path / "extra").touch(), "extra does not belong there"),
    "an empty manifest": (lambda path: rewrite(path / MANIFEST, lambda _: ""), "manifest.json cannot be read"),
    "a torn manifest": (lambda path: rewrite(path / MANIFEST, lambda text: text[:60]), "manifest.json cannot be read"),
    "a list as manifest": (lambda path: rewrite(path / MANIFEST, lambda _: "[]"), "manifest.json cannot be read"),
    "another digest": (lambda path: rewrite(path / MANIFEST, edited(digest="0" * 64)), "manifest.json changed"),
    "other components": (lambda path: rewrite(path / MANIFEST, edited(components={})), "manifest.json changed"),
    "no files": (lambda path: rewrite(path / MANIFEST, edited(files={})), "manifest.json changed"),
    "odd files": (
        lambda path: rewrite(path / MANIFEST, edited(files={"model.bin": 3})),
        "manifest.json cannot be read",
    ),
    "another key": (lambda path: rewrite(path / MANIFEST, edited(key="0" * 64)), "manifest.json changed"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_result_is_reported_set_aside_and_built_again(store, damage):
    made = publish(store)
    harm, problem = DAMAGE[damage]
    harm(made.path)
    damaged = files_in(made.path)
    told = []

    assert store.find("ir", KEY) is None
    assert made.path.exists()  # without the lock, it is only not used
    with pytest.raises(StoreError, match="is damaged"):
        store.peek(made.path)

    assert store.find_or_set_aside("ir", KEY, on_damage=told.append) is None
    aside = store.root / "damaged" / f"ir-{KEY}-1"
    assert len(told) == 1
    assert told[0].startswith(f"ir {KEY[:12]} in the store is damaged ({problem}")
    assert told[0].endswith(f"); set aside as {aside}, built again")
    assert files_in(aside) == damaged
    assert not made.path.exists()

    assert files_in(publish(store).path) == FILES
    assert store.find("ir", KEY) is not None


def test_damaged_results_set_aside_never_overwrite_each_other(store):
    for content in ("one", "two"):
        rewrite(publish(store).path / "model.bin", lambda _, content=content: content)
        store.find_or_set_aside("ir", KEY, on_damage=len)
    damaged = sorted((store.root / "damaged").iterdir())
    assert [(path.name[-2:], (path / "model.bin").read_text()) for path in damaged] == [("-1", "one"), ("-2", "two")]


def test_damage_with_restored_times_is_noticed_by_the_next_start(store, root):
    made = publish(store)
    store.digests.save()
    file = made.path / "model.bin"
    before = file.stat()
    rewrite(file, str.upper)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Store(root).find("ir", KEY) is None


def test_a_file_dated_in_the_future_is_still_a_good_file(store, root):
    """As after the clock was set back."""
    made = publish(store)
    later = time.time() + 86400
    for path in (made.path, *made.path.rglob("*")):
        os.utime(path, (later, later))
    assert Store(root).find("ir", KEY) is not None


def test_load_hashes_every_byte_whatever_was_remembered(store):
    made = publish(store)
    file = made.path / "model.bin"
    rewrite(file, str.upper)
    store.digests.remember(file, made.manifest["files"]["model.bin"]["sha256"])
    assert store.peek(made.path) == made
    with pytest.raises(StoreError, match=r"model\.bin changed"):
        store.load(made.path)


def test_abandoned_work_is_removed_at_the_next_start_even_if_read_only(root):
    Store(root)
    left = root / "work" / f"ir-{KEY}"
    (left / "out" / "inner").mkdir(parents=True)
    (left / "out" / "inner" / "half").write_text("half a resu")
    (left / "link").symlink_to(root / "objects")
    (left / "out" / "inner").chmod(0o500)
    (left / "out").chmod(0)
    Store(root)
    assert list((root / "work").iterdir()) == []
    assert (root / "objects").is_dir()


def test_live_work_is_left_alone_by_others_that_start(store, root):
    with store.lock("ir", KEY, on_wait=pytest.fail) as work:
        (work / "out" / "half").write_text("half a resu")
        Store(root)
        assert (work / "out" / "half").exists()
    assert list((root / "work").iterdir()) == []


def test_a_failed_build_publishes_nothing_and_leaves_nothing(store):
    def fail():
        with store.lock("ir", KEY, on_wait=pytest.fail) as work:
            (work / "out" / "half").write_text("half a resu")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(store.work.iterdir()) == []
    assert store.find("ir", KEY) is None


def test_names_point_at_results_relatively_and_change_in_one_step(store, root):
    one = publish(store)
    other = publish(store, parts={**PARTS, "code": "other"})
    link = store.link("toy", "ir-fp32", one)
    assert link == root / "out" / "toy" / "ir-fp32"
    assert link.resolve() == one.path
    assert not os.readlink(link).startswith("/")  # noqa: PTH115 - Path would do as well
    assert store.link("toy", "ir-fp32", other).resolve() == other.path
    assert list((root / "out").glob("*/*")) == [link]  # and no temporary one is left
    moved = root.rename(root.parent / "moved")
    assert (moved / "out" / "toy" / "ir-fp32" / "model.bin").read_text() == "weights"


def test_a_name_can_be_taken_away_twice(store):
    store.link("toy", "ir-fp32", publish(store))
    store.unlink("toy", "ir-fp32")
    store.unlink("toy", "ir-fp32")
    assert list((store.root / "out").glob("*/*")) == []


def test_a_store_where_a_file_is_says_so(tmp_path):
    (tmp_path / "occupied").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be used: ") as raised:
        Store(tmp_path / "occupied")
    assert "BERTBUILD_ARTIFACTS" in raised.value.next_step


def test_the_store_keeps_itself_out_of_git(root):
    Store(root).use(root / "downloads" / "x")
    assert (root / ".gitignore").read_text() == "*\n"


def test_what_is_used_first_in_a_new_store_is_held_too(root):
    first = Store(root)
    first.use("objects/freeze/x")
    with Store(root).uses.claimed("objects/freeze/x") as claimed:
        assert not claimed


def test_a_store_that_is_only_opened_is_not_made(root):
    Store(root)
    assert not root.exists()


def test_small_files_are_replaced_whole(tmp_path):
    path = tmp_path / "new" / "record.json"
    write_atomically(path, "one")
    write_atomically(path, "two – ü")
    assert path.read_text(encoding="utf-8") == "two – ü"
    assert list(path.parent.iterdir()) == [path]


def killed_when_renaming(work):
    """Run a function in a child that is killed where it would replace a file."""

    def work_and_die():
        Path.replace = lambda *_paths: os.kill(os.getpid(), signal.SIGKILL)
        work()

    assert exit_code(in_child(work_and_die)) == -signal.SIGKILL


def test_what_a_killed_writer_left_of_a_small_file_is_taken_over(tmp_path):
    path = tmp_path / "record.json"
    for _ in range(3):
        killed_when_renaming(lambda: write_atomically(path, "a text that is longer than the next"))
    assert [file.name for file in tmp_path.iterdir()] == [".record.json.new"]
    write_atomically(path, "the next")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("record.json", "the next")]


def test_a_small_file_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_paths):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "record.json", "text")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_of_a_name_is_taken_over(store, root):
    stored = publish(store)
    killed_when_renaming(lambda: store.link("toy", "ir-fp32", stored))
    assert [path.name for path in root.glob("out/toy/*")] == [".ir-fp32.new"]
    link = store.link("toy", "ir-fp32", stored)
    assert list(root.glob("out/toy/*")) == [link]
    assert link.resolve() == stored.path


def test_what_a_killed_writer_left_of_a_cache_goes_at_the_next_start(root):
    Store(root)
    cache = root / "cache" / "measured.json"
    killed_when_renaming(lambda: write_atomically(cache, "{}"))
    left = root / "cache" / ".measured.json.new"
    with exclusive(left):  # somebody writes it now
        Store(root)
        assert left.exists()
    Store(root)
    assert not left.exists()


def test_threads_may_write_the_same_small_file(tmp_path):
    path = tmp_path / "record.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write_atomically(path, "the same"), range(400)))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("record.json", "the same")]


def test_many_processes_may_write_the_same_small_file(tmp_path):
    """As builds of the same model do with its record and its probes."""
    path = tmp_path / "record.json"

    def write_often():
        for _ in range(100):
            write_atomically(path, "the same")

    children = [in_child(write_often) for _ in range(4)]
    assert [exit_code(child) for child in children] == [0] * 4
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("record.json", "the same")]


NAMES = st.text(string.ascii_letters + "äß– '\"$(){}[]*?", min_size=1, max_size=8).filter(lambda name: name.strip())
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.text(max_size=20), max_size=5)


@given(files=TREES, params=st.dictionaries(NAMES, st.text(), max_size=2))
def test_any_tree_of_files_comes_back_as_it_was(tmp_path_factory, files, params):
    kept = {name: text.encode(errors="surrogatepass") for name, text in files.items()}
    kept = {name: text for name, text in kept.items() if not any(other.startswith(f"{name}/") for other in kept)}
    store = Store(tmp_path_factory.mktemp("store"))
    parts = {**PARTS, "params": params}
    with store.lock("ir", digest(parts), on_wait=pytest.fail) as work:
        for name, content in kept.items():
            path = work / "out" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        made = store.publish("ir", digest(parts), work, parts)
    found = Store(store.root).find("ir", digest(parts))
    assert found == made
    assert found.manifest_digest == digest(found.manifest)  # what stores of older versions hold
    assert set(found.manifest["files"]) == set(kept)
    assert all((found.path / name).read_bytes() == content for name, content in kept.items())
