"""docs/heads.md has every head and every kind of target."""

from __future__ import annotations

import head_table
import pytest

from bertbuild.heads.answers import usual
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS

OF_TASK_OR_PRETRAINING = [name for name, head in HEADS.items() if not head.of_encoder]
OF_BERT = [name for name in OF_TASK_OR_PRETRAINING if not HEADS[name].family]
CELLS = head_table.table(head_table.block())


def test_the_table_of_targets_has_each_head_and_each_kind():
    assert {target.split("`")[1] for target in CELLS} == set(KINDS)
    for target, row in CELLS.items():
        assert list(row) == [*OF_BERT, head_table.NONE], target


def test_each_cell_is_a_figure_by_the_sources_own_graph_or_a_reason():
    reasons = head_table.notes(head_table.block())
    for row in CELLS.values():
        assert {head_table.outcome(cell) for cell in row.values()} <= {
            "passed",
            head_table.LEFT_OUT,
            head_table.REFUSED,
        }
        numbers = [cell.partition("(")[2].rstrip(")") for cell in row.values() if cell.startswith(head_table.REFUSED)]
        assert all(0 < int(number) <= len(reasons) for number in numbers)


def test_each_cell_of_each_other_family_is_a_figure_or_a_reason():
    block = head_table.block(head_table.PATH.with_name("families.md"))
    cells, reasons = head_table.table(block), head_table.notes(block)
    kinds = set(KINDS) - {"tf1-checkpoint"}  # which is made of TensorFlow 2's
    for family in ("ALBERT", "albert_zh", "ELECTRA"):
        assert {target.split("`")[1] for target in cells if target.startswith(f"{family}, ")} == kinds
    for row in cells.values():
        assert set(row) == {*OF_TASK_OR_PRETRAINING, head_table.NONE}
        ends = {head_table.outcome(cell) for cell in row.values()}
        assert ends <= {"passed", head_table.LEFT_OUT, head_table.REFUSED, head_table.NO_HEAD}
        numbers = [int(cell.partition("(")[2].rstrip(")")) for cell in row.values() if "(" in cell]
        assert all(0 < number <= len(reasons) for number in numbers)


@pytest.mark.parametrize("name", [*OF_TASK_OR_PRETRAINING, head_table.NONE])
def test_the_table_of_commands_says_what_comes_out_of_each_head(name):
    text = head_table.PATH.read_text(encoding="utf-8").partition("| head | file |")[2].partition("\n\n")[0]
    _, _, command, out = (
        next(line for line in text.splitlines() if line.startswith(f"| {name} |")).strip("| ").split(" | ")
    )
    heads = [FoundHead(name, *HEADS[name].last, labels=2)] if name in HEADS else []
    outputs = usual(heads, pooler=True) if "--output" not in command else [command.split()[-1].strip("`")]
    answers = {answer.output: answer for head in HEADS.values() for answer in head.answers}
    own = {answer.output: answer for answer in HEADS[name].answers} if name in HEADS else {}
    for output in outputs:
        answer = own.get(output, answers[output])
        assert f"`{answer.tensor}`" in out
        assert answer.shape in out


def test_what_a_cell_says():
    ends = {"7e-7": "passed", "7e-7°": "passed by another reference", "refused (1)": "refused", "left out": "left out"}
    assert {cell: head_table.outcome(cell) for cell in ends} == ends
    cells = {"`frozen`": {"tokens": "refused (1)", "span": "0"}}
    text = head_table.written(cells, ["It cannot be."], "2026-11-29")
    assert head_table.table(text) == cells
    assert "\n\n(1) It cannot be.\n" in text
