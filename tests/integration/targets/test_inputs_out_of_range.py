"""docs/limits.md: what an IR does with inputs outside the model's range."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from backends import SCRIPTS, python
from tiny_models import CONFIG

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["openvino", pytest.param("openvino@2024.6", marks=pytest.mark.whole)])
def found(request, bertbuild, tiny, tiny_built):
    assert tiny_built.code == 0
    built = bertbuild.ok("build-ir", "--checkpoint", tiny, "--output", "pooled")
    asked = {
        "xml": str(bertbuild.out("tiny", built.last["target"]) / "model.xml"),
        "vocab": CONFIG["vocab_size"],
        "types": CONFIG["type_vocab_size"],
        "positions": CONFIG["max_position_embeddings"],
    }
    done = subprocess.run(
        [str(python(request.param)), str(SCRIPTS / "ir_limits.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "CI": "true"},
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_negative_ids_count_from_the_end_silently(found):
    assert found["-1"] == found["last"]
    assert found["-vocab"] == found["first"]
    assert found["first"] != found["last"]


def test_ids_beyond_are_a_row_of_zeros_silently(found):
    assert found["vocab"] == found["beyond"] == found["below"]
    assert found["vocab"] not in (found["first"], found["last"])


def test_segments_outside_are_a_row_of_zeros_silently(found):
    assert found["segment types"] == found["segment beyond"] == found["segment -1"]
    assert found["segment types"] not in (found["segment 0"], found["segment last"])


def test_no_length_gives_no_numbers_and_one_position_too_many_an_error(found):
    assert found["length 0"] == []
    assert len(found["longest"]) == CONFIG["hidden_size"]
    assert "mismatch" in found["too long"]
