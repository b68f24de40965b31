"""The statement beside a result: the specifications' rules, and what ours says where."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest
from provenance_doubles import FACTS, frozen, ir, publish

from bertbuild import keys
from bertbuild.provenance.shape import problems
from bertbuild.provenance.statement import timestamp
from bertbuild.store.store import Store


def read(stored):
    return json.loads((stored.path / "provenance.json").read_text())


def dependencies(stored):
    return {entry["name"]: entry for entry in read(stored)["predicate"]["buildDefinition"]["resolvedDependencies"]}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_subjects_are_all_files_but_the_statement_and_the_manifest(store, tmp_path):
    stored = frozen(store, tmp_path / "checkpoint")
    assert {entry["name"]: entry["digest"] for entry in read(stored)["subject"]} == {
        name: {"sha256": sha256(stored.path / name)} for name in ("inference_graph.pb", "signature.json", "stage.json")
    }


def test_the_statement_is_of_the_specified_shape(store, tmp_path):
    source = frozen(store, tmp_path / "checkpoint")
    for stored in (source, ir(store, source), publish(store, "inspect", {"inspection.json": "{}"}, [], backend=None)):
        assert problems(read(stored)) == []


def test_the_parameters_and_the_key(store, tmp_path):
    stored = frozen(store, tmp_path / "checkpoint")
    definition = read(stored)["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"stage": "freeze", "params": {"gelu": "erf"}, "inputs": ["checkpoint"]}
    assert definition["internalParameters"] == {
        "key": stored.key,
        "keyFormat": keys.KEY_FORMAT,
        "code": "c" * 64,
        "isolation": "venv",
        "environment": stored.manifest["components"]["environment"],
    }


def test_files_that_were_given_are_named_by_the_keys_digest_and_by_their_own(store, tmp_path):
    stored = frozen(store, tmp_path / "checkpoint")
    found = dependencies(stored)
    assert found["checkpoint"]["digest"] == {"bertbuild": stored.manifest["components"]["inputs"]["checkpoint"]}
    weights = tmp_path / "checkpoint" / "weights"
    assert found["checkpoint/weights"] == {"name": "checkpoint/weights", "digest": {"sha256": sha256(weights)}}


def test_a_result_of_another_stage_is_named_with_its_statement(store, tmp_path):
    source = frozen(store, tmp_path / "checkpoint")
    found = dependencies(ir(store, source))
    assert found["frozen"] == {
        "name": "frozen",
        "uri": f"bertbuild:freeze/{source.key}",
        "digest": {"bertbuild": source.digest},
        "annotations": {"stage": "freeze", "key": source.key},
    }
    assert found["frozen/provenance.json"]["digest"] == {"sha256": sha256(source.path / "provenance.json")}
    assert found["frozen/inference_graph.pb"]["digest"] == {"sha256": sha256(source.path / "inference_graph.pb")}


def test_a_virtual_environment_is_named_by_interpreter_lock_file_and_sbom(store, tmp_path):
    stored = frozen(store, tmp_path / "checkpoint")
    found = dependencies(stored)
    assert found["python"]["uri"] == "pkg:generic/python@3.7.17"
    (sbom,) = (name for name in found if name.startswith("sbom/"))
    assert found[sbom]["digest"] == {"sha256": sha256(store.root / sbom)}
    assert found["docker/tf1/requirements.txt"]["digest"]["sha256"].startswith(sbom[len("sbom/tf1-") :][:16])
    assert read(stored)["predicate"]["runDetails"]["builder"]["id"].endswith("/venv")


def test_the_place_where_it_was_made_is_named(store, tmp_path):
    stored = frozen(store, tmp_path / "checkpoint", isolation="docker")
    assert read(stored)["predicate"]["runDetails"]["builder"]["id"].endswith("/docker")
    assert problems(read(stored)) == []


def test_the_run(store, tmp_path):
    stored = frozen(store, tmp_path / "checkpoint")
    details = read(stored)["predicate"]["runDetails"]
    assert details["metadata"]["invocationId"] == "20261121-140312-7f3a"
    assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]
    log, facts = details["byproducts"]
    assert log["name"] == "logs/freeze.log"
    assert log["digest"] == {"sha256": sha256(store.logs / "freeze.log")}
    assert facts["annotations"] == {"python": "3.7.17", "packages": FACTS["packages"]}


def test_what_bertbuild_makes_itself_has_neither_backend_nor_log(store):
    details = read(publish(store, "inspect", {"inspection.json": "{}"}, [], backend=None))["predicate"]["runDetails"]
    assert details["builder"]["id"].endswith("/host")
    assert details["byproducts"] == []


def test_times_are_in_utc():
    assert timestamp(0.25) == "1970-01-01T00:00:00.250Z"
    assert timestamp(1795269792.0) == "2026-11-21T14:03:12.000Z"


def test_the_statement_is_hashed_and_no_part_of_the_digest(store, tmp_path):
    plain = frozen(store, tmp_path / "checkpoint", lock="other", with_statement=False)
    stated = frozen(store, tmp_path / "checkpoint")
    assert stated.manifest["files"]["provenance.json"]["sha256"] == sha256(stated.path / "provenance.json")
    assert stated.digest == plain.digest
    assert "provenance.json" not in plain.manifest["files"]
    again = Store(store.root)
    assert again.find("freeze", stated.key) == stated
    assert again.find("freeze", plain.key) == plain  # as one that was made before there were statements
    assert (stated.path / "provenance.json").stat().st_mode & 0o777 == 0o444


def without(*path):
    def change(value):
        for name in path[:-1]:
            value = value[name]
        del value[path[-1]]

    return change


def having(new, *path):
    def change(value):
        for name in path[:-1]:
            value = value[name]
        value[path[-1]] = new

    return change


DEFINITION, DETAILS = ("predicate", "buildDefinition"), ("predicate", "runDetails")
BROKEN = {
    "no type": (without("_type"), "statement._type: is missing"),
    "another type": (having("https://in-toto.io/Statement/v0.1", "_type"), "statement._type: is 'https://in-toto.io/S"),
    "another predicate": (having("https://slsa.dev/provenance/v0.2", "predicateType"), "statement.predicateType: is"),
    "no subject": (without("subject"), "statement.subject: is missing"),
    "a subject without digest": (without("subject", 0, "digest"), "statement.subject[0]: has no"),
    "a subject twice": (having("signature.json", "subject", 0, "name"), "statement.subject: signature.json stands"),
    "upper case": (having("A" * 64, "subject", 0, "digest", "sha256"), "statement.subject[0].digest.sha256: 'AAA"),
    "a short digest": (having("ab", "subject", 0, "digest", "sha256"), "statement.subject[0].digest.sha256: 'ab'"),
    "no build type": (without(*DEFINITION, "buildType"), "statement.predicate.buildDefinition.buildType: is missing"),
    "no URI": (having("stage", *DEFINITION, "buildType"), "statement.predicate.buildDefinition.buildType: 'stage'"),
    "a host in capitals": (having("https://Bert.org/x", *DEFINITION, "buildType"), "statement.predicate.buildDef"),
    "a list of parameters": (having([], *DEFINITION, "externalParameters"), "statement.predicate.buildDefinition.ext"),
    "an empty dependency": (having([{}], *DEFINITION, "resolvedDependencies"), "statement.predicate.buildDefinition.r"),
    "no builder": (without(*DETAILS, "builder"), "statement.predicate.runDetails.builder: is missing"),
    "a number of a version": (having({"python": 3}, *DETAILS, "builder", "version"), "statement.predicate.runDetails"),
    "local time": (having("2026-11-21T14:03:12+01:00", *DETAILS, "metadata", "startedOn"), "statement.predicate.run"),
    "no such month": (having("2026-13-21T14:03:12Z", *DETAILS, "metadata", "finishedOn"), "statement.predicate.runDe"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_statement_is_told_from_a_sound_one(store, tmp_path, name):
    change, expected = BROKEN[name]
    value = copy.deepcopy(read(frozen(store, tmp_path / "checkpoint")))
    change(value)
    (found, *_) = problems(value)
    assert found.startswith(expected)


def test_null_and_unknown_fields_are_allowed(store, tmp_path):
    value = read(frozen(store, tmp_path / "checkpoint"))
    value["predicate"]["buildDefinition"]["internalParameters"] = None
    value["predicate"]["runDetails"]["acme_reviewed"] = True
    assert problems(value) == []
    assert problems([]) == ["statement: is not an object"]
