"""Every head to every kind of target, judged by the checkpoint's own graph: the table of docs/heads.md.

The checkpoints are training graphs of two layers of 16 units; see scripts/make_head_graphs.py. The models for Neuron
are compiled by the stand-in of tests/stand_in_neuron. BERTBUILD_UPDATE_GOLDEN=1 writes the column of each head
that is run.
"""

from __future__ import annotations

import datetime as dt
import os

import head_table
import pytest
from backends import run as run_script
from head_targets import Building
from training_graphs import HEAD_CONFIG

pytestmark = pytest.mark.whole

SOURCES = {
    "classifier": "run-classifier",
    "multi-label": "multi-label",
    "regression": "regression",
    "tokens": "tokens",
    "span": "run-squad",
    "masked-lm": "run-pretraining",
    "next-sentence": "run-pretraining",
    head_table.NONE: "encoder",
}
"""Column → graph of make_head_graphs."""
LENGTH = HEAD_CONFIG["max_position_embeddings"]
GRAPHS = {"config": HEAD_CONFIG, "seed": 3, "length": LENGTH, "deviation": 0.25, "names": sorted(set(SOURCES.values()))}
"""Of the longest sequence that the models take, so that their own graphs answer all probes."""


@pytest.fixture(scope="module")
def building(neuron, tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    run_script("tf1", "make_head_graphs", out=folder / "graphs", **GRAPHS)
    return Building(neuron, folder, {column: folder / "graphs" / graph for column, graph in SOURCES.items()})


@pytest.mark.parametrize("column", SOURCES)
def test_a_head_ends_with_every_target_as_the_table_says(building, column):
    cells, reasons = building.column(column)
    if os.environ.get("BERTBUILD_UPDATE_GOLDEN") == "1":
        head_table.replace_column(column, cells, reasons, dt.datetime.now(tz=dt.timezone.utc).date())
    ends = {target: head_table.outcome(text) for target, text in cells.items()}
    told = head_table.table(head_table.block())
    assert ends == {target: head_table.outcome(row[column]) for target, row in told.items()}
    assert head_table.FAILED not in ends.values(), reasons
