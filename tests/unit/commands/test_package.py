"""package: a target that is built and proved becomes a folder of the same bytes each time; all else is refused."""

from __future__ import annotations

import json
import os
import tarfile
import time

import pytest
from packed_target import build_target, target_files
from provenance_doubles import publish

from bertbuild.commands.package import package
from bertbuild.commands.package_request import Package
from bertbuild.commands.provenance import verify_provenance
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.engine.staleness import WOULD_RUN, Check
from bertbuild.errors import DataError, NotVerifiedError, ParityError, ProvenanceError, StoreError, UsageError
from bertbuild.files.digests import sha256_file
from bertbuild.packaging.origin import statement
from bertbuild.provenance.shape import problems
from bertbuild.provenance.statement import file_named
from bertbuild.provenance.verify import verify
from bertbuild.store.inputs import folder_input


@pytest.fixture
def session(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root.mkdir()
    events = []
    made = Session(settings=Settings(artifacts=root, isolation="venv"), report=events.append)
    yield made, events
    made.close()


@pytest.fixture
def pack(session, tmp_path):
    def packed(name="mine/ir-fp32", **asked):
        return package(session[0], Package(target=name, **asked))

    packed.store, packed.source, packed.events = session[0].store, tmp_path / "source", session[1]
    return packed


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_plain_package_has_all_that_is_needed_and_no_link(pack):
    build_target(pack.store, pack.source)
    made = pack(to="here/there")
    names = {path.relative_to(made.path).as_posix() for path in made.path.rglob("*")}
    assert names == {
        *("README.md", "labels.txt", "licences.json", "model.bin", "model.xml", "predict.py", "provenance.json"),
        *("requirements.txt", "sbom.cdx.json", "signature.json", "text.json", "tokenizer.json", "vocab.txt"),
    }
    assert not any(path.is_symlink() for path in made.path.rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in made.path.rglob("*")} == {0o644}
    assert made.archive is None
    assert made.files == {name: sha256_file(made.path / name) for name in names}
    assert "## Parity with the source" in (made.path / "README.md").read_text()


@pytest.fixture
def own_clock(monkeypatch):
    """Whatever a test makes of umask, clock and time zone is as before after it."""
    before = os.umask(0o022)
    yield monkeypatch
    os.umask(before)
    monkeypatch.undo()
    time.tzset()


def test_packed_twice_in_two_folders_at_two_times_under_two_umasks_it_has_the_same_bytes(tmp_path, own_clock):
    found = []
    for number, (moment, zone, umask) in enumerate(((1_000_000_000, "UTC", 0o022), (1_700_000_000, "UTC-9", 0o077))):
        place = tmp_path / f"machine {number}"
        (place / "artifacts").mkdir(parents=True)
        own_clock.setenv("TZ", zone)
        time.tzset()
        os.umask(umask)
        own_clock.chdir(place)
        own_clock.setattr(time, "time", lambda now=moment: float(now))
        session = Session(settings=Settings(artifacts=place / "artifacts", isolation="venv"), report=len)
        build_target(session.store, place / "source")
        made = package(session, Package(target="mine/ir-fp32", to=f"p{number}", archive=True))
        modes = {path.name: path.stat().st_mode for path in (made.path, *made.path.rglob("*"))} | {made.path.name: 0}
        found.append((contents(made.path), made.archive.read_bytes(), sorted(modes.values())))
        session.close()
    assert found[0] == found[1]


def test_the_archive_is_sorted_and_has_no_times_and_no_owners(pack):
    build_target(pack.store, pack.source)
    made = pack(format="openvino-model-server", archive=True)
    with tarfile.open(made.archive) as tar:
        entries = tar.getmembers()
        config = tar.extractfile("mine-ir-fp32-openvino-model-server/config.json").read()
    names = [entry.name for entry in entries]
    assert names == sorted(names, key=lambda name: name.split("/"))
    told = {
        (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.isdir(), entry.mode) for entry in entries
    }
    assert told == {(0, 0, 0, "", "", False, 0o644), (0, 0, 0, "", "", True, 0o755)}
    assert made.archive.read_bytes()[4:8] == bytes(4)
    assert config == (made.path / "config.json").read_bytes()
    assert {name.partition("/")[2] for name in names if not made.path.joinpath(name.partition("/")[2]).is_dir()} == set(
        made.files
    )


def test_the_statement_is_one_of_in_toto_and_tells_every_file(pack):
    stored = build_target(pack.store, pack.source)
    made = pack()
    said = json.loads((made.path / "provenance.json").read_text())
    assert problems(said) == []
    assert {one["name"]: one["digest"]["sha256"] for one in said["subject"]} == {
        name: digest for name, digest in made.files.items() if name != "provenance.json"
    }
    definition = said["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"][0]["annotations"] == {"stage": stored.stage, "key": stored.key}
    assert definition["externalParameters"]["format"] == "plain"
    assert "metadata" not in said["predicate"]["runDetails"]


def test_its_statement_is_verified_like_a_targets(pack):
    stored = build_target(pack.store, pack.source)
    made = pack(archive=True)
    found = verify(made.path, pack.store)
    assert found.wrong == []
    assert f"the ir-direct {stored.key[:12]} in the store has the content that was packed" in found.checked
    assert "6 of the package's 12 files are the target's, byte for byte" in found.checked
    assert f"ir-direct {stored.key[:12]}: checkpoint was given: 2 files by sha256" in found.checked
    alone = verify(made.path, None)
    assert alone.wrong == []
    assert any("not in the store" in line for line in alone.told)
    session = Session(settings=Settings(artifacts=made.path / "none"), report=len)
    assert verify_provenance(session, path=str(made.path)).provenance[str(made.path)].wrong == []
    with pytest.raises(UsageError, match="is an archive"):
        verify_provenance(session, path=str(made.archive))


def edit(path, *place, new):
    said = json.loads(path.read_text())
    inner = said
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = new
    path.write_text(json.dumps(said))


def linked_vocabulary(folder):
    path, other = folder / "vocab.txt", folder.with_name("words")
    path.rename(other)
    path.symlink_to(other)


DEFINITION = ("predicate", "buildDefinition")
TARGET_OF = (*DEFINITION, "resolvedDependencies", 0)
CHANGES = {
    "a changed file": (lambda folder: (folder / "model.bin").write_text("others"), "model.bin changed"),
    "a missing file": (lambda folder: (folder / "vocab.txt").unlink(), "vocab.txt is missing"),
    "a file too many": (lambda folder: (folder / "manifest.json").touch(), "manifest.json is not in the statement"),
    "a link": (
        linked_vocabulary,
        "vocab.txt is a link, and a package has none",
    ),
    "another key": (
        lambda folder: edit(folder / "provenance.json", *TARGET_OF, "annotations", "key", new="0" * 64),
        "names the target ir-direct 000000000000, made as ir-direct",
    ),
    "another content": (
        lambda folder: edit(folder / "provenance.json", *TARGET_OF, "digest", "bertbuild", new="0" * 64),
        "and the one that was packed 000000000000",
    ),
    "other parameters": (
        lambda folder: edit(
            folder / "provenance.json", *DEFINITION, "externalParameters", "target", "params", new={"a": "b"}
        ),
        "is not the digest of what it says it was made of",
    ),
    "no target": (
        lambda folder: edit(folder / "provenance.json", *DEFINITION, "resolvedDependencies", new=[]),
        "lacks what a statement of bertbuild has",
    ),
}


@pytest.mark.parametrize(("change", "wrong"), CHANGES.values(), ids=CHANGES)
def test_a_package_that_was_changed_is_not_what_its_statement_says(pack, change, wrong):
    build_target(pack.store, pack.source)
    made = pack()
    change(made.path)
    assert any(wrong in line for line in verify(made.path, pack.store).wrong)


def test_a_result_of_the_store_cannot_pass_for_a_package(pack):
    stored = build_target(pack.store, pack.source)
    path = stored.path / "provenance.json"
    packed = (pack().path / "provenance.json").read_text()
    for one in (stored.path, path):
        one.chmod(0o755)
    path.write_text(packed)
    assert any("not 'https://bertbuild.org/stage/v1'" in line for line in verify(stored.path, pack.store).wrong)


def test_what_a_stage_before_it_took_has_no_part_in_it():
    """A target of two stages: stage.json of the first, which its statement names, has times in it."""

    def said(sha256):
        names = ("ir/model.bin", "ir/stage.json", "ir/provenance.json")
        made = {
            "externalParameters": {},
            "internalParameters": {},
            "resolvedDependencies": [{"name": name, "digest": {"sha256": sha256[name[-9:]]}} for name in names],
        }
        return statement(layout="plain", stage="text", key="k", digest="d", made=made, sha256={})

    once, again = (dict.fromkeys(("tage.json", "ance.json"), text) | {"model.bin": "0"} for text in ("1", "2"))
    assert said(once) == said(again)


def test_requests_are_made_of_a_file_of_texts(pack, tmp_path):
    files = target_files("saved-model", shape=(-1, 12))
    build_target(pack.store, pack.source, "saved-model", "saved-model", files=files)
    (tmp_path / "texts.txt").write_text("good film\nbad\n")
    made = pack("mine/saved-model", format="tensorflow-serving", examples=str(tmp_path / "texts.txt"))
    warmup = (made.path / "model/1/assets.extra/tf_serving_warmup_requests").read_bytes()
    assert warmup.count(b"serving_default") == 2
    assert (made.path / "model/1/variables/variables.index").read_text() == "index"


def test_without_texts_a_server_of_tensorflow_is_not_warmed_up(pack):
    build_target(pack.store, pack.source, "saved-model", "saved-model", files=target_files("saved-model"))
    with pytest.raises(UsageError, match="never evaluated on any") as raised:
        pack("mine/saved-model", format="tensorflow-serving")
    assert "--examples FILE" in raised.value.next_step


def trained_on(store, source, task):
    """The input of a target that was trained on a task's data."""
    source.mkdir(exist_ok=True)
    (source / "raw.tsv").write_text(task)
    raw = file_named("data", folder_input(source, ["raw.tsv"], store.inputs), store.digests)
    data = publish(store, "prepare-data", {"prepared.json": f"{{{task}}}"}, [raw], params={"task": task})
    prepared = file_named("data", folder_input(data.path, ["prepared.json"], store.inputs), store.digests)
    tuned = publish(store, "finetune", {"weights": f"of {task}"}, [prepared])
    return [file_named("checkpoint", folder_input(tuned.path, ["weights"], store.inputs), store.digests)]


def test_a_licence_that_forbids_to_publish_is_told_and_can_be_allowed(pack):
    build_target(
        pack.store, pack.source, inputs=trained_on(pack.store, pack.source, "QQP"), files=target_files(task="")
    )
    with pytest.raises(UsageError, match=r"made with QQP, whose licence does not allow .* Quora's terms") as raised:
        pack()
    assert raised.value.next_step.endswith("--allow-licence LicenseRef-Quora")
    assert not list(pack.source.parent.glob("mine-*"))
    made = pack(allow_licence="LicenseRef-Quora")
    text = (made.path / "README.md").read_text()
    assert "license: other" in text
    assert "Packed though a licence above forbids" in text
    with pytest.raises(UsageError, match="nothing in this package is under it"):
        pack(allow_licence="MIT", to="other")


def test_a_licence_that_is_not_known_is_told(pack):
    build_target(pack.store, pack.source)
    made = pack()
    (warning,) = [event["text"] for event in pack.events if event["event"] == "warning" and "licence" in event["text"]]
    assert "no licence is known of mine (weights), own-mood (data)" in warning
    assert json.loads((made.path / "licences.json").read_text())[0]["spdx"] is None
    assert "license: unknown" in (made.path / "README.md").read_text()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": ""}, "No target is named"),
        ({"name": "mine"}, r"made of one target, MODEL/TARGET \(got 'mine'\)"),
        ({"name": "mine/ir-fp23"}, 'no built target .*did you mean "mine/ir-fp32"'),
        ({"format": "tritn"}, "--format must be one of plain"),
        ({"examples": "x.txt"}, "--examples has no effect with --format plain"),
        ({"text_column": "x"}, "are for --examples"),
        ({"to": "taken"}, "taken is there already"),
        ({"format": "tensorflow-serving"}, "of kind ir, and a package for tensorflow-serving takes saved-model or tf2"),
    ],
)
def test_what_cannot_be_packed_is_refused(pack, tmp_path, asked, message):
    build_target(pack.store, pack.source)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match=message) as raised:
        pack(**asked)
    assert raised.value.next_step
    assert not list(tmp_path.glob("mine-*"))


