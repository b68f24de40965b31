"""verify-provenance: whatever is changed is named; what cannot be looked at is told."""

from __future__ import annotations

import json
import shutil

import pytest
from provenance_doubles import frozen, ir

from bertbuild import keys
from bertbuild.cli.frame import Ended
from bertbuild.cli.tasks import TASKS
from bertbuild.commands import provenance as commands
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import ProvenanceError, UsageError
from bertbuild.provenance import sbom, verify
from bertbuild.store.store import Store


@pytest.fixture
def source(store, tmp_path):
    return frozen(store, tmp_path / "checkpoint")


@pytest.fixture
def made(store, source):
    return ir(store, source)


def rewrite(path, change):
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_text(change(path.read_text()))


def edited(*path, new):
    """A function that changes one value of a JSON text."""

    def change(text):
        value = inner = json.loads(text)
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = new
        return json.dumps(value)

    return change


def copied(stored, tmp_path):
    return shutil.copytree(stored.path, tmp_path / "a copy")


def test_a_sound_result_and_all_it_was_made_from(store, made, source):
    found = verify.verify(made.path, store)
    assert found.wrong == []
    assert found.told == []
    assert found.checked[0] == "3 files have the sha256 of the statement, and no other file is there"
    assert f"ir {made.key[:12]}: frozen is freeze {source.key[:12]}, under the statement that is named" in found.checked
    assert f"freeze {source.key[:12]}: checkpoint was given: 2 files by sha256" in found.checked
    assert {line for line in found.checked if "lock file" in line} == {
        f"docker/{backend}/requirements.txt is the lock file of today" for backend in ("openvino", "tf1")
    }
    assert sum(line.startswith("sbom/") for line in found.checked) == 2


def test_a_copy_needs_no_store(made, tmp_path):
    folder = copied(made, tmp_path)
    found = verify.verify(folder, None)
    assert found.wrong == []
    assert "made again from today's lock file" in next(line for line in found.checked if line.startswith("sbom/"))
    (told,) = found.told
    assert told.endswith("which is not in the store: not followed further")


def test_a_copy_is_followed_where_there_is_a_store(store, made, tmp_path):
    found = verify.verify(copied(made, tmp_path), store)
    assert (found.wrong, found.told) == ([], [])


def test_without_its_manifest_nothing_answers_for_the_statement(store, made, tmp_path):
    folder = copied(made, tmp_path)
    folder.chmod(0o755)
    (folder / "manifest.json").unlink()
    found = verify.verify(folder, store)
    assert found.wrong == []
    assert found.told == ["there is no manifest.json here, so nothing but a signature can answer for the statement"]


