"""Names, links, statements and manifests changed by hand, in every way: no command that verifies lets one pass."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from host_doubles import Events
from provenance_doubles import checkpoint, publish

from bertbuild.commands import gc as upkeep
from bertbuild.commands import provenance
from bertbuild.commands import verify as proving
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import BertbuildError, MisledNameError, ProvenanceError, StoreError, UsageError
from bertbuild.files.digests import sha256_file
from bertbuild.keys import digest
from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.provenance.statement import result_named
from bertbuild.stages import MANIFEST, PROVENANCE
from bertbuild.store.records import read_records, write_record
from bertbuild.store.store import Store, content_digest

GRAPH = {"inference_graph.pb": "graph", "signature.json": "{}", "stage.json": "{}"}
IR = {"model.xml": "<net/>", "model.bin": "bin", "stage.json": "{}"}
GOAL = Target(name="ir-fp32", step="ir", reference="freeze", answers="freeze", precision="fp32")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A store of two models, each with a frozen graph and an IR, which has its record and its name; results by step."""
    place = tmp_path_factory.mktemp("template")
    store = Store(place / "store")
    store.use(place / "store")
    found = {}
    for model in ("toy", "other"):
        named = [checkpoint(store, place / model)]
        source = publish(store, "freeze", GRAPH, named, backend=None, isolation="", params={"of": model})
        named = [result_named("frozen", source)]
        made = publish(store, "ir", IR, named, backend=None, isolation="", params={"of": model})
        found[model] = {"freeze": source, "ir": made}
        steps = (
            Step(id="freeze", stage="freeze", inputs={"checkpoint": File(path=place / model, digest="d")}),
            Step(id="ir", stage="ir", inputs={"frozen": "freeze"}),
        )
        write_record(store, Plan(model=model, steps=steps, targets=(GOAL,)), GOAL, found[model], None)
        store.link(model, "ir-fp32", made)
        store.names.claim(model, "data", source="a file", digest="d", replace=False, of="data")
        store.link(model, "data", source)
    return store.root, found


@pytest.fixture
def results(template, root):
    """A copy of it; model → step → its result."""
    place, found = template
    shutil.copytree(place, root, symlinks=True)
    return {
        model: {step: replace(it, path=root / it.path.relative_to(place)) for step, it in steps.items()}
        for model, steps in found.items()
    }


@pytest.fixture
def session(root, monkeypatch):
    """A session that runs nothing: what verify refuses, it refuses before."""
    monkeypatch.setattr(proving, "_parted", lambda _session, records: (records, []))
    monkeypatch.setattr(proving, "_judge_again", _sound)
    return Session(settings=Settings(artifacts=root), report=Events())


def _sound(session, record, _folder, **_more):
    """A verdict that is a good one; every byte is read, as the command does."""
    for stage, key in record.results.values():
        session.store.load(session.store.objects / stage / key)
    worst = SimpleNamespace(as_json=lambda: {"max_abs": 0.0}, limit=1.0)
    return SimpleNamespace(passed=True, worst=worst)


def verify(session):
    proving.verify(session, ())


COMMANDS = {
    "verify": verify,
    "verify-provenance": provenance.verify_provenance,
    "verify-store": upkeep.verify_store,
}


def repoint(link, there):
    link.unlink()
    link.symlink_to(there)


def rewrite(path, change):
    path.parent.chmod(0o755)
    path.chmod(0o644)
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def changed_together(folder, name="model.bin"):
    """A file, the statement and the manifest, so that all three fit one another."""
    folder.chmod(0o755)
    (folder / name).chmod(0o644)
    (folder / name).write_text("of somebody else")
    reseal(folder)


def reseal(folder, change=len):
    """Give statement and manifest the digests of what lies there."""

    def stated(statement):
        for entry in statement["subject"]:
            entry["digest"]["sha256"] = sha256_file(folder / entry["name"])
        change(statement)

    def answered(manifest):
        manifest["files"] = {
            name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_file(folder / name)}
            for name in manifest["files"]
        }
        manifest["digest"] = content_digest(manifest["files"])

    rewrite(folder / PROVENANCE, stated)
    rewrite(folder / MANIFEST, answered)


def moved_out(folder, name, tmp_path):
    """A part of a result lies elsewhere, and a link in its place."""
    folder.chmod(0o755)
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")


def linked_folder(folder, tmp_path):
    folder.chmod(0o755)
    (tmp_path / "elsewhere").mkdir()
    (folder / "assets").symlink_to(tmp_path / "elsewhere")


