"""Results of other key formats: what is said of them, and how often the store is read for it."""

from __future__ import annotations

import json

from bertbuild import keys
from bertbuild.stages import MANIFEST
from bertbuild.store import other_keys
from bertbuild.store.other_keys import OtherKeys
from bertbuild.store.store import Store

OLD = keys.KEY_FORMAT - 1


def put(store, key, form, inputs):
    folder = store.objects / "freeze" / key
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"components": {"format": form, "inputs": inputs}}))


def test_what_was_made_of_some_of_the_inputs_counts_but_for_the_probes(tmp_path):
    store = Store(tmp_path / "artifacts")
    put(store, "a", OLD, {"checkpoint": "c", "probes": "p"})
    put(store, "b", keys.KEY_FORMAT, {"checkpoint": "d"})
    put(store, "c", OLD, {"checkpoint": 5})
    (store.objects / "freeze" / "d").mkdir()
    found = OtherKeys(store)
    assert found.format("freeze", {"inputs": {"checkpoint": "c"}}) == OLD
    assert found.format("freeze", {"inputs": {"checkpoint": "d"}}) is None
    assert found.format("freeze", {"inputs": {"checkpoint": "e", "probes": "p"}}) is None
    assert found.format("ir-direct", {"inputs": {"checkpoint": "c"}}) is None


def test_a_store_is_read_once_however_many_results_are_made(tmp_path, monkeypatch):
    store, read = Store(tmp_path / "artifacts"), []
    for number in range(20):
        put(store, str(number), keys.KEY_FORMAT, {"checkpoint": str(number)})
    parse = other_keys.parse_json
    monkeypatch.setattr(other_keys, "parse_json", lambda text: read.append(text) or parse(text))
    found = OtherKeys(store)
    for number in range(20):
        assert found.format("freeze", {"inputs": {"checkpoint": str(number)}}) is None
    assert len(read) == 20
