"""The gate's tolerances of models for Neuron."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from bertbuild.gate.parity import Row, Verdict, compare
from bertbuild.kinds import limits, tolerances
from bertbuild.kinds.neuron_ready import APPROXIMATIONS, COMPUTES, KIND

PROBES = [{"name": "b3_s2", "input_mask": [[1, 1], [1, 1], [1, 0]]}]
POOLED = np.array([[0.125, -0.75, 0.25], [0.5, 0.25, 0.75], [-0.25, 0.5, 0.125]], np.float32)
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.25, 0.5]], np.float32)
SEQUENCE = np.arange(3 * 2 * 4, dtype=np.float32).reshape(3, 2, 4) / 8 + 8
SOURCE = {
    "b3_s2/pooled_output": POOLED,
    "b3_s2/probabilities": PROBABILITIES,
    "b3_s2/sequence_output": SEQUENCE,
}
PRECISIONS = ("float32", "float16", "float32-tanh", "float16-tanh", "float32-sigmoid", "float16-sigmoid")
OUTPUTS = {"pooled_output": "pooled_output", "probabilities": "probabilities", "sequence_output": "hidden"}


@pytest.fixture
def judged(tmp_path):
    """The verdict on a target's arrays."""

    def judge(target, precision, source=SOURCE):
        np.savez(tmp_path / "source.npz", **source)
        np.savez(tmp_path / "target.npz", **target)
        verdict = compare(tmp_path / "source.npz", tmp_path / "target.npz", PROBES, precision, limits(precision))
        text = json.dumps(verdict.as_json(), allow_nan=False)
        assert Verdict.from_json(json.loads(text)) == verdict  # what is stored is what was judged
        return verdict

    return judge


def row(verdict, output, probe="b3_s2"):
    return next(row for row in verdict.rows if (row.probe, row.output) == (probe, output))


def test_every_request_has_a_tolerance_of_its_own():
    asked = {
        "-".join((compute, *(() if gelu == "exact" else (gelu,))))
        for compute, gelu in itertools.product(COMPUTES, APPROXIMATIONS)
    }
    assert asked == set(PRECISIONS) == set(KIND.tolerances)


def test_what_is_computed_exactly_has_the_limits_that_were_promised():
    for output in ("pooled_output", "probabilities"):
        assert tolerances("float32")[output].max_abs == 1e-5
        assert tolerances("float16")[output].max_abs == 1e-2
    assert tolerances("float16")["probabilities"].argmax == 1.0