def result_elsewhere(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    folder.rename(folder.with_name("gone"))
    folder.symlink_to(tmp_path / "elsewhere")


def other_run(statement):
    statement["predicate"]["runDetails"]["metadata"]["invocationId"] = "another"


NAMES = {
    "another model's IR": lambda out, made, _: repoint(out / "toy/ir-fp32", made["other"]["ir"].path),
    "a freeze result": lambda out, made, _: repoint(out / "toy/ir-fp32", made["toy"]["freeze"].path),
    "a folder outside": lambda out, _, tmp: repoint(out / "toy/ir-fp32", tmp),
    "a copy outside": lambda out, made, tmp: repoint(
        out / "toy/ir-fp32", shutil.copytree(made["toy"]["ir"].path, tmp / "copy")
    ),
    "nowhere": lambda out, _, tmp: repoint(out / "toy/ir-fp32", tmp / "nowhere"),
    "itself": lambda out, *_: repoint(out / "toy/ir-fp32", out / "toy/ir-fp32"),
    "a file of the result": lambda out, made, _: repoint(out / "toy/ir-fp32", made["toy"]["ir"].path / "model.bin"),
    "another name": lambda out, *_: repoint(out / "toy/ir-fp32", out / "other/ir-fp32"),
    "a folder in its place": lambda out, made, _: (
        (out / "toy/ir-fp32").unlink() or shutil.copytree(made["toy"]["ir"].path, out / "toy/ir-fp32")
    ),
    "a file in its place": lambda out, *_: (out / "toy/ir-fp32").unlink() or (out / "toy/ir-fp32").touch(),
    "a name on no record": lambda out, made, _: (out / "toy/ir-fp16").symlink_to(made["toy"]["ir"].path),
    "a model on no record": lambda out, *_: (out / "new").symlink_to(out / "toy"),
    "a model's folder for another's": lambda out, *_: (
        shutil.rmtree(out / "toy") or (out / "toy").symlink_to(out / "other")
    ),
    "a file in out": lambda out, made, _: (out / "file").symlink_to(made["toy"]["ir"].path / "model.bin"),
    "prepared data for another's": lambda out, made, _: repoint(out / "toy/data", made["toy"]["ir"].path),
}
RESULTS = {
    "file, statement and manifest together": lambda made, _: changed_together(made["toy"]["ir"].path),
    "what it was made from, likewise": lambda made, _: changed_together(made["toy"]["freeze"].path, "signature.json"),
    "the facts of its run, likewise": lambda made, _: changed_together(made["toy"]["ir"].path, "stage.json"),
    "statement and manifest together": lambda made, _: reseal(made["toy"]["ir"].path, other_run),
    "the place in the manifest": lambda made, _: rewrite(
        made["toy"]["ir"].path / MANIFEST, lambda manifest: manifest.update(isolation="host")
    ),
    "a fact more in the manifest": lambda made, _: rewrite(
        made["toy"]["ir"].path / MANIFEST, lambda manifest: manifest.update(more="x")
    ),
    "the digest in the manifest": lambda made, _: rewrite(
        made["toy"]["ir"].path / MANIFEST, lambda manifest: manifest.update(digest=digest("x"))
    ),
    "a file less in the manifest": lambda made, _: rewrite(
        made["toy"]["ir"].path / MANIFEST, lambda manifest: manifest["files"].pop("model.bin")
    ),
    "a size in the manifest": lambda made, _: rewrite(
        made["toy"]["ir"].path / MANIFEST, lambda manifest: manifest["files"]["model.bin"].update(bytes=1)
    ),
    "the run in the statement": lambda made, _: rewrite(made["toy"]["ir"].path / PROVENANCE, other_run),
    "the facts of what it was made from, likewise": lambda made, _: changed_together(
        made["toy"]["freeze"].path, "stage.json"
    ),
    "statement and manifest of what it was made from": lambda made, _: reseal(made["toy"]["freeze"].path, other_run),
    "the statement of what it was made from": lambda made, _: rewrite(
        made["toy"]["freeze"].path / PROVENANCE, other_run
    ),
    "the place in the manifest of what it was made from": lambda made, _: rewrite(
        made["toy"]["freeze"].path / MANIFEST, lambda manifest: manifest.update(isolation="host")
    ),
    "a fact more in the manifest of what it was made from": lambda made, _: rewrite(
        made["toy"]["freeze"].path / MANIFEST, lambda manifest: manifest.update(more="x")
    ),
    "a linked folder": lambda made, tmp: linked_folder(made["toy"]["ir"].path, tmp),
    "a linked file with the same bytes": lambda made, tmp: moved_out(made["toy"]["ir"].path, "model.bin", tmp),
    "a linked statement": lambda made, tmp: moved_out(made["toy"]["ir"].path, PROVENANCE, tmp),
    "a linked manifest": lambda made, tmp: moved_out(made["toy"]["ir"].path, MANIFEST, tmp),
    "a result that is a link": lambda made, tmp: result_elsewhere(made["toy"]["ir"].path, tmp),
    "another result in its place": lambda made, _: (
        made["toy"]["ir"].path.rename(made["toy"]["ir"].path.with_name("gone"))
        and shutil.copytree(made["other"]["ir"].path, made["toy"]["ir"].path)
    ),
}


def test_what_is_sound_passes(session, results):
    assert results
    for command in COMMANDS.values():
        command(session)


@pytest.mark.parametrize("way", NAMES)
def test_a_name_that_leads_elsewhere_is_an_error_of_its_own(session, root, results, tmp_path, way):
    NAMES[way](root / "out", results, tmp_path)
    for command in (verify, provenance.verify_provenance):
        with pytest.raises(MisledNameError, match=r"^out/"):
            command(session)
    with pytest.raises(StoreError):
        upkeep.verify_store(session)
    assert session.report.of("audit")[0]["problems"]


@pytest.mark.parametrize("way", RESULTS)
def test_a_result_that_was_changed_by_hand_is_told(session, results, tmp_path, way):
    RESULTS[way](results, tmp_path)
    for command in COMMANDS.values():
        with pytest.raises((StoreError, ProvenanceError)):
            command(session)


def test_what_the_build_of_another_target_made_again_passes(session, results):
    """The same content with another statement, which the record of that target has."""
    reseal(results["toy"]["freeze"].path, other_run)
    again = replace(GOAL, name="ir-again")
    record = next(read_records(session.store, "toy"))
    loaded = {
        step: session.store.peek(session.store.objects / stage / key) for step, (stage, key) in record.results.items()
    }
    write_record(session.store, record.plan, again, loaded, None)
    session.store.link("toy", again.name, loaded["ir"])
    for command in COMMANDS.values():
        command(session)


def test_only_the_names_that_were_asked_for_are_looked_at(session, root, results):
    repoint(root / "out/toy/ir-fp32", results["other"]["ir"].path)
    provenance.verify_provenance(session, ("other",))
    with pytest.raises(MisledNameError, match=r"leads to ir .*, and ir .* is on record of it"):
        provenance.verify_provenance(session, ("toy/ir-fp32",))


@pytest.mark.parametrize("file", ["", "model.bin"])
def test_a_path_in_out_is_judged_by_its_name(session, root, results, file):
    repoint(root / "out/toy/ir-fp32", results["other"]["ir"].path)
    with pytest.raises(MisledNameError, match=r"out/toy/ir-fp32 leads to ir"):
        provenance.verify_provenance(session, path=str(root / "out/toy/ir-fp32" / file))
    provenance.verify_provenance(session, path=str(root / "out/other/ir-fp32" / file))


def test_a_copy_changed_together_is_told_where_the_store_has_the_same_key(session, results, tmp_path):
    copy = shutil.copytree(results["toy"]["ir"].path, tmp_path / "copy")
    provenance.verify_provenance(session, path=str(copy))
    changed_together(copy)
    with pytest.raises(ProvenanceError, match="in the store has the content"):
        provenance.verify_provenance(session, path=str(copy))


def test_a_link_in_a_copy_is_told_and_one_to_a_folder_is_wrong(session, results, tmp_path):
    copy = shutil.copytree(results["toy"]["ir"].path, tmp_path / "copy")
    moved_out(copy, "model.bin", tmp_path)
    found = provenance.verify_provenance(session, path=str(copy)).provenance[str(copy)]
    assert "model.bin is a link: what it leads to may change without this folder" in found.told
    (tmp_path / "folder").mkdir()
    (copy / "more").symlink_to(tmp_path / "folder")
    with pytest.raises(ProvenanceError, match="more"):
        provenance.verify_provenance(session, path=str(copy))


def test_a_name_given_before_results_were_noted_may_lead_to_any_of_the_store(session, root, results, tmp_path):
    path = root / "names/toy/data.json"
    rewrite(path, lambda known: (known.pop("result"), known.pop("manifest")))
    provenance.verify_provenance(session)
    repoint(root / "out/toy/data", tmp_path)
    with pytest.raises(MisledNameError, match="not a result of this store"):
        provenance.verify_provenance(session)
    assert results


def test_a_name_is_given_again_with_what_it_is_given_to(root, results):
    store = Store(root)
    store.names.claim("toy", "data", source="a file", digest="d", replace=False, of="data")
    store.link("toy", "data", results["other"]["ir"])
    assert store.names.given("toy", "data").key == results["other"]["ir"].key


def test_nothing_built_and_names_that_are_nobodys(session, root):
    (root / "out/toy").mkdir(parents=True)
    (root / "out/toy/ir-fp32").symlink_to(root)
    for command in (verify, provenance.verify_provenance):
        with pytest.raises((UsageError, BertbuildError)):
            command(session)
