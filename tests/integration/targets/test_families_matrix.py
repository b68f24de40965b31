"""Every head of every family but BERT to every kind of target: the table of docs/families.md.

The reference is transformers' own TensorFlow class, of a Hugging Face folder our frozen graph; models of three layers
of 32 units, with random weights. BERTBUILD_UPDATE_GOLDEN=1 writes the column of each head that is run.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import family_sources
import head_table
import pytest
from head_targets import TARGETS, cell, model_lines, read, target_lines, write_calibration

pytestmark = pytest.mark.whole

PATH = Path(head_table.PATH).with_name("families.md")
NAMES = {"albert": "ALBERT", "albert-zh": "albert_zh", "electra": "ELECTRA"}
COLUMNS = [*family_sources.HEADS, "replaced-token"]
OF_FAMILY = re.compile(r"It is an \w+(?: of albert_zh)?, and")
WHY_NOT = {
    "albert": "It is a head of an ELECTRA's discriminator.",
    "electra": "google-research/electra's heads for tasks have other variables (`task_specific/…`), and are left out.",
}


@pytest.fixture(scope="module")
def build(bertbuild, tmp_path_factory):
    """Builds all targets of one model: (family, head) → its cells by row, and their reasons."""
    folder = tmp_path_factory.mktemp("families")
    write_calibration(folder)

    def build(family, head):
        model = f"matrix-{family}-{head}"
        source = family_sources.write(folder / model, family, head)
        path = folder / f"{model}.toml"
        path.write_text("\n".join([*target_lines(), *model_lines(model, head, source)]))
        events = read(bertbuild("build", "--file", path, "--keep-going", "--jobs", 2).events)
        reasons, cells = [], {}
        for target, (name, _) in TARGETS.items():
            why, verdict = events[model, target]
            why = why.partition(" Its whole log:")[0]
            why = OF_FAMILY.sub("It is no BERT, and", why.replace(f" ({model})", "").replace(model, "It"))
            told = cell(why, verdict, head, reasons)
            cells[name] = told.rstrip(head_table.OTHER_REFERENCE)
        return cells, reasons

    return build


def without_head(family):
    reason = WHY_NOT["electra" if family == "electra" else "albert"]
    return {name: f"{head_table.NO_HEAD} (1)" for name, _ in TARGETS.values()}, [reason]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_head_of_each_family_ends_with_every_target_as_the_table_says(build, column):
    cells, reasons = {}, []
    for family, heads in family_sources.FAMILIES.items():
        found, why = build(family, column) if column in heads else without_head(family)
        for target, text in found.items():
            cells[f"{NAMES[family]}, {target}"] = head_table.renumbered(text, why, reasons)
    if os.environ.get("BERTBUILD_UPDATE_GOLDEN") == "1":
        head_table.replace_column(column, cells, reasons, dt.datetime.now(tz=dt.timezone.utc).date(), PATH)
    ends = {target: head_table.outcome(text) for target, text in cells.items()}
    told = head_table.table(head_table.block(PATH))
    assert ends == {target: head_table.outcome(row[column]) for target, row in told.items()}
    assert head_table.FAILED not in ends.values(), reasons
