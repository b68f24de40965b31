"""Two runs compared: bytes, graphs and numbers apart, and which differences count."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.gate.reproducibility import compare
from bertbuild.stages import STAGES

IR = """<net><layers>
<layer id="0" name="a" type="Const"><data element_type="f32" offset="0" size="8" shape="2" /></layer>
<layer id="1" name="b" type="Const"><data element_type="f16" offset="8" size="4" shape="2" /></layer>
</layers></net>
"""


@pytest.fixture
def runs(tmp_path):
    """Two folders of an IR that are the same but for the facts of the run."""
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        write_weights(folder, [1.0, 2.0], [0.5, 0.25])
        (folder / "model.xml").write_text(IR)
        (folder / "stage.json").write_text(name)
    return tmp_path / "first", tmp_path / "second"


def write_weights(folder, floats, halves):
    content = np.array(floats, np.float32).tobytes() + np.array(halves, np.float16).tobytes()
    (folder / "model.bin").write_bytes(content)


def states(found):
    return {file.name: file.state for file in found.files}


def test_the_same_twice(runs):
    found = compare(*runs, "ir")
    assert found.reproducible
    assert states(found) == {"model.bin": "same", "model.xml": "same", "stage.json": "different"}
    (graph,) = found.graphs
    assert graph.first == graph.second
    (numbers,) = found.numbers
    assert (numbers.name, numbers.tensors, numbers.max_abs) == ("model.bin", 2, 0.0)
    assert found.lines() == [
        "ir: 2 of 2 files have the same bytes",
        f"  model.xml: the same graph, {graph.first[:12]}",
        "  model.bin: 2 tensors, no difference",
    ]


def test_other_weights_differ_in_bytes_graph_and_numbers(runs):
    write_weights(runs[1], [1.0, 2.0], [0.5, 0.75])
    found = compare(*runs, "ir")
    assert not found.reproducible
    assert [file.name for file in found.differences] == ["model.bin"]
    assert found.graphs[0].first != found.graphs[0].second
    assert found.numbers[0].max_abs == 0.5
    assert "  model.bin: 2 tensors, max abs difference 5.0e-01" in found.lines()


def test_another_order_differs_in_bytes_alone(runs):
    (runs[1] / "model.xml").write_text(IR.replace('offset="0" size="8"', 'size="8" offset="0"'))
    found = compare(*runs, "ir")
    assert not found.reproducible
    assert found.graphs[0].first == found.graphs[0].second
    assert found.numbers[0].max_abs == 0.0


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_too_few_or_too_many_counts_in_every_stage(runs, stage):
    (runs[0] / "extra").touch()
    (runs[1] / "model.bin").rename(runs[1] / "other.bin")
    (runs[0] / "model.xml").unlink()
    found = compare(*runs, stage)
    assert not found.reproducible
    assert states(found) == {
        "extra": "only in the first",
        "model.bin": "only in the first",
        "model.xml": "only in the second",
        "other.bin": "only in the second",
        "stage.json": "different",
    }
    assert len(found.differences) == 4


def test_the_arrays_of_answers(tmp_path):
    for name, value in (("first", 1.0), ("second", 1.25)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "answers.npz", a=np.array([value, np.nan]), b=np.array([3]), c=np.zeros(0))
    (numbers,) = compare(tmp_path / "first", tmp_path / "second", "tf1-infer").numbers
    assert (numbers.tensors, numbers.max_abs) == (3, 0.25)


INCOMPARABLE = {
    "another name": {"x": np.zeros(2)},
    "another shape": {"a": np.zeros(3)},
    "another dtype": {"a": np.zeros(2, np.float32)},
    "no number": {"a": np.array([0.0, np.nan])},
}


@pytest.mark.parametrize("what", INCOMPARABLE)
def test_numbers_that_cannot_be_compared_are_no_number(tmp_path, what):
    for name, arrays in (("first", {"a": np.zeros(2)}), ("second", INCOMPARABLE[what])):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "answers.npz", **arrays)
    found = compare(tmp_path / "first", tmp_path / "second", "tf1-infer")
    assert found.numbers[0].max_abs is None
    assert "cannot be compared" in found.lines()[-1]
    assert json.loads(json.dumps(found.as_json()))["numbers"][0]["max_abs"] is None


def test_the_tensors_of_a_checkpoint(tmp_path):
    for name, value in (("first", 1.0), ("second", 1.5)):
        (tmp_path / name).mkdir()
        write_checkpoint(tmp_path / name / "bert_model.ckpt", {"w": np.full(3, value, np.float32)})
    found = compare(tmp_path / "first", tmp_path / "second", "import")
    (numbers,) = found.numbers
    assert (numbers.name, numbers.max_abs) == ("bert_model.ckpt.index", 0.5)
    assert [file.name for file in found.differences] == [
        "bert_model.ckpt.data-00000-of-00001",
        "bert_model.ckpt.index",  # which holds the checksums
    ]


def test_statements_and_manifests_never_count(runs):
    for folder in runs:
        (folder / "provenance.json").write_text(str(folder))
        (folder / "manifest.json").write_text(str(folder))
    assert compare(*runs, "ir").reproducible
    shutil.rmtree(runs[1])
    runs[1].mkdir()
    assert not compare(*runs, "ir").reproducible
