from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from graph_builder import bert_graph
from matrix import cells

pytestmark = pytest.mark.integration


def test_our_own_frozen_graph_gives_the_answers_of_its_checkpoint(bertbuild, tiny, tiny_built):
    assert tiny_built.code == 0
    path = Path(bertbuild.ok("freeze", "--checkpoint", tiny).last["targets"][0]["path"]) / "inference_graph.pb"
    built = bertbuild.ok("build-ir", "--frozen", path, "--name", "own")
    assert built.verdict("ir-fp32")["passed"]
    ours, direct = bertbuild.answers("own", "ir-fp32"), bertbuild.answers("tiny", "ir-fp32")
    assert ours.keys() == direct.keys()
    # By default a processor that has bf16 rounds to it, in two graphs at two places.
    in_float32 = [name for name in ours if not name.startswith("default/")]
    assert in_float32
    assert all(np.abs(ours[name] - direct[name]).max() <= 1e-5 for name in in_float32)
    facts = run_script("openvino", "ir", ir=bertbuild.out("own", "ir-fp32"))
    assert {port["shape"] for port in facts["inputs"].values()} == {"[?,?]"}


PORTS = {
    "page": {"input_ids": 0, "input_mask": 1, "segment_ids": 4},
    "page_permuted": {"input_ids": 4, "input_mask": 3, "segment_ids": 0},
}


@pytest.mark.parametrize(("graph", "ports"), cells(PORTS, "page").items())
def test_a_graph_fed_by_an_input_pipeline_is_traced_whatever_its_features_are_called(bertbuild, foreign, graph, ports):
    built = bertbuild.ok("build-ir", "--frozen", foreign / f"{graph}.pb", "--name", graph)
    verdict = built.verdict("ir-fp32")
    assert verdict["passed"]
    assert verdict["skipped"] == []
    for role, port in ports.items():
        assert f"{role} is IteratorGetNext:{port}" in built.notes
    facts = run_script("openvino", "ir", ir=bertbuild.out(graph, "ir-fp32"))
    assert {name: (port["type"], port["shape"]) for name, port in facts["inputs"].items()} == dict.fromkeys(
        ports, ("i32", "[?,128]")
    )
    assert list(facts["outputs"]) == ["pooled_output"]


@pytest.mark.whole
def test_the_order_of_features_changes_no_answer(bertbuild, foreign):
    for graph in ("page", "page_permuted"):
        bertbuild.ok("build-ir", "--frozen", foreign / f"{graph}.pb", "--name", graph)
    a, b = (bertbuild.answers(graph, "ir-fp32") for graph in ("page", "page_permuted"))
    assert a.keys() == b.keys()
    assert all(np.abs(a[name] - b[name]).max() <= 1e-6 for name in a)


def test_batch_is_free_and_the_sequence_length_cannot_be_another(bertbuild, foreign):
    built = bertbuild.ok("build-ir", "--frozen", foreign / "page.pb", "--name", "page", "--batch-size", 3)
    assert built.verdict("ir-b3-fp32")["passed"]
    assert "the graph takes sequences of 128 alone: that is built into its inputs" in built.notes
    facts = run_script("openvino", "ir", ir=bertbuild.out("page", "ir-b3-fp32"))
    assert {port["shape"] for port in facts["inputs"].values()} == {"[3,128]"}
    error = bertbuild.refused("build-ir", "--frozen", foreign / "page.pb", "--name", "page", "--seq-len", 64, code=2)
    assert "--seq-len 64, but the graph is frozen for 128" in error["message"]
    assert not bertbuild.out("page", "ir-s64-fp32").exists()


def test_the_model_optimizer_converts_it_as_the_page_says(bertbuild, foreign):
    built = bertbuild.ok("build-ir", "--frozen", foreign / "page.pb", "--name", "page", "--converter", "mo")
    assert built.verdict("ir-mo-fp32")["passed"]
    command = next(note for note in built.notes if note.startswith("mo "))
    assert "IteratorGetNext:0{i32}[1 128],IteratorGetNext:1{i32}[1 128],IteratorGetNext:4{i32}[1 128]" in command
    facts = run_script("openvino", "ir", ir=bertbuild.out("page", "ir-mo-fp32"))
    assert {name: port["shape"] for name, port in facts["inputs"].items()} == dict.fromkeys(
        ("input_ids", "input_mask", "segment_ids"), "[1,128]"
    )


def test_a_graph_with_variables_is_refused_in_words(bertbuild, foreign):
    error = bertbuild("build-ir", "--frozen", foreign / "not_frozen.pb").last
    assert error["event"] == "error"
    assert error["exit_code"] in {4, 13}
    assert "not frozen" in error["message"] + error["details"]
    assert "Traceback" not in error["details"]


def test_a_file_that_is_no_graph_is_refused_before_any_stage(bertbuild, tmp_path):
    (tmp_path / "photo.pb").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    outcome = bertbuild("build-ir", "--frozen", tmp_path / "photo.pb")
    assert outcome.code == 4
    assert outcome.of("stage") == []
    assert bertbuild.refused("build-ir", "--frozen", tmp_path / "absent.pb", code=4)["next_step"]


def test_a_graph_that_tensorflow_does_not_take_is_refused_in_words(fresh, tmp_path):
    path = tmp_path / "graph.pb"
    path.write_bytes(bert_graph(frozen=True)[0].graph_def())  # whose operators do not say of which type they are
    error = fresh.refused("build-ir", "--frozen", path, "--outputs", "bert/pooler/dense/Tanh", code=13)
    assert f"TensorFlow does not take the graph of {path}: NodeDef missing attr" in error["message"]
    assert "Traceback" not in error["details"]


@pytest.mark.parametrize("flags", [("--route", "static"), ("--output", "sequence"), ("--gelu", "tanh")])
def test_a_frozen_graph_takes_no_flags_that_it_has_built_in(bertbuild, foreign, flags):
    assert "frozen graph" in bertbuild.refused("build-ir", "--frozen", foreign / "page.pb", *flags, code=2)["message"]