STATEMENT = ("predicate", "buildDefinition")
DAMAGE = {
    "a changed file": (lambda path: rewrite(path / "model.bin", str.upper), "model.bin changed: its sha256 is"),
    "a missing file": (lambda path: (path / "model.bin").unlink(), "model.bin is missing"),
    "a file too many": (lambda path: (path / "extra").touch(), "extra is not in the statement"),
    "no statement": (lambda path: (path / "provenance.json").unlink(), "provenance.json is missing"),
    "a torn statement": (
        lambda path: rewrite(path / "provenance.json", lambda text: text[:90]),
        "provenance.json cannot be read",
    ),
    "a statement nested without end": (
        lambda path: (path / "provenance.json").write_text("[" * 200_000),
        "provenance.json cannot be read",
    ),
    "another shape": (
        lambda path: rewrite(path / "provenance.json", edited("subject", new={})),
        "provenance.json: statement.subject: is not an array",
    ),
    "somebody else's": (
        lambda path: rewrite(path / "provenance.json", edited(*STATEMENT, "buildType", new="https://acme.com/x")),
        "provenance.json: predicate.buildDefinition.buildType: is 'https://acme.com/x'",
    ),
    "an input that is not named": (
        lambda path: rewrite(path / "provenance.json", edited(*STATEMENT, "resolvedDependencies", new=[])),
        "provenance.json: lacks what a statement of bertbuild has: KeyError('frozen')",
    ),
    "another parameter": (
        lambda path: rewrite(
            path / "provenance.json", edited(*STATEMENT, "externalParameters", "params", new={"a": "b"})
        ),
        "provenance.json: its key",
    ),
    "a float in the key": (
        lambda path: rewrite(
            path / "provenance.json", edited(*STATEMENT, "externalParameters", "params", new={"a": 1.5})
        ),
        "provenance.json: its key",
    ),
    "another run": (
        lambda path: rewrite(
            path / "provenance.json", edited("predicate", "runDetails", "metadata", "invocationId", new="x")
        ),
        "provenance.json changed: its sha256 is",
    ),
    "another manifest": (
        lambda path: rewrite(path / "manifest.json", edited("components", "code", new="x")),
        "manifest.json has another stage, key or components than the statement",
    ),
    "a torn manifest": (
        lambda path: rewrite(path / "manifest.json", lambda text: text[:9]),
        "manifest.json does not name provenance.json",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(store, made, tmp_path, name):
    folder = copied(made, tmp_path)
    folder.chmod(0o755)
    damage, expected = DAMAGE[name]
    damage(folder)
    assert verify.verify(folder, store).wrong[0].startswith(expected)


def test_damage_of_what_it_was_made_from_is_named(store, made, source):
    rewrite(source.path / "inference_graph.pb", str.upper)
    (wrong,) = verify.verify(made.path, store).wrong
    assert wrong.endswith("is damaged: inference_graph.pb changed")
    assert wrong.startswith(f"ir {made.key[:12]}: frozen: ")


def test_a_changed_statement_of_what_it_was_made_from_is_named(store, made, source):
    rewrite(source.path / "provenance.json", lambda text: text.replace("20261121", "20261122"))
    assert verify.verify(made.path, store).wrong[0].endswith("is damaged: provenance.json changed")


def remove(stored):
    for path in (stored.path, *stored.path.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(stored.path)


def test_what_is_gone_is_told(store, made, source):
    remove(source)
    found = verify.verify(made.path, store)
    assert found.wrong == []
    label = f"freeze {source.key[:12]}"
    assert found.told == [f"ir {made.key[:12]}: frozen is {label}, which is not in the store: not followed further"]


def test_what_was_made_again_with_the_same_content_is_told(store, made, source, tmp_path):
    remove(source)
    assert frozen(store, tmp_path / "checkpoint").key == source.key
    found = verify.verify(made.path, store)
    assert found.wrong == []
    assert found.told[0].endswith("made again since: same content, another statement")
    assert any("checkpoint was given" in line for line in found.checked)


def test_the_facts_of_a_run_are_no_other_content(store, made, source, tmp_path, monkeypatch):
    remove(source)
    monkeypatch.setattr("provenance_doubles.FACTS", {"seconds": 2})
    frozen(store, tmp_path / "checkpoint")
    assert verify.verify(made.path, store).wrong == []


def test_what_was_made_again_with_other_content_is_wrong(store, made, source):
    remove(source)
    with store.lock("freeze", source.key, on_wait=pytest.fail) as work:
        (work / "out" / "inference_graph.pb").write_text("another graph")
        other = store.publish("freeze", source.key, work, source.manifest["components"])
    (wrong,) = verify.verify(made.path, store).wrong
    label = f"freeze {source.key[:12]}"
    assert wrong == (
        f"ir {made.key[:12]}: frozen: the {label} in the store has the content {other.digest[:12]}, "
        f"and the one it was made from {source.digest[:12]}"
    )


def test_a_result_from_before_there_were_statements_is_told(store, tmp_path):
    source = frozen(store, tmp_path / "checkpoint", with_statement=False)
    found = verify.verify(ir(store, source).path, store)
    assert found.wrong == []
    assert found.told == [f"freeze {source.key[:12]} was made before there were statements: not followed further"]
    (wrong,) = verify.verify(source.path, store).wrong
    assert wrong == "provenance.json is missing: it was made before there were statements, or lost since"


def test_a_file_that_may_not_be_read(made, tmp_path, monkeypatch):
    folder = copied(made, tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(verify, "sha256_file", refuse)
    assert "model.bin changed: its sha256 is unknown (Permission denied)" in verify.verify(folder, None).wrong[0]


def test_listed_files_that_do_not_give_the_inputs_digest(made, tmp_path):
    folder = copied(made, tmp_path)
    rewrite(
        folder / "provenance.json",
        lambda text: text.replace('"name": "frozen/signature.json"', '"name": "frozen/signature.txt"'),
    )
    found = verify.verify(folder, None)
    assert any(line.endswith("the files listed of frozen do not give its digest") for line in found.wrong)


def test_another_lock_file_is_told(store, made, tmp_path, monkeypatch):
    lock = tmp_path / "requirements.txt"
    lock.write_text("numpy==2.0 \\\n    --hash=sha256:" + "a" * 64 + "\n")
    monkeypatch.setattr(verify, "lock_file", lambda _: lock)
    monkeypatch.setattr(sbom, "lock_file", lambda _: lock)
    found = verify.verify(made.path, store)
    assert found.wrong == []
    assert [line[: line.rindex(":")] for line in found.told] == [
        f"made with another lock file than today's docker/{backend}/requirements.txt" for backend in ("openvino", "tf1")
    ]
    found = verify.verify(made.path, None)
    assert any(line.endswith("is not here to be compared") for line in found.told)


def test_a_changed_sbom_is_wrong(store, made):
    (path,) = (store.root / "sbom").glob("tf1-*")
    path.write_text("{}")
    (wrong,) = verify.verify(made.path, store).wrong
    assert wrong.startswith(f"sbom/{path.name} changed: its sha256 is")


def test_a_lock_file_that_the_key_does_not_know(store, tmp_path):
    odd = frozen(store, tmp_path / "checkpoint", lock="f" * 64)
    (wrong,) = verify.verify(odd.path, store).wrong
    assert wrong == "provenance.json: docker/tf1/requirements.txt is not the lock file that the key knows"


@pytest.fixture
def session(root, events):
    return Session(settings=Settings(artifacts=root), report=events)


@pytest.mark.parametrize("file", ["", "model.xml"])
def test_the_command_reads_a_name_in_out_and_what_a_build_printed(session, store, made, events, file):
    store.names.claim("toy", "ir-fp32", source="a checkpoint", digest="d", replace=False)
    link = store.link("toy", "ir-fp32", made)
    commands.verify_provenance(session, path=str(link / file))
    (event,) = events.of("provenance")
    assert (event["name"], event["path"]) == (str(link), str(made.path))
    assert events.of("result")[0]["lines"] == ["verified: 1 of 1 result is what its statement says"]


def test_the_command_fails_with_the_file_and_every_difference(session, made):
    made.path.chmod(0o755)
    (made.path / "extra").touch()
    rewrite(made.path / "model.bin", str.upper)
    with pytest.raises(ProvenanceError) as raised:
        commands.verify_provenance(session, path=str(made.path))
    assert raised.value.exit_code == 24
    assert "model.bin changed" in str(raised.value)
    assert str(raised.value).endswith("(1 more difference).")
    assert [line.split(": ")[1] for line in raised.value.details.splitlines()] == [
        "model.bin changed",
        "extra is not in the statement",
    ]


def test_the_command_makes_no_store_to_look_at_a_copy(made, tmp_path, events):
    folder = copied(made, tmp_path)
    nowhere = tmp_path / "nowhere"
    session = Session(settings=Settings(artifacts=nowhere), report=events)
    commands.verify_provenance(session, path=str(folder))
    assert not nowhere.exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"path": "nowhere"}, "nowhere is not a folder"),
        ({"path": ".", "names": ("toy",)}, "--path names one artifact"),
        ({"names": ("toy",)}, "Nothing is built here."),
        ({}, "Nothing is built here."),
    ],
)
def test_what_cannot_be_meant_is_refused(session, flags, words):
    with pytest.raises(UsageError, match=words):
        commands.verify_provenance(session, **flags)


def test_the_tasks(root, monkeypatch, capsys):
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(root))
    TASKS["sbom"].function(backend="data", json=True)
    result = json.loads(capsys.readouterr().out)
    assert keys.digest(result["sboms"]["data"]["sha256"])
    with pytest.raises(Ended) as ended:
        TASKS["verify-provenance"].function(path=str(root / "sbom"))
    assert ended.value.code == 24
    assert "provenance.json is missing" in capsys.readouterr().err
    assert Store(root).root == root
