from __future__ import annotations

import json
import math

import numpy as np
import pytest

from bertbuild.gate.parity import FEW, Verdict, compare
from bertbuild.kinds import limits, tolerances

PROBES = [
    {"name": "b2_s3", "input_mask": [[1, 1, 1], [1, 0, 0]]},
    {"name": "b1_s9", "input_mask": [[1] * 9]},
]
POOLED = np.array([[0.1, -0.9, 0.3], [0.5, 0.2, 0.8]], np.float32)
SEQUENCE = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4) / 8 + 8
SOURCE = {"b2_s3/pooled_output": POOLED, "b2_s3/sequence_output": SEQUENCE}


@pytest.fixture
def judged(tmp_path):
    """The verdict on a target's arrays."""

    def judge(target, source=SOURCE, precision="fp32"):
        np.savez(tmp_path / "source.npz", **source)
        np.savez(tmp_path / "target.npz", **target)
        verdict = compare(tmp_path / "source.npz", tmp_path / "target.npz", PROBES, precision, limits(precision))
        text = json.dumps(verdict.as_json(), allow_nan=False)
        assert Verdict.from_json(json.loads(text)) == verdict  # what is stored is what was judged
        return verdict

    return judge


def changed(name, change):
    return {**SOURCE, name: change(SOURCE[name])}


def row(verdict, output="pooled_output", probe="b2_s3"):
    return next(row for row in verdict.rows if (row.probe, row.output) == (probe, output))


def test_equal_answers_pass_with_perfect_figures(judged):
    verdict = judged(SOURCE)
    assert verdict.passed
    assert verdict.skipped == ()
    assert [(row.max_abs, round(row.cosine, 12), row.argmax) for row in verdict.rows] == [(0.0, 1.0, 1.0)] * 2


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("output", ["pooled_output", "sequence_output"])
@pytest.mark.parametrize(("share", "passes"), [(0.9, True), (1.1, False)])
def test_the_named_tolerance_decides(judged, precision, output, share, passes):
    limit = tolerances(precision)["pooled_output" if output == "pooled_output" else "hidden"].max_abs

    def moved(array):
        array = array.copy()
        array[0, 0] += np.float32(limit * share)
        return array

    verdict = judged(changed(f"b2_s3/{output}", moved), precision=precision)
    assert verdict.passed is passes
    assert row(verdict, output).max_abs == pytest.approx(limit * share, rel=0.05)
    assert verdict.worst == row(verdict, output)


def test_a_cosine_beyond_its_limit_fails_where_one_is_asked(judged):
    tiny = {"b2_s3/pooled_output": np.pad(np.array([[1e-3, 0], [1e-3, 0]], np.float32), ((0, 0), (0, FEW - 2)))}
    turned = {"b2_s3/pooled_output": tiny["b2_s3/pooled_output"].copy()}
    turned["b2_s3/pooled_output"][0, :2] = 0, 1e-3
    verdict = judged(turned, tiny, "fp16")
    assert row(verdict).max_abs < row(verdict).limit
    assert (row(verdict).cosine, row(verdict).argmax) == (0.0, 0.5)
    assert not verdict.passed
    assert verdict.worst.sentence == "pooled_output of probe b2_s3 has a cosine of 0.000000, and 0.9999 is asked"


def of_two(rows, one):
    return {"b2_s3/logits": np.array(rows, np.float32), "b1_s9/logits": np.array([one], np.float32)}


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8-weights"])
def test_a_short_row_of_two_logits_that_turns_by_rounding_does_not_decide(judged, precision):
    """A row near a decision points anywhere: its own cosine is -1, of an answer that is right but for rounding."""
    source = of_two([[1.5, -1.2], [2e-3, -2e-3]], [0.8, -1.1])
    verdict = judged(of_two([[1.5, -1.2], [-2e-3, 2e-3]], [0.8, -1.1]), source, precision)
    assert verdict.passed
    assert [row.cosine for row in verdict.rows] == [pytest.approx(1 - 2.9e-6, abs=1e-7)] * 2


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8-weights"])
@pytest.mark.parametrize("broken", [lambda rows: -rows, lambda rows: rows[..., ::-1], lambda rows: rows * 0])
def test_small_logits_that_are_wrong_fail_by_the_cosine_of_all_of_them(judged, precision, broken):
    """They are smaller than the largest difference that is allowed, which therefore sees nothing."""
    source = of_two([[0.02, -0.01], [0.004, -0.02]], [-0.008, 0.02])
    verdict = judged({name: broken(rows) for name, rows in source.items()}, source, precision)
    assert not verdict.passed
    assert all(row.max_abs < row.limit and row.cosine < row.cosine_limit for row in verdict.rows)


