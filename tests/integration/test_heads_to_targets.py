"""Checkpoints that finetune made for a few steps, of every kind of head, taken to targets and evaluated there.

CI takes one of them; `invoke test --whole` all. What the kinds of targets make of each head, their own files test.
"""

from __future__ import annotations

import pytest
from head_tasks import NAMES
from matrix import WHOLE, cells

TARGETS = "frozen,ir-fp32,ir-fp16,neuron-ready-float32,tf2" if WHOLE else "ir-fp32"
DATA = dict.fromkeys(NAMES, "--prepared") | {"span": "--squad-data-file"}


@pytest.mark.parametrize("kind", cells(tuple(NAMES), "tokens"))
def test_a_tuned_head_is_built_against_its_own_graph_and_evaluated(bertbuild, tuned_heads, kind):
    tuned = tuned_heads[kind]
    built = bertbuild.ok("build-ir", "--checkpoint", tuned.folder, "--name", f"tuned-{kind}")
    (verdict,) = built.of("verdict")
    assert verdict["passed"]
    data = tuned.files / "dev-v1.1.json" if kind == "span" else tuned.prepared
    words = ("evaluate", "--checkpoint", tuned.folder, "--name", f"tuned-{kind}", "--target", TARGETS)
    outcome = bertbuild.ok(*words, DATA[kind], data)
    (evaluation,) = outcome.of("evaluation")
    assert evaluation["head"] == kind
    assert evaluation["passed"]
    assert len(evaluation["targets"]) == len(TARGETS.split(",")) + 1
