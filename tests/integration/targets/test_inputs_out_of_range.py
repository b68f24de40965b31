"""docs/limits.md: what models do with inputs outside their range, as they are and guarded."""

from __future__ import annotations

import pytest
from backends import run as run_script
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration

OUTSIDE = ("-1", "-vocab", "below", "vocab", "beyond")
SEGMENTS_OUTSIDE = ("segment types", "segment beyond", "segment -1")


def limits(bertbuild, backend, engine, model, target, file):
    """What a model does with each input of range_limits.py."""
    sizes = {"vocab": "vocab_size", "types": "type_vocab_size", "positions": "max_position_embeddings"}
    told = {name: CONFIG[key] for name, key in sizes.items()}
    return run_script(backend, "range_limits", path=bertbuild.out(model, target) / file, engine=engine, **told)


@pytest.fixture(scope="module", params=["openvino", pytest.param("openvino@2024.6", marks=pytest.mark.whole)])
def found(request, bertbuild, tiny, tiny_built):
    assert tiny_built.code == 0
    built = bertbuild.ok("build-ir", "--checkpoint", tiny, "--output", "pooled")
    return limits(bertbuild, request.param, "openvino", "tiny", built.last["target"], "model.xml")


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


def test_onnx_runtime_counts_from_the_end_and_raises_beyond(bertbuild, tiny):
    built = bertbuild.ok("convert-onnx", "--checkpoint", tiny, "--output", "pooled")
    found = limits(bertbuild, "onnx", "onnxruntime", "tiny", built.last["target"], "model.onnx")
    assert (found["-1"], found["-vocab"]) == (found["last"], found["first"])
    assert all("out of data bounds" in found[name] for name in ("below", "vocab", "beyond"))
    assert found["segment types"] == found["segment beyond"]
    assert found["segment -1"] == found["segment last"] != found["segment 0"]
    assert found["segment types"] not in (found["segment 0"], found["segment last"])
    assert isinstance(found["too long"], str)
    assert len(found["longest"]) == CONFIG["hidden_size"]


@pytest.mark.whole
@pytest.mark.parametrize("backend", ["tf1", "tf2"])
def test_tensorflow_raises_at_ids_and_not_at_segments(bertbuild, tiny, backend):
    built = bertbuild.ok("freeze", "--checkpoint", tiny, "--output", "pooled")
    found = limits(bertbuild, backend, "tensorflow", "tiny", built.last["target"], "inference_graph.pb")
    assert all(isinstance(found[name], str) for name in (*OUTSIDE, "too long", "length 0"))
    assert len({str(found[name]) for name in SEGMENTS_OUTSIDE}) == 1
    assert found["segment types"] not in (found["segment 0"], found["segment last"])


@pytest.fixture(scope="module")
def with_unknown(session_folder):
    """A tiny checkpoint whose second word is [UNK]."""
    folder = write_google(session_folder / "with-unknown", weights(seed=11, labels=2))
    words = (folder / "vocab.txt").read_text().splitlines()
    (folder / "vocab.txt").write_text("\n".join([words[0], "[UNK]", *words[2:]]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("command", "backend", "engine", "file"),
    [("build-ir", "openvino", "openvino", "model.xml"), ("convert-onnx", "onnx", "onnxruntime", "model.onnx")],
)
def test_a_guarded_model_takes_ids_for_unk_and_segments_for_0(bertbuild, with_unknown, command, backend, engine, file):
    built = bertbuild.ok(command, "--checkpoint", with_unknown, "--output", "pooled", "--guard")
    target = built.last["target"]
    probes = {row["probe"] for row in built.verdict(target)["rows"]}
    assert {"outside_b2_s16", "outside_b2_s16 rows alone", "b4_s128"} <= probes
    found = limits(bertbuild, backend, engine, "with-unknown", target, file)
    assert all(found[name] == found["second"] for name in OUTSIDE)
    assert all(found[name] == found["segment 0"] for name in SEGMENTS_OUTSIDE)
    assert found["second"] not in (found["first"], found["last"])
    assert found["segment last"] != found["segment 0"]


def test_what_a_guard_is_not_made_for_is_refused(bertbuild, tiny, with_unknown):
    error = bertbuild.refused("build-ir", "--checkpoint", tiny, "--guard", code=2)
    assert "the vocab.txt of tiny has none" in error["message"]
    words = ("--checkpoint", with_unknown, "--guard", "--route", "reshapeable")
    assert "direct route" in bertbuild.refused("build-ir", *words, code=2)["message"]