def test_the_cosine_of_few_elements_is_each_outputs_own_and_that_of_many_each_positions(judged):
    wide = np.ones((2, FEW), np.float32)
    turned = wide * np.array([[1], [-1]], np.float32)
    source = {**of_two([[1, 2], [3, 4]], [5, 6]), "b2_s3/pooled_output": wide, "b1_s9/pooled_output": wide[:1]}
    verdict = judged({**source, "b2_s3/pooled_output": turned}, source, "int8")
    cosines = {(row.probe, row.output): round(row.cosine, 6) for row in verdict.rows}
    assert cosines == {
        ("b2_s3", "logits"): 1.0,
        ("b1_s9", "logits"): 1.0,
        ("b2_s3", "pooled_output"): -1.0,
        ("b1_s9", "pooled_output"): 1.0,
    }


def test_the_sentence_has_the_figures(judged):
    verdict = judged(changed("b2_s3/pooled_output", lambda array: array + np.float32(0.25)))
    assert verdict.worst.sentence == "pooled_output of probe b2_s3 differs by 0.25, and 1e-05 is allowed"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_answer_that_is_no_number_fails(judged, value, precision):
    broken = POOLED.copy()
    broken[1, 2] = value
    verdict = judged({**SOURCE, "b2_s3/pooled_output": broken}, precision=precision)
    assert not verdict.passed
    assert verdict.worst.reason == "the answer is not finite (NaN or infinity)"
    assert verdict.as_json()["rows"][0]["max_abs"] is None


def test_a_source_that_gives_no_number_agrees_with_nothing(judged):
    broken = {"b2_s3/pooled_output": np.full_like(POOLED, np.nan)}
    verdict = judged(broken, broken)
    assert not verdict.passed
    assert verdict.worst.reason == "the source's answer is not finite (NaN or infinity)"


def test_another_shape_fails_with_both_shapes(judged):
    verdict = judged({**SOURCE, "b2_s3/pooled_output": POOLED[:, :2]})
    assert not verdict.passed
    assert verdict.worst.sentence == "pooled_output of probe b2_s3: shape [2, 2], where the source's is [2, 3]"
    assert verdict.worst.max_abs == math.inf
    assert row(verdict, "sequence_output").passed


def test_answers_at_padded_positions_do_not_count(judged):
    def at_padding(array):
        array = array.copy()
        array[1, 1:] = 99
        return array

    assert judged(changed("b2_s3/sequence_output", at_padding)).passed


def test_answers_at_real_positions_do_count(judged):
    def at_token(array):
        array = array.copy()
        array[1, 0] = 99
        return array

    assert not judged(changed("b2_s3/sequence_output", at_token)).passed


def test_each_row_of_a_batch_must_get_the_answer_it_gets_alone(judged):
    alone = {**SOURCE, "b2_s3/alone/pooled_output": POOLED}
    verdict = judged(alone)
    assert verdict.passed
    assert row(verdict, probe="b2_s3 rows alone").passed
    mixed = judged({**alone, "b2_s3/alone/pooled_output": POOLED[::-1]})
    assert not mixed.passed
    assert mixed.worst.probe == "b2_s3 rows alone"


def test_rows_alone_are_held_to_fp32_whatever_the_weights(judged):
    moved = {**SOURCE, "b2_s3/alone/pooled_output": POOLED + np.float32(1e-3)}
    assert not judged(moved, precision="fp16").passed


