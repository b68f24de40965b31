"""A store that was moved, linked, or reached by another path works for every command."""

from __future__ import annotations

import json
import shutil

import pytest
from small_fleet import TARGETS, Fleet, write_tiny

from bertbuild.backends import BACKENDS
from bertbuild.commands import target
from bertbuild.commands import verify as results
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.kinds.frozen import Frozen
from bertbuild.plans.wanted import Wanted
from bertbuild.store.records import read_records
from bertbuild.store.store import Store

SOURCE = "out/base/finetuned-mrpc"


@pytest.fixture
def fleet(tmp_path, isolation, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    return Fleet(tmp_path)


def built_inside(fleet):
    """A target whose source lies in the store, as one that was imported or fine-tuned."""
    store = fleet.session().store
    write_tiny(store.objects / "finetune" / f"{7:064}", 7)
    link = store.root / SOURCE
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../../objects/finetune/{7:064}")
    known = store.root / "names" / f"{SOURCE.removeprefix('out/')}.json"
    known.parent.mkdir(parents=True)
    known.write_text(json.dumps({"source": "model base", "digest": "d", "result": f"finetune/{7:064}", "manifest": ""}))
    fleet.run(target.build, Wanted(checkpoint=str(link)), Frozen())
    return store


def states(fleet):
    return {name: (fact["state"], fact["because"]) for name, fact in fleet.status().items()}


@pytest.mark.parametrize("spelled", ["linked/artifacts", "sub/../artifacts", "store"])
def test_a_store_behind_a_link_or_dots_is_the_same_store(fleet, tmp_path, monkeypatch, spelled):
    (tmp_path / "sub").mkdir()
    (tmp_path / "linked").symlink_to(".")
    (tmp_path / "store").symlink_to("artifacts")
    fleet.write(TARGETS + '[models.one]\ncheckpoint = "checkpoints/one"\n')
    fleet.build()
    monkeypatch.setattr(fleet, "session", lambda: _session(fleet, spelled))
    assert {state for state, _ in states(fleet).values()} == {"built"}
    assert fleet.build() == []
    assert len(fleet.run(results.verify, ())["verified"]) == 3


def _session(fleet, artifacts):
    fleet.events.clear()
    settings = load_settings({"artifacts": artifacts, "jobs": "1"})
    fleet.events.close = lambda: None
    return Session(settings=settings, report=fleet.events)


def test_records_hold_places_in_the_store_and_not_paths(fleet):
    store = built_inside(fleet)
    text = (store.root / "targets/base/frozen.json").read_text()
    assert str(store.root) not in text
    (record,) = read_records(store, "base", "frozen")
    assert record.plan.step("freeze").inputs["checkpoint"].path == store.objects / "finetune" / f"{7:064}"


def test_a_moved_store_is_whole(fleet, tmp_path):
    built_inside(fleet)
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "artifacts", tmp_path / "new" / "store")
    (tmp_path / "artifacts").symlink_to("new/store")
    assert states(fleet)["base/frozen"] == ("built", [])
    assert fleet.run(results.verify, ())["verified"] == [{"model": "base", "target": "frozen"}]
    fleet.run(target.build, Wanted(checkpoint=f"artifacts/{SOURCE}"), Frozen())
    assert not [event for event in fleet.events.of("stage") if event["state"] == "done"]


def test_a_record_with_whole_paths_of_a_store_that_was_moved_is_read_in_its_new_place(fleet, tmp_path):
    store = built_inside(fleet)
    path = store.root / "targets/base/frozen.json"
    value = json.loads(path.read_text())
    for step in value["steps"]:
        for source in step["inputs"].values():
            if isinstance(source, dict):
                source["path"] = f"/gone/artifacts/{source['path']}"
    path.write_text(json.dumps(value))
    (record,) = read_records(Store(store.root), "base", "frozen")
    files = [
        source.path for step in record.plan.steps for source in step.inputs.values() if not isinstance(source, str)
    ]
    assert all(file.exists() and file.is_relative_to(tmp_path) for file in files)
    assert states(fleet)["base/frozen"] == ("built", [])
