"""What a build says of a target at its end."""

from __future__ import annotations

import json
from types import SimpleNamespace

from bertbuild.engine.gate import Built


def lines(folder, **more):
    stored = SimpleNamespace(path=folder)
    return list(Built(model="m", target="ir-text-fp32", path=folder, stored=stored, verdict=None, **more).told)


def test_how_models_that_take_strings_read_text_is_told(tmp_path):
    assert lines(tmp_path) == []
    (tmp_path / "text_gate.json").write_text(json.dumps({"texts": 1200, "differences": {"marks": 3, "others": 1}}))
    told = "reads 1,196 of 1,200 texts as google-research/bert does; not: marks 3, others 1"
    assert lines(tmp_path) == [f"m/ir-text-fp32: the tokenizer {told}"]
    assert lines(tmp_path, assumed="classifier")[1:] == lines(tmp_path)