def test_rows_alone_of_int8_may_be_rounded_otherwise(judged):
    """A sum in another order can be the other side of a step of int8."""
    turned = {**SOURCE, "b2_s3/alone/pooled_output": POOLED[::-1]}
    moved = {**SOURCE, "b2_s3/alone/pooled_output": POOLED + np.float32(1e-3)}
    assert judged(moved, precision="int8").passed
    assert not judged(turned, precision="int8").passed


def test_a_class_that_leads_clearly_may_not_change_in_int8(judged):
    source = {"b2_s3/probabilities": np.array([[0.71, 0.29], [0.52, 0.48]], np.float32)}
    close = {"b2_s3/probabilities": np.array([[0.60, 0.40], [0.45, 0.55]], np.float32)}
    changed_class = {"b2_s3/probabilities": np.array([[0.49, 0.51], [0.52, 0.48]], np.float32)}
    assert judged(close, source, "int8").passed
    assert not judged(changed_class, source, "int8").passed


def test_probes_longer_than_the_target_takes_are_skipped_and_named(judged):
    source = {**SOURCE, "b1_s9/pooled_output": POOLED[:1]}
    verdict = judged(SOURCE, source)
    assert verdict.passed
    assert verdict.skipped == ("b1_s9/pooled_output",)


def test_an_output_left_out_of_a_probe_that_was_answered_fails(judged):
    verdict = judged({"b2_s3/pooled_output": POOLED})
    assert not verdict.passed
    assert verdict.skipped == ()
    assert verdict.worst.sentence == "sequence_output of probe b2_s3: the target gave no such output"


@pytest.mark.parametrize("target", [{}, {"strange/pooled_output": POOLED}])
def test_a_target_that_answered_nothing_fails(judged, target):
    verdict = judged(target)
    assert not verdict.passed
    assert verdict.worst.sentence == "every output of probe b2_s3, b1_s9: the target answered none"


def test_vectors_of_zeros_have_no_direction_and_pass_by_their_difference(judged):
    zeros = {"b2_s3/pooled_output": np.zeros((2, 3), np.float32)}
    assert judged(zeros, zeros).passed


def test_probabilities_have_the_tolerance_of_values_up_to_one(judged):
    values = {"b2_s3/probabilities": np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)}
    moved = {"b2_s3/probabilities": values["b2_s3/probabilities"] + np.float32(5e-5)}
    assert not judged(moved, values).passed


@pytest.mark.parametrize(
    ("output", "largest", "allowed"),
    [("logits", 1, 2e-5), ("start_logits", 20, 1e-4), ("score", 4, 1e-5), ("score", 100, 2e-4)],
)
def test_logits_and_scores_are_held_to_a_share_of_the_largest(judged, output, largest, allowed):
    values = np.array([[largest, -0.5, 0.25], [0.5, 0.25, 0.125]], np.float64)
    values = values[:, 0] if output == "score" else values
    for share, passes in ((0.9, True), (1.1, False)):
        moved = values.copy()
        moved[-1:] += allowed * share
        verdict = judged({f"b2_s3/{output}": moved}, {f"b2_s3/{output}": values})
        assert verdict.passed is passes
        assert row(verdict, output).limit == pytest.approx(allowed)


def test_what_the_processor_answers_by_default_is_told_and_decides_nothing(judged):
    verdict = judged({**SOURCE, "default/b2_s3/pooled_output": POOLED + np.float32(0.25)})
    assert verdict.passed
    assert len(verdict.rows) == 2
    (told,) = verdict.by_default
    assert (told.probe, told.output, told.max_abs, told.passed) == ("b2_s3", "pooled_output", 0.25, False)


def test_an_output_that_the_source_has_not_is_not_told(judged):
    assert judged({**SOURCE, "default/b2_s3/other": POOLED}).by_default == ()


def test_a_verdict_of_before_names_no_processor(judged):
    kept = judged(SOURCE).as_json()
    for name in ("instructions", "default_precision", "by_default"):
        del kept[name]
    assert Verdict.from_json(kept) == judged(SOURCE)