def test_an_onnx_model_is_of_its_kind_whichever_stage_made_it(pack):
    """One of int8 was taken for the kind onnx-quantize, which no layout has; large weights lie beside the graph."""
    files = {**target_files("onnx"), "model.onnx.data": "weights"}
    build_target(pack.store, pack.source, "onnx", "onnx-int8", files=files, stage="onnx-quantize")
    made = pack("mine/onnx-int8", format="triton")
    served = made.path / "model_repository" / "mine"
    assert 'backend: "onnxruntime"' in (served / "config.pbtxt").read_text()
    assert {path.name: path.read_text() for path in (served / "1").iterdir()} == {
        "model.onnx": "graph",
        "model.onnx.data": "weights",
    }
    assert "This is an ONNX model" in (made.path / "README.md").read_text()


@pytest.mark.parametrize(("kind", "name"), [("frozen", "frozen"), ("hub", "hub")])
def test_a_kind_that_no_layout_takes_is_named(pack, kind, name):
    build_target(pack.store, pack.source, kind, name, files=target_files(kind))
    with pytest.raises(UsageError, match=f"of kind {kind}, and a package for triton takes ir or onnx") as raised:
        pack(f"mine/{name}", format="triton")
    assert "plain: ir" in raised.value.next_step


def test_a_target_that_failed_its_gate_is_not_packed(pack):
    build_target(pack.store, pack.source, judged=False)
    with pytest.raises(ParityError, match="does not answer like its source, so it is not packed"):
        pack()


