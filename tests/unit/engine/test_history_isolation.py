"""Where a result was made: its manifest says it; of one that was made before manifests did, its environment tells."""

from __future__ import annotations

import json

import pytest
from small_store import make

from bertbuild.engine.history import History


@pytest.mark.parametrize(
    ("manifest", "environment", "place"),
    [
        ({"isolation": "toy"}, {"image": "sha256:1"}, "toy"),
        ({}, {"image": "sha256:1"}, "docker"),
        ({}, {"lock": "l", "machine": "x86_64"}, "venv"),
        ({}, {}, ""),
    ],
)
def test_where_a_result_was_made(store, manifest, environment, place):
    made = make(store, "ir", "content")
    path = made.path / "manifest.json"
    value = json.loads(path.read_text()) | manifest
    value["components"]["environment"] = environment
    path.chmod(0o644)
    path.write_text(json.dumps(value))
    (past,) = History(store)._made("ir")
    assert past.isolation == place
