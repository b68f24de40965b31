"""extract: which outputs of a graph hold something for each position."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from bertbuild.project import ROOT


@pytest.fixture
def with_positions(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docker" / "common"))
    monkeypatch.delitem(sys.modules, "stage", raising=False)
    spec = importlib.util.spec_from_file_location("extract_stage", ROOT / "docker" / "tf1" / "stages" / "extract.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.with_positions
    sys.modules.pop("stage", None)


@pytest.mark.parametrize(
    ("shape", "ids", "kept"),
    [
        ([-1, 2], [-1, -1], False),
        ([-1, -1], [-1, -1], True),
        ([-1, -1, 3], [-1, -1], True),
        ([-1, 128], [-1, 128], True),
        ([-1, 2], [-1, 128], False),
        ([-1], [-1, -1], False),
        (None, [-1, -1], True),
        ([-1, -1], None, True),
    ],
)
def test_an_output_of_another_second_size_than_the_sequence_has_none(with_positions, shape, ids, kept):
    assert with_positions(["a"], {"a": {"shape": shape}}, ids) == (["a"] if kept else [])