def test_a_target_that_was_never_asked_is_not_packed(pack):
    build_target(pack.store, pack.source, judged=None)
    with pytest.raises(NotVerifiedError, match="never compared with its source"):
        pack()


def test_a_target_without_a_tokenizer_tells_how_to_add_one(pack):
    files = {name: text for name, text in target_files().items() if name not in ("text.json", "vocab.txt")}
    build_target(pack.store, pack.source, files=files)
    with pytest.raises(DataError, match="carries no tokenizer") as raised:
        pack()
    assert "--vocab FILE" in raised.value.next_step


def test_a_damaged_target_is_not_packed(pack):
    stored = build_target(pack.store, pack.source)
    (stored.path / "model.bin").chmod(0o644)
    (stored.path / "model.bin").write_text("other")
    with pytest.raises(StoreError, match="damaged"):
        pack()


def test_a_target_without_a_statement_is_not_packed(pack, monkeypatch):
    build_target(pack.store, pack.source)
    monkeypatch.setattr("bertbuild.commands.package.PROVENANCE", "nothing.json")
    with pytest.raises(ProvenanceError, match="no statement of how it was made"):
        pack()


def test_a_target_that_a_build_would_make_anew_is_not_packed(pack, monkeypatch):
    build_target(pack.store, pack.source)
    check = Check(
        job="j", kind="stage", model="mine", name="ir-fp32", stage="ir", state=WOULD_RUN, reason="code changed"
    )
    monkeypatch.setattr("bertbuild.commands.forecast.Forecast.checks", lambda _self, _jobs: [check])
    with pytest.raises(UsageError, match="mine/ir-fp32 is stale: ir-fp32: code changed") as raised:
        pack()
    assert "invoke why mine/ir-fp32" in raised.value.next_step


def test_a_target_whose_source_is_gone_is_packed_and_that_is_told(pack):
    build_target(pack.store, pack.source)
    pack()
    told = [event["text"] for event in pack.events if event["event"] == "warning"]
    assert any("whether mine/ir-fp32 is up to date cannot be told here" in text for text in told)
