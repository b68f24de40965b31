"""Every kind of head, frozen and as IRs, against the source's graph by the gate and against NumPy here."""

from __future__ import annotations

import numpy as np
import pytest
from backends import run as run_script
from calibration_data import features, write_prepared
from matrix import WHOLE, cells
from numpy_bert import NumpyBert
from tiny_models import CONFIG, head_weights, weights, write_google

LOGITS = ("logits", "probabilities")
CASES = {
    "classifier": ((), LOGITS, {"logits", "probabilities"}),
    "multi-label": (("--head", "multi-label"), LOGITS, {"logits", "probabilities"}),
    "regression": (("--head", "regression"), ("score",), {"score"}),
    "tokens": (("--head", "tokens"), (*LOGITS, "sequence"), {"logits", "probabilities", "sequence_output"}),
    "span": ((), ("start_logits", "end_logits"), {"start_logits", "end_logits"}),
    "own-table": ((), ("masked-lm-logits",), {"masked_lm_logits"}),
    "several": (
        (),
        ("probabilities", "start_logits", "masked-lm-logits", "next-sentence-logits", "pooled"),
        {"probabilities", "start_logits", "masked_lm_logits", "next_sentence_logits", "pooled_output"},
    ),
}
"""Name → the flags that say the kind, where names of variables do not; outputs; their tensors."""
KINDS = {"several": ("classifier", "span", "masked-lm", "next-sentence"), "own-table": ("masked-lm",)}
TABLE = {"cls/predictions/output_weights": (CONFIG["vocab_size"], CONFIG["hidden_size"])}
"""Of a masked LM that is not tied to the embeddings."""
PRECISIONS = {"fp32": 2e-5, "fp16": 3e-2}
"""Largest difference from NumPy in float64."""
BUILT = cells(CASES, "several")


def variables(name):
    kinds = KINDS.get(name, (name,))
    chance = np.random.default_rng(9)
    own = {  # as large as all other variables here
        key: chance.standard_normal(shape, dtype=np.float32) * np.float32(0.25)
        for key, shape in TABLE.items()
        if name == "own-table"
    }
    return {
        **weights(seed=7),
        **own,
        **{name: value for kind in kinds for name, value in head_weights(kind, seed=8).items()},
    }


@pytest.fixture(scope="module", params=BUILT)
def case(request, bertbuild, session_folder):
    """A checkpoint with these heads, its variables, and what was built of it: IRs, and the frozen graph."""
    name = request.param
    flags, outputs, _ = CASES[name]
    tensors = variables(name)
    folder = write_google(session_folder / f"head-{name}", tensors)
    source = ("--checkpoint", folder, *flags, "--output", ",".join(outputs))
    built = bertbuild.ok("build-ir", *source, "--precision", "fp32,fp16")
    frozen = bertbuild.ok("freeze", *source)
    outcomes = [built, frozen]
    if WHOLE:
        outcomes.append(bertbuild.ok("build-ir", *source, "--route", "reshapeable"))
        assert "freeze" in outcomes[-1].ids("cached"), "the IR was made of the same frozen graph"
    return name, tensors, [target["target"] for outcome in outcomes for target in outcome.last["targets"]]


def test_each_target_gives_what_numpy_computes(bertbuild, case):
    name, tensors, targets = case
    bert = NumpyBert(tensors, heads=CONFIG["num_attention_heads"], activation="erf")
    model = f"head-{name}"
    wanted = {
        probe: bert.answer(feeds, KINDS.get(name, (name,)))
        for probe, feeds in bertbuild.probes(model, targets[0]).items()
    }
    for target in targets:
        precision = target.rpartition("-")[2]
        answers = bertbuild.answers(model, target)
        assert {key.split("/")[-1] for key in answers} == CASES[name][2]
        for probe, expected in wanted.items():
            for tensor in CASES[name][2]:
                found = answers[f"{probe}/{tensor}"]
                assert found.shape == expected[tensor].shape
                assert np.abs(found - expected[tensor]).max() < PRECISIONS.get(precision, 2e-5), (target, tensor)


