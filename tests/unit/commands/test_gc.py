"""gc over real folders: what goes, what a dry run says of it, and what happens beside builds and under kill -9."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
from host_doubles import Events, exit_code, in_child
from hypothesis import given, settings
from hypothesis import strategies as st
from small_store import DAY, aged, build, built, listing, make, objects, while_it_runs

from bertbuild.commands import gc as upkeep
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import StoreError, UsageError
from bertbuild.files.locking import exclusive
from bertbuild.store import sweep as sweep_module
from bertbuild.store.audit import audit
from bertbuild.store.garbage import parse_keep
from bertbuild.store.store import Store
from bertbuild.store.survey import survey
from bertbuild.store.sweep import sweep

WHOLE = {"freeze": 1, "inspect": 1, "ir": 1, "openvino-infer": 1, "parity": 1, "tf1-infer": 1}


@pytest.fixture
def gc(root):
    """Runs the command; gives its result."""

    def run(keep="", *, dry_run=False):
        events = Events()
        upkeep.gc(Session(settings=Settings(artifacts=root), report=events), keep, dry_run=dry_run)
        return {**events[-1], "events": events}

    return run


def removed(result, category="object"):
    return sorted(row["path"] for row in result["removed"] if row["category"] == category)


def sound(root):
    return audit(Store(root, tidy=False), lambda _done, _total: None).problems == ()


def test_a_named_target_keeps_all_it_is_made_of_and_the_rest_goes(root, gc):
    built(root, "ir-fp32")
    built(root, "ir-fp16", name=False)
    built(root, "ir-fp32", model="other")
    (root / "out" / "other" / "ir-fp32").unlink()
    assert objects(root)["ir"] == 3
    gc("targets")
    assert objects(root) == WHOLE
    assert sorted(listing(root / "targets")) == ["other", "toy", "toy/ir-fp32.json"]
    assert [path.name for path in (root / "probes").iterdir()] == ["toy.json"]
    assert sound(root)


def test_a_build_after_gc_finds_all_it_needs(root, gc):
    built(root)
    gc("targets")
    before = listing(root)
    built(root)
    assert listing(root) == before


def test_a_name_without_a_record_keeps_what_its_result_was_made_of(root, gc):
    def tune():
        store = Store(root)
        data = make(store, "prepare-data", "examples", inputs={"data": "files"})
        store.link("toy", "tuned", make(store, "finetune", "weights", inputs={"data": data.digest}))

    assert exit_code(in_child(tune)) == 0
    gc("targets")
    assert objects(root) == {"finetune": 1, "prepare-data": 1}


def test_results_that_older_code_made_go_though_their_bytes_are_the_same(root, gc):
    built(root, code="old")
    aged(root, 40)
    built(root, code="new")
    assert objects(root)["freeze"] == 2
    gc()
    assert objects(root) == WHOLE
    assert sound(root)


def test_the_default_keeps_a_month_and_says_so(root, gc):
    built(root, name=False)
    aged(root, 29)
    result = gc()
    assert result["events"].texts("note") == [
        "kept: named targets, and what was used in the last 30 days (the default; --keep 30d)"
    ]
    assert objects(root) == WHOLE
    aged(root, 31)
    assert gc("5w")["removed"] == []
    assert gc("5w")["lines"] == ["nothing to remove"]
    assert len(removed(gc())) == 6
    assert objects(root) == {}


def test_a_result_that_was_found_in_the_store_was_used(root, gc):
    built(root, name=False)
    aged(root, 40)
    store = Store(root)
    folder = next((root / "objects" / "ir").iterdir())
    assert store.find("ir", folder.name) is not None
    assert time.time() - folder.stat().st_mtime < 60
    del store
    gc()
    assert objects(root) == {"freeze": 1, "inspect": 1, "ir": 1}  # it, what it was made of, and the word on that


def test_a_use_is_noted_once_an_hour_and_not_at_all_where_that_is_not_allowed(store, monkeypatch):
    made = make(store, "ir", "weights")
    touched = []
    monkeypatch.setattr(os, "utime", lambda path, **_more: touched.append(path))
    assert store.find("ir", made.key) == made
    assert touched == []
    aged_by = made.path.stat().st_mtime - 2 * 3600
    monkeypatch.undo()
    os.utime(made.path, (aged_by, aged_by))

    def forbidden(*_args, **_more):
        raise PermissionError

    monkeypatch.setattr(os, "utime", forbidden)
    assert store.find("ir", made.key) == made


RUN = {"event": "run", "run": "r", "time": 0.0}


def write_run(root, name, days, *stages):
    began = time.time() - days * DAY
    rows = [{**RUN, "time": began}, *({"event": "stage", "stage": stage, "key": key} for stage, key in stages)]
    path = root / "runs" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)) + '\n{"event": "sta')  # killed in the middle of a line
    os.utime(path, (began, began))


def test_a_number_keeps_the_results_and_logs_of_that_many_runs(root, gc):
    keys = []

    def make_three():
        store = Store(root)
        for number in range(3):
            made = make(store, "ir", str(number), params={"n": str(number)})
            (store.logs / f"20260101-00000{number}-ir-{made.key[:12]}.log").write_text("said")

    assert exit_code(in_child(make_three)) == 0
    keys = [
        next(path.name for path in (root / "objects" / "ir").iterdir() if (path / "content").read_text() == str(number))
        for number in range(3)
    ]
    aged(root, 300)
    for number, days in ((0, 200), (1, 100), (2, 50)):
        write_run(root, f"2026010{number}-000000-abcd", days, ("ir", keys[number]))
    result = gc("2", dry_run=True)
    assert removed(result) == [f"objects/ir/{keys[0]}"]
    assert removed(result, "run") == ["runs/20260100-000000-abcd.jsonl"]
    assert len(removed(result, "log")) == 1
    assert removed(gc("4", dry_run=True)) == []
    assert gc("4", dry_run=True)["lines"][0].endswith("of 3 runs on record, nothing counts as old")
    gc("2")
    assert sorted(path.name for path in (root / "objects" / "ir").iterdir()) == sorted(keys[1:])


def test_all_that_is_left_over_or_old_goes(root, gc):
    built(root, download="fetched")
    for name in (
        "work/ir-killed/out/half",
        "unfinished/finetune/old/step-1",
        "unfinished/finetune/young/step-1",
        "damaged/ir-x-1/content",
        "logs/20260101-000000-ir-000000000000.log",
        "reports/20260101-000000-abcd.html",
        "sbom/tf1-abc.json",
        "probes/nobody.json",
        "downloads/fetched/vocab.txt",
        "downloads/unused/vocab.txt",
        "downloads/.unpacked/abc/vocab.txt",
        "downloads/.zips/model.zip.part",
        "downloads/.work/killed/fresh/vocab.txt",
        "downloads/.gone-1-other/vocab.txt",
        "datasets/MRPC/train.tsv",
        "out/toy/.ir-fp32.12",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("12345")
    before = set(listing(root))
    aged(root, 40)
    os.utime(root / "unfinished/finetune/young/step-1")
    gc()
    left = set(listing(root))
    assert left - before == {"downloads/.locks"}
    assert {name for name in left if name.startswith(("unfinished", "downloads", "datasets", "work", "probes"))} == {
        *("unfinished", "unfinished/finetune", "unfinished/finetune/young", "unfinished/finetune/young/step-1"),
        *("downloads", "downloads/.unpacked", "downloads/.work", "downloads/.zips", "downloads/.locks"),
        *("downloads/fetched", "downloads/fetched/vocab.txt", "datasets", "work", "probes", "probes/toy.json"),
    }
    assert [path for name in ("damaged", "reports", "sbom") for path in (root / name).iterdir()] == []
    assert objects(root) == WHOLE
    assert sorted(path.name for path in (root / "locks").iterdir()) == ["in-use"]


def test_names_that_point_nowhere_go_with_their_records_and_others_stay(root, gc):
    built(root)
    built(root, "ir-fp16")
    (root / "objects" / "freeze").rename(root / "elsewhere")
    gone = (root / "out" / "toy" / "ir-fp16").resolve()
    gone.rename(root / "elsewhere" / "ir")
    (root / "out" / "toy" / "mine").symlink_to(root / "nothing of the store's")
    gc()
    assert sorted(path.name for path in (root / "out" / "toy").iterdir()) == ["ir-fp32", "mine"]
    assert [path.name for path in (root / "targets" / "toy").iterdir()] == ["ir-fp32.json"]


def test_a_dry_run_changes_nothing_and_lists_what_would_go(root, gc):
    built(root, name=False)
    before = listing(root, without=())
    result = gc("targets", dry_run=True)
    assert listing(root, without=()) == before
    would, summary = result["events"].of("table")
    assert would["columns"] == ["what", "stage", "key", "last used", "size"]
    assert {(row[0], row[1]) for row in would["rows"]} >= {("result", "ir"), ("result", "freeze")}
    assert summary["rows"][0][:2] == ["results", "6"]
    assert result["freed"] > 0
    assert result["lines"][0].endswith("would be freed; nothing was removed")


def test_a_record_that_cannot_be_read_stops_gc_before_anything_goes(root, gc):
    built(root, name=False)
    next((root / "targets").glob("*/*")).write_text("{")
    before = listing(root)
    with pytest.raises(StoreError, match="cannot be read"):
        gc("targets")
    assert listing(root) == before


def test_keep_that_means_nothing_is_refused_before_the_store_is_made(root, gc):
    with pytest.raises(UsageError):
        gc("soon")
    assert not root.exists()


RANDOM = st.lists(
    st.tuples(
        st.sampled_from(["ir-1", "ir-2", "ir-3"]),
        st.sampled_from(["toy", "other"]),
        st.booleans(),
        st.sampled_from(["a", "b"]),
        st.sampled_from([0, 10, 50]),
    ),
    max_size=4,
)


@settings(max_examples=6)
@given(RANDOM, st.sampled_from(["targets", "7d", "30d", "1"]))
def test_a_dry_run_tells_just_what_then_goes_and_a_second_time_nothing_does(targets, keep):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "artifacts"
        for target, model, name, code, days in targets:
            store = Store(root)
            build(store, target, model=model, name=name, code=code)
            del store
            aged(root, days)
        store = Store(root, tidy=False)
        before = listing(root, without=())
        now = time.time()
        expected = sweep_module.removable(survey(store), parse_keep(keep), now)
        assert listing(root, without=()) == before
        gone = sweep(store, parse_keep(keep), survey(store), now, on_progress=lambda *_: None, warn=pytest.fail)
        assert gone == list(expected)
        left = listing(root, without=())
        taken = {name for name in before if any((name + "/").startswith(thing.path + "/") for thing in gone)}
        assert set(before) - set(left) == taken
        assert set(left) <= set(before)
        assert sweep_module.removable(survey(store), parse_keep(keep), now) == ()
        assert sound(root)


def test_what_a_living_process_uses_stays_until_it_ends(root, gc):
    built(root, name=False)

    def use():
        store = Store(root)
        build(store, name=False)
        return store

    with while_it_runs(use):
        kept = gc("targets", dry_run=True)
        gc("targets")
        assert removed(kept) == []
        assert objects(root) == WHOLE
        assert (root / "probes" / "toy.json").exists()
        assert (root / "targets" / "toy" / "ir-fp32.json").exists()
    gc("targets")
    assert objects(root) == {}


def test_a_result_whose_lock_is_held_stays(root, gc):
    built(root, name=False)
    folder = next((root / "objects" / "ir").iterdir())
    with exclusive(root / "locks" / f"ir-{folder.name}"):
        gc("targets")
    assert objects(root) == {"freeze": 1, "inspect": 1, "ir": 1}


def test_training_that_runs_keeps_what_it_goes_on_from_and_its_log(root, gc):
    def train():
        store = Store(root)
        lock = store.lock("finetune", "k" * 64, on_wait=len)
        lock.__enter__()
        (store.unfinished("finetune", "k" * 64) / "step-1").write_text("1")
        (store.logs / f"20260101-000000-finetune-{'k' * 12}.log").write_text("step 1")
        return lock, store

    with while_it_runs(train):
        aged(root, 40)
        gc("targets")
        assert len(listing(root / "unfinished")) == 3
        assert len(listing(root / "logs")) == 1
        assert len(listing(root / "work")) == 2
    gc("targets")
    assert listing(root / "unfinished") == {"finetune": None}
    assert listing(root / "logs") == {}
    assert listing(root / "work") == {}


def test_what_got_a_name_between_the_look_and_the_claim_stays(root):
    built(root, name=False)
    store = Store(root, tidy=False)
    first = survey(store)
    built(root)
    keep = parse_keep("targets")
    gone = sweep(store, keep, first, time.time(), on_progress=lambda *_: None, warn=pytest.fail)
    assert {thing.kind for thing in gone} == {"lock"}
    assert objects(root) == WHOLE


def test_builds_beside_gc_all_succeed(root):
    """Each build checks, between its steps, that what it has found or made is still there."""

    def build_on(number):
        def work():
            chance = random.Random(number)  # noqa: S311 - no secrets
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                store = Store(root)
                slow = chance.uniform(0, 0.003)
                build(store, f"ir-{number}", model=chance.choice("ab"), name=False, slow=partial(time.sleep, slow))
                del store

        return work

    def collect():
        store = Store(root, tidy=False)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            sweep(store, parse_keep("targets"), survey(store), time.time(), on_progress=lambda *_: None, warn=len)

    children = [in_child(build_on(number)) for number in range(3)] + [in_child(collect) for _ in range(2)]
    assert [exit_code(child) for child in children] == [0] * 5
    assert not (root / "damaged").exists()


def test_kill_9_at_any_step_of_gc_leaves_a_correct_store(root, tmp_path):
    """The steps are what changes the disk: gc is run once to count them, then killed before an eighth of them."""

    def fill():
        build(Store(root))
        for target in ("ir-1", "ir-2", "ir-3"):
            build(Store(root), target, name=False, code="old")

    def collect(killed_at):
        steps = itertools.count()

        def count(event, _args):
            if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir") and next(steps) == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

        store = Store(root, tidy=False)
        sys.addaudithook(count)
        sweep(store, parse_keep("targets"), survey(store), time.time(), on_progress=lambda *_: None, warn=len)
        (tmp_path / "steps").write_text(str(next(steps)))

    assert exit_code(in_child(fill)) == 0
    assert exit_code(in_child(lambda: collect(-1))) == 0
    total = int((tmp_path / "steps").read_text())
    assert total > 40
    for step in range(0, total * 3 // 4, total // 8):  # the first time there was more to remove
        assert exit_code(in_child(fill)) == 0
        assert exit_code(in_child(partial(collect, step))) == -signal.SIGKILL
        store = Store(root)
        assert list(store.work.iterdir()) == []
        assert (root / "out" / "toy" / "ir-fp32" / "content").read_text() == "toy ir-fp32"
        problems = audit(store, lambda _done, _total: None).problems
        # A record may be left of what has gone; what has a name lacks nothing, and nothing is half there.
        assert all(item.problem.startswith("on record, but not there") and not item.needed_by for item in problems)
        del store


def test_what_is_not_ours_to_remove_is_told_and_the_rest_goes(root, gc, monkeypatch):
    built(root, name=False)
    rename = Path.rename

    def refuse(path, target):
        if path.parent.name == "ir":
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    result = gc("targets")
    assert [text for text in result["events"].texts("warning") if text.endswith("Permission denied")]
    assert objects(root) == {"ir": 1}
    assert result["skipped"] == 1
