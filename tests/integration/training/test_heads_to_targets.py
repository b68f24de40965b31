"""Checkpoints that finetune made for a few steps, of every kind of head, taken to targets and evaluated there.

CI takes them, and a masked LM that run_pretraining trained, to a target each, and evaluates one; `invoke test --whole`
takes each to every target, and evaluates all. The words in docs/heads.md on what each target makes of each head hold of
these too.
"""

from __future__ import annotations

import head_table
import pytest
from head_targets import TARGETS as TARGET_ROWS
from head_targets import Building
from head_tasks import NAMES, pretrain
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


@pytest.fixture(scope="module")
def building(bertbuild, neuron, tuned_heads, tmp_path_factory):
    folder = tmp_path_factory.mktemp("to-targets")
    trained = {kind: tuned.folder for kind, tuned in tuned_heads.items()}
    return Building(neuron, folder, trained | {"masked-lm": pretrain(bertbuild, folder)}, prefix="trained-")


SOME = {"multi-label": "ir-fp32", "regression": "onnx-fp32", "span": "frozen", "masked-lm": "ir-fp16"}
"""Head → a target; tags are built and evaluated above."""


def outcome(text):
    """How a cell ends; what is longer than its own graph takes, upstream's code answers."""
    return head_table.outcome(text).partition(" by ")[0]


@pytest.mark.skipif(WHOLE, reason="all targets are built below")
def test_each_trained_head_goes_to_a_target(building):
    cells, reasons = building.cells(SOME)
    told = head_table.table(head_table.block())
    wanted = {kind: outcome(told[TARGET_ROWS[target][0]][kind]) for kind, target in SOME.items()}
    assert {kind: outcome(text) for kind, text in cells.items()} == wanted, reasons


@pytest.mark.whole
@pytest.mark.parametrize("kind", [*NAMES, "masked-lm"])
def test_a_trained_head_goes_to_every_target_and_back(building, kind):
    cells, reasons = building.column(kind)
    told = head_table.table(head_table.block())
    ends = {target: outcome(text) for target, text in cells.items()}
    assert ends == {target: outcome(row[kind]) for target, row in told.items()}, reasons