def test_the_cheaper_the_gelu_the_wider_the_limits():
    for output in ("pooled_output", "probabilities", "hidden"):
        limits = [tolerances(precision)[output].max_abs for precision in ("float32", "float32-tanh", "float32-sigmoid")]
        assert limits == sorted(limits)
        assert len(set(limits)) == 3
        assert tolerances("float16-tanh")[output].max_abs >= tolerances("float16")[output].max_abs


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("share", "passes"), [(0.9, True), (1.1, False)])
def test_the_named_tolerance_decides(judged, precision, output, share, passes):
    limit = tolerances(precision)[OUTPUTS[output]].max_abs
    moved = SOURCE[f"b3_s2/{output}"].copy()
    moved[(1,) * (moved.ndim - 1) + (moved.shape[-1] // 2,)] += np.float32(limit * share)  # upward: no class changes
    verdict = judged({**SOURCE, f"b3_s2/{output}": moved}, precision)
    assert row(verdict, output).passed is passes
    assert verdict.passed is passes
    assert row(verdict, output).limit == limit
    assert row(verdict, output).max_abs == pytest.approx(limit * share, rel=0.05)


TIED = {"b3_s2/probabilities": np.array([[0.5, 0.4995, 0.0005], [0.125, 0.75, 0.125], [0.25, 0.25, 0.5]], np.float32)}


def crossed(array):
    """The first row's two largest change places, both within the limit."""
    array = array.copy()
    array[0, :2] = array[0, 1::-1]
    return array


@pytest.mark.parametrize("precision", [precision for precision in PRECISIONS if precision != "float32"])
def test_another_class_fails_however_near_the_probabilities_are(judged, precision):
    name = "b3_s2/probabilities"
    verdict = judged({name: crossed(TIED[name])}, precision, TIED)
    found = row(verdict, "probabilities")
    assert found.max_abs <= found.limit
    assert found.argmax == pytest.approx(2 / 3)
    assert found.argmax_limit == 1.0
    assert not verdict.passed
    assert verdict.worst.sentence == "probabilities of probe b3_s2 has another class in 33% of the rows"


TAGS = "b3_s2/probabilities"


@pytest.mark.parametrize(
    ("gap", "passes"), [(0.004, True), (0.03, False)], ids=["an undecided position", "a decided position"]
)
def test_a_position_that_the_source_leaves_undecided_may_get_another_tag(judged, gap, passes):
    source = np.full((3, 2, 2), [0.2, 0.8], np.float32)
    source[0, 0] = [0.5 + gap / 2, 0.5 - gap / 2]
    answered = source.copy()
    answered[0, 0] = [0.499, 0.501]
    verdict = judged({TAGS: answered}, "float16-tanh", {TAGS: source})
    assert row(verdict, "probabilities").max_abs <= row(verdict, "probabilities").limit
    assert verdict.passed is passes


def test_the_largest_element_of_a_pooled_output_is_no_class(judged):
    source = {"b3_s2/pooled_output": TIED["b3_s2/probabilities"]}
    verdict = judged({"b3_s2/pooled_output": crossed(source["b3_s2/pooled_output"])}, "float16", source)
    assert row(verdict, "pooled_output").argmax < 1
    assert row(verdict, "pooled_output").argmax_limit is None
    assert verdict.passed


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_no_class_is_asked_of_the_targets_that_were_there_before(judged, precision):
    assert row(judged(SOURCE, precision), "probabilities").argmax_limit is None


@pytest.mark.parametrize(
    ("precision", "passes"),
    [(precision, precision.startswith("float16")) for precision in (*PRECISIONS, "fp16")],
)
def test_rows_alone_are_held_to_what_the_target_computes_in(judged, precision, passes):
    """Sums of float16 depend on the batch they are computed in; those of float32 hardly, whatever the gelu."""
    alone = {**SOURCE, "b3_s2/alone/pooled_output": POOLED + np.float32(1e-3)}
    verdict = judged(alone, precision)
    assert row(verdict, "pooled_output", "b3_s2 rows alone").limit == (1e-2 if passes else 1e-5)
    assert verdict.passed is passes


def test_rows_alone_must_have_the_class_they_have_together(judged):
    name = "b3_s2/probabilities"
    verdict = judged({**TIED, "b3_s2/alone/probabilities": crossed(TIED[name])}, "float16", TIED)
    assert not verdict.passed
    assert verdict.worst.probe == "b3_s2 rows alone"
    assert verdict.worst.sentence == "probabilities of probe b3_s2 rows alone has another class in 33% of the rows"


@pytest.mark.parametrize("precision", ["float16", "float16-tanh", "float32-sigmoid"])
def test_hidden_states_that_point_elsewhere_fail_where_a_cosine_is_asked(judged, precision):
    small = {"b3_s2/sequence_output": np.tile(np.array([1e-3, 0, 0, 0], np.float32), (3, 2, 1))}
    turned = {"b3_s2/sequence_output": small["b3_s2/sequence_output"][..., ::-1]}
    verdict = judged(turned, precision, small)
    found = row(verdict, "sequence_output")
    assert found.max_abs < found.limit
    assert not found.passed
    assert "cosine" in found.sentence


def test_a_verdict_kept_before_classes_were_asked_is_still_read():
    kept = judged_row().as_json()
    del kept["argmax_limit"]
    assert Row.from_json(kept) == judged_row()


def judged_row():
    return Row(
        probe="b1_s16",
        output="pooled_output",
        max_abs=1e-6,
        cosine=1.0,
        argmax=1.0,
        limit=1e-5,
        cosine_limit=None,
        passed=True,
    )
