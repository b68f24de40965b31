"""What a target comes from, followed by keys and by sha256 to the catalogue's models and data sets."""

from __future__ import annotations

import hashlib

import pytest
from provenance_doubles import publish

from bertbuild.catalogue.datasets import load_datasets
from bertbuild.catalogue.lockfile import LockEntry, check_or_record
from bertbuild.catalogue.models import load_models
from bertbuild.packaging.licences import forbidding, licences
from bertbuild.packaging.lineage import lineage
from bertbuild.provenance.statement import file_named, result_named
from bertbuild.store.inputs import folder_input

MODEL = next(name for name, model in load_models().items() if not model.wheel)
WEIGHTS = "bert_model.ckpt.data-00000-of-00001"


def given(store, name, folder, **files):
    folder.mkdir(exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    return file_named(name, folder_input(folder, sorted(files), store.inputs), store.digests)


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """models.lock.json with the hash of the weights "published", as of a model whose publisher gives none."""
    path = tmp_path / "models.lock.json"
    entry = LockEntry(bytes=9, sha256=hashlib.sha256(b"published").hexdigest(), url="u")
    check_or_record(path, {f"{MODEL}/{WEIGHTS}": entry})
    model = load_models()[MODEL]
    bare = tuple(type(file)(name=file.name) for file in model.files)
    known = {MODEL: type(model)(**{**{f: getattr(model, f) for f in model.__dataclass_fields__}, "files": bare})}
    monkeypatch.setattr("bertbuild.packaging.lineage.load_models", lambda: known)
    return path


def test_a_trained_target_leads_to_the_catalogues_model_and_data(store, tmp_path, lock):
    base = given(store, "checkpoint", tmp_path / "base", **{WEIGHTS: "published"})
    raw = given(store, "data", tmp_path / "raw", **{"train.tsv": "rows"})
    data = publish(store, "prepare-data", {"prepared.json": "{}"}, [raw], params={"task": "MRPC"})
    tuned = publish(store, "finetune", {WEIGHTS: "tuned"}, [base, result_named("data", data)], params={"seed": "1"})
    # As its user names it: the folder in out/, of which the statement has the files alone.
    named = given(store, "checkpoint", tmp_path / "named", **{WEIGHTS: "tuned"})
    target = publish(store, "ir-direct", {"model.xml": "x"}, [named], backend="openvino")
    found = lineage(store, target.stage, target.key, "", lock)
    assert [model.name for model in found.models] == [MODEL]
    assert [one.name for one in found.datasets] == ["MRPC"]
    assert found.trainings == (("finetune", {"seed": "1"}),)
    assert tuned.key != target.key
    told = {one.name: one for one in licences("mine", found, ["openvino"])}
    assert (told[MODEL].spdx, told["MRPC"].spdx, told["openvino"].spdx) == (
        "Apache-2.0",
        "LicenseRef-MSRPC",
        "Apache-2.0",
    )
    assert [one.name for one in forbidding(tuple(told.values()), ())] == ["MRPC"]
    assert not forbidding(tuple(told.values()), ["LicenseRef-MSRPC"])


def test_a_shared_vocabulary_leads_nowhere(store, tmp_path, lock):
    publish(store, "finetune", {WEIGHTS: "tuned", "vocab.txt": "words"}, [], params={"seed": "1"})
    mine = given(store, "checkpoint", tmp_path / "mine", **{WEIGHTS: "mine", "vocab.txt": "words"})
    target = publish(store, "ir-direct", {"model.xml": "x"}, [mine], backend="openvino")
    found = lineage(store, target.stage, target.key, "own-reviews", lock)
    assert (found.models, found.datasets, found.trainings) == ((), (), ())
    assert found.own_tasks == ("own-reviews",)
    weights, data = licences("mine", found, [])
    assert (weights.spdx, data.spdx) == ("", "")
    assert "does not know" in weights.terms


def test_a_result_without_a_statement_has_no_lineage(store, lock):
    target = publish(store, "ir-direct", {"model.xml": "x"}, [], backend="openvino", with_statement=False)
    assert lineage(store, target.stage, target.key, "", lock).models == ()


def test_every_data_set_that_is_restricted_has_a_name_to_allow():
    restricted = {data.name: data.spdx for data in load_datasets().values() if data.restricted}
    assert restricted == {"MRPC": "LicenseRef-MSRPC", "QQP": "LicenseRef-Quora", "XNLI": "CC-BY-NC-4.0"}
    assert all(data.spdx for data in load_datasets().values() if "CC BY" in data.licence)
