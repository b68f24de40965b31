from __future__ import annotations

import pytest
from backends import run as run_script
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("flags", "target", "shape"),
    [
        (("--batch-size", 2), "ir-b2-fp32", "[2,?]"),
        (("--seq-len", 32), "ir-s32-fp32", "[?,32]"),
        (("--batch-size", 2, "--seq-len", 160), "ir-b2-s160-fp32", "[2,160]"),
    ],
)
def test_sizes_are_fixed_as_asked_and_the_rest_stays_free(bertbuild, tiny, tiny_built, flags, target, shape):
    assert tiny_built.code == 0
    built = bertbuild.ok("build-ir", "--checkpoint", tiny, *flags)
    assert [found["target"] for found in built.last["targets"]] == [target]
    assert built.verdict(target)["passed"]
    facts = run_script("openvino", "ir", ir=bertbuild.out("tiny", target))
    assert {port["shape"] for port in facts["inputs"].values()} == {shape}


def test_probes_longer_than_a_fixed_length_are_named_as_not_compared(bertbuild, tiny, tiny_built):
    assert tiny_built.code == 0
    verdict = bertbuild.ok("build-ir", "--checkpoint", tiny, "--seq-len", 32).verdict("ir-s32-fp32")
    assert {name.split("/")[0] for name in verdict["skipped"]} == {"b1_s128", "b4_s128"}
    assert {row["probe"].split()[0] for row in verdict["rows"]} == {"b1_s16", "b4_s16"}


WRONG = {
    "longer than the position table": (("--seq-len", 161), "160"),
    "a batch below zero": (("--batch-size", -1), "must be at least 0"),
    "an unknown precision": (("--precision", "int4"), "fp32, fp16"),
    "an unknown output": (("--output", "logit"), "probabilities"),
    "an unknown gelu": (("--gelu", "swish"), "tanh"),
    "an unknown route": (("--route", "scenic"), "reshapeable"),
    "an unknown converter": (("--converter", "onnx"), "mo"),
    "a static route of another length": (("--route", "static", "--seq-len", 16), "static"),
    "an output of no SavedModel": (("--route", "savedmodel", "--output", "all-layers"), "SavedModel"),
    "two sources": (("--model", "minilm-l6"), "one source"),
    "a checkpoint and a frozen graph": (("--frozen", "x.pb"), "one source"),
    "a name that is not a folder's": (("--name", "../outside"), "--name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_flags_that_cannot_be_meant_are_refused_before_any_stage(bertbuild, tiny, tiny_built, case):
    assert tiny_built.code == 0
    flags, word = WRONG[case]
    outcome = bertbuild("build-ir", "--checkpoint", tiny, *flags)
    assert outcome.code == 2
    assert outcome.last["error"] == "UsageError"
    assert word in outcome.last["message"]
    assert outcome.last["next_step"]
    assert outcome.ids("started") == []


def test_no_source_is_refused(bertbuild):
    assert "source" in bertbuild.refused("build-ir", code=2)["message"]


def test_probabilities_of_a_model_without_a_head_are_refused(bertbuild, session_folder):
    folder = write_google(session_folder / "headless", weights(CONFIG, seed=4))
    error = bertbuild.refused("build-ir", "--checkpoint", folder, "--output", "probabilities", code=2)
    assert "output_weights" in error["message"]


def test_a_model_with_fewer_positions_than_a_probe_is_asked_shorter_ones(bertbuild, session_folder):
    config = CONFIG | {"max_position_embeddings": 24}
    folder = write_google(session_folder / "short", weights(config, seed=6), config=config)
    built = bertbuild.ok("build-ir", "--checkpoint", folder)
    probes = {row["probe"].split()[0] for row in built.verdict("ir-fp32")["rows"]}
    assert probes == {"b1_s16", "b1_s24", "b4_s16", "b4_s24"}
