"""verify-store: every kind of damage is found and named with the targets that suffer, and nothing is changed."""

from __future__ import annotations

import json

import pytest
from host_doubles import Events
from small_store import build, built, listing

from bertbuild.commands import gc as upkeep
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import StoreError
from bertbuild.stages import MANIFEST
from bertbuild.store.store import Store


@pytest.fixture
def verify(root):
    """Runs the command; gives its last fact and all events."""

    def run():
        events = Events()
        session = Session(settings=Settings(artifacts=root), report=events)
        try:
            upkeep.verify_store(session)
        except StoreError as error:
            (facts,) = events.of("audit")
            return {**facts, "error": error, "events": events}
        return {**events[-1], "error": None, "events": events}

    return run


def found(result):
    return {(row["problem"], row["path"].split("/")[1], tuple(row["needed_by"])) for row in result["problems"]}


def rewrite(path, text):
    path.chmod(0o644)
    path.write_text(text)


def of(root, stage):
    return next((root / "objects" / stage).iterdir())


def test_a_sound_store_is_read_whole_and_once(root, verify):
    built(root)
    before = listing(root)
    result = verify()
    files = [path for path in (root / "objects").rglob("*") if path.is_file()]
    assert result["problems"] == []
    assert (result["objects"], result["files"]) == (6, len(files))
    assert result["bytes"] == sum(path.stat().st_size for path in files)
    progress = result["events"].of("progress")
    assert [event["done"] for event in progress] == sorted(event["done"] for event in progress)
    assert progress[-1]["done"] == progress[-1]["total"] == result["bytes"]
    assert result["lines"][0].startswith(f"nothing is wrong: 6 results, {len(files)} files, ")
    assert result["lines"][0].endswith("MB/s")
    assert listing(root) == before


def test_an_empty_store_is_sound(verify):
    assert verify()["lines"][0].startswith("nothing is wrong: 0 results")


DAMAGE = {
    "a changed byte": (lambda path: rewrite(path / "content", "tOy ir-fp32"), "damaged: content changed"),
    "a missing file": (lambda path: (path / "content").unlink(), "damaged: content is missing"),
    "a file too many": (lambda path: (path / "extra").touch(), "damaged: extra does not belong there"),
    "no manifest": (lambda path: (path / MANIFEST).unlink(), "damaged: manifest.json is missing"),
    "another's place": (lambda path: path.rename(path.with_name("0" * 64)), "damaged: manifest.json changed"),
    "a link in a file's place": (
        lambda path: (path / "content").unlink() or (path / "content").symlink_to("gone"),
        "damaged: content is a link",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_though_stat_was_believed_before(root, verify, damage):
    built(root)
    assert verify()["error"] is None  # every digest is remembered now
    harm, problem = DAMAGE[damage]
    harm(of(root, "ir"))
    result = verify()
    assert result["error"].exit_code == 15
    assert "Build the targets concerned again" in result["error"].next_step
    assert result["events"].of("table")[0]["columns"] == ["problem", "where", "targets that need it"]
    damaged = [row for row in result["problems"] if row["problem"].startswith("damaged")]
    assert [row["problem"] for row in damaged] == [problem]
    assert damaged[0]["needed_by"] == ([] if damage == "another's place" else ["toy/ir-fp32"])


def test_a_manifest_of_other_components_is_found(root, verify):
    built(root)
    path = of(root, "freeze") / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["components"]["params"]["output"] = "sequence"
    rewrite(path, json.dumps(manifest))
    assert found(verify()) == {("damaged: manifest.json changed", "freeze", ("toy/ir-fp32",))}


def test_names_and_records_of_what_is_gone_are_found(root, verify):
    built(root, "ir-fp32")
    built(root, "ir-fp16", name=False)
    for path in (root / "objects" / "ir").iterdir():
        path.rename(root / path.name)
    (root / "targets" / "toy" / "other.json").write_text("{")
    assert found(verify()) == {
        ("a name that points nowhere", "toy", ("toy/ir-fp32",)),
        ("on record, but not there: ir", "toy", ("toy/ir-fp32",)),
        ("on record, but not there: ir", "toy", ()),
        ("a record that cannot be read", "toy", ("toy/other",)),
    }


def test_a_named_target_whose_origin_is_gone_is_found(root, verify):
    built(root)
    of(root, "tf1-infer").rename(root / "gone")
    assert found(verify()) == {("on record, but not there: tf1-infer", "toy", ("toy/ir-fp32",))}


def test_leftovers_are_listed_and_are_no_fault(root, verify):
    store = Store(root)
    key = build(store)["freeze"].key
    (root / "work" / "ir-killed").mkdir()
    store.unfinished("freeze", key)
    with store.lock("ir", "alive", on_wait=len):
        result = verify()
    assert result["error"] is None
    assert {(row["problem"], row["path"]) for row in result["problems"]} == {
        ("left over", "work/ir-killed"),
        ("left over", f"unfinished/freeze/{key}"),
    }
    assert result["lines"][0].startswith("nothing is wrong; leftovers go with the next command")
    assert (root / "work" / "ir-killed").exists()