def test_a_mask_of_zeros_gives_numbers_like_numpys(bertbuild, case, tmp_path):
    """10,000 is taken off every score alike, which changes no softmax, and costs float32 its last digits."""
    name, tensors, targets = case
    length = 16
    feeds = {
        "input_ids": np.arange(length, dtype=np.int32)[None],
        "input_mask": np.zeros((1, length), np.int32),
        "segment_ids": np.zeros((1, length), np.int32),
    }
    np.savez(tmp_path / "inputs.npz", **feeds)
    fp32 = next(target for target in targets if target.endswith("fp32"))
    ir = bertbuild.artifacts / "out" / f"head-{name}" / fp32
    run_script("openvino", "ir", ir=ir, runs=[{"inputs": tmp_path / "inputs.npz", "answers": tmp_path / "answers.npz"}])
    expected = NumpyBert(tensors, heads=CONFIG["num_attention_heads"], activation="erf").answer(
        feeds, KINDS.get(name, (name,))
    )
    with np.load(tmp_path / "answers.npz") as answers:
        assert set(answers.files) == CASES[name][2]
        for tensor in answers.files:
            assert np.abs(answers[tensor] - expected[tensor]).max() < 3e-2, tensor


@pytest.fixture(scope="module")
def tuned(session_folder):
    """A checkpoint of SQuAD with the heads of its pre-training left in it."""
    kinds = ("span", "masked-lm", "next-sentence")
    found = {name: value for kind in kinds for name, value in head_weights(kind, seed=8).items()}
    return write_google(session_folder / "span-of-pretraining", {**weights(seed=7), **found})


def test_without_an_output_a_model_gives_its_heads_answer_and_not_that_of_pretraining(bertbuild, tuned):
    built = bertbuild.ok("build-ir", "--checkpoint", tuned)
    assert built.last["target"] == "ir-fp32"
    assert {row["output"] for row in built.verdict("ir-fp32")["rows"]} == {"start_logits", "end_logits"}
    assert {part["kind"] for part in built.last["left_out"]} == {"masked-lm", "next-sentence", "pooler"}


def test_a_fixed_shape_takes_the_padding_off_what_is_of_each_position(bertbuild, tuned):
    built = bertbuild.ok("build-ir", "--checkpoint", tuned, "--batch-size", 2, "--seq-len", 128)
    verdict = built.verdict("ir-b2-s128-fp32")
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"start_logits", "end_logits"}


def test_the_static_route_has_a_metagraph_with_the_head(bertbuild, tuned):
    built = bertbuild.ok("build-ir", "--checkpoint", tuned, "--route", "static")
    verdict = built.verdict("ir-static-fp32")
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"start_logits", "end_logits"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--converter", "mo"), "cuts the .meta at the pooler; it gives no start_logits and no end_logits."),
        (("--output", "logits"), "has no classifier head (output_weights), so it gives no logits."),
        (("--output", "score,start_logits"), "has no regression head (output_weights), so it gives no score."),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(bertbuild, tuned, words, told):
    error = bertbuild.refused("build-ir", "--checkpoint", tuned, *words, code=2)
    assert told in error["message"]
    assert error["next_step"]


@pytest.mark.skipif(not WHOLE, reason="runs with --whole")
@pytest.mark.parametrize("name", CASES)
def test_int8_passes_its_gate(bertbuild, session_folder, tmp_path, name):
    flags, outputs, _ = CASES[name]
    folder = session_folder / f"head-{name}"
    assert folder.is_dir() or write_google(folder, variables(name))
    columns = features(64)
    data = write_prepared(tmp_path / "prepared", columns, columns, np.zeros(64, int))
    words = (
        "--checkpoint",
        folder,
        *flags,
        "--output",
        ",".join(outputs),
        "--precision",
        "int8",
        "--calibration",
        data,
    )
    built = bertbuild.ok("build-ir", *words)
    assert built.verdict(built.last["target"])["passed"]
