"""Statements and manifests changed by chance, and the changes that once had no sentence."""

from __future__ import annotations

import json
import random
import shutil

import pytest
from mutations import mutated, mutated_json
from provenance_doubles import frozen

from bertbuild.provenance.verify import verify


@pytest.fixture
def copied(store, tmp_path):
    """A copy of a result that may be written to."""
    folder = tmp_path / "copy"
    shutil.copytree(frozen(store, tmp_path / "checkpoint").path, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.mark.parametrize("name", ["provenance.json", "manifest.json"])
def test_whatever_is_changed_is_told(store, copied, name):
    sound = (copied / name).read_bytes()
    for seed in range(60):
        chance = random.Random(seed)  # noqa: S311
        (copied / name).write_bytes(mutated_json(sound, chance) if seed % 3 else mutated(sound, chance))
        verify(copied, store)


def subject_without_name(_definition, subject):
    subject[0]["name"] = None


def long_subject(_definition, subject):
    subject[0]["name"] = "x" * 5000


def dependency_without_name(definition, _subject):
    definition["resolvedDependencies"][0]["name"] = None


def long_dependency(definition, _subject):
    definition["resolvedDependencies"][0]["annotations"] = {"stage": "x" * 5000, "key": "y"}


def odd_format(definition, _subject):
    definition["internalParameters"]["keyFormat"] = float("nan")


def half_a_character(definition, _subject):
    definition["internalParameters"]["keyFormat"] = "\ud800"


@pytest.mark.parametrize(
    "change",
    [subject_without_name, long_subject, dependency_without_name, long_dependency, odd_format, half_a_character],
)
def test_a_malformed_statement_is_wrong_and_said_to_be(store, copied, change):
    path = copied / "provenance.json"
    statement = json.loads(path.read_text())
    change(statement["predicate"]["buildDefinition"], statement["subject"])
    path.write_text(json.dumps(statement))
    assert verify(copied, store).wrong
