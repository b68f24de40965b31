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
from calibration_data import features, write_prepared
from training_graphs import HEAD_CONFIG

from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS

pytestmark = pytest.mark.whole

OWN = "own graph"
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
TARGETS = {
    "frozen": ("`frozen`", {"kind": "frozen"}),
    "ir-fp32": ("`ir` fp32", {"kind": "ir"}),
    "ir-fp16": ("`ir` fp16", {"kind": "ir", "precision": "fp16"}),
    "ir-int8": ("`ir` int8", {"kind": "ir", "precision": "int8", "calibration": "prepared"}),
    "ir-reshapeable": ("`ir` fp32, route reshapeable", {"kind": "ir", "route": "reshapeable"}),
    "ir-static": ("`ir` fp32, route static", {"kind": "ir", "route": "static"}),
    "ir-savedmodel": ("`ir` fp32, route savedmodel", {"kind": "ir", "route": "savedmodel"}),
    "saved-model": ("`saved-model`", {"kind": "saved-model"}),
    "neuron-ready": ("`neuron-ready` float16", {"kind": "neuron-ready"}),
    "neuron-ready-float32": ("`neuron-ready` float32", {"kind": "neuron-ready", "compute": "float32"}),
    "neuron": ("`neuron` float16, by the stand-in", {"kind": "neuron"}),
    "tf2-encoder": ("`tf2` encoder", {"kind": "tf2", "format": "encoder"}),
    "tf2-keras-bert": ("`tf2` keras-bert", {"kind": "tf2", "format": "keras-bert"}),
    "tf2-keras-names": ("`tf2` keras-names", {"kind": "tf2", "format": "keras-names"}),
    "tf2-pretrainer": ("`tf2` pretrainer", {"kind": "tf2", "format": "pretrainer"}),
    "tf2-savedmodel": ("`tf2-savedmodel`", {"kind": "tf2-savedmodel"}),
    "hub": ("`hub`", {"kind": "hub"}),
}
BACK = ("`tf1-checkpoint` of the `tf2-savedmodel`", {"kind": "tf1-checkpoint"})
ASKED_FOR = {head: f'"{HEADS[head].answers[0].output}"' for head in ("masked-lm", "next-sentence")}
"""What no model gives unless it is asked for."""


def tensors(column):
    """The answers of a column's head."""
    heads = [HEADS["pooled"], HEADS["sequence"]] if column == head_table.NONE else [HEADS[column]]
    return {answer.tensor for head in heads for answer in head.answers}


def build_file(graphs, saved_models):
    """Every target of every column; and of its SavedModel the way back."""
    lines = []
    for target, (_, keys) in TARGETS.items():
        lines += [f"[targets.{target}]", *(f'{key} = "{value}"' for key, value in keys.items())]
    lines += ["[targets.back]", f'kind = "{BACK[1]["kind"]}"']
    for column, graph in SOURCES.items():
        lines += [f"[models.{column}]", f'checkpoint = "{graphs / graph}"', f"targets = {list(TARGETS)}"]
        for target, (_, keys) in TARGETS.items():
            if column in ASKED_FOR and KINDS[keys["kind"]].parameter_called("output"):
                lines += [f"[models.{column}.override.{target}]", f"output = {ASKED_FOR[column]}"]
        lines += [
            f"[models.back-{column}]",
            f'tf2 = "{saved_models / column / "tf2-savedmodel"}"',
            'targets = ["back"]',
        ]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def program(neuron, tmp_path_factory):
    """The program with the stand-in for Neuron, beside a build file of everything."""
    folder = tmp_path_factory.mktemp("matrix")
    device = folder / "neuron0"
    device.touch()
    program = neuron.having(BERTBUILD_NEURON_DEVICE=device)
    graphs = folder / "graphs"
    run_script("tf1", "make_head_graphs", out=graphs, **GRAPHS)
    columns = features(64)
    write_prepared(folder / "prepared", columns, columns, columns["input_ids"][:, 0] * 0)
    (folder / "matrix.toml").write_text(build_file(graphs, program.artifacts / "out"))
    return lambda *words: program("build", "--file", folder / "matrix.toml", "--keep-going", "--jobs", 2, *words)


def read(events):
    """(model, target) → why it is not there, and its verdict, None where it has none."""
    verdicts = {(event["model"], event["target"]): event for event in events if event["event"] == "verdict"}
    failures = {
        event["job"]: f"{event['message']} {event['next_step']}" for event in events if event["event"] == "failure"
    }
    found = {}
    for event in events:
        if event["event"] == "target":
            place = event["model"], event["target"]
            found[place] = event.get("message") or failures.get(event.get("because"), ""), verdicts.get(place)
    return found


def cell(why, verdict, column, reasons):
    """A figure, or a word and the number of its reason."""
    if verdict is None or not verdict["passed"]:
        reason = why.replace(f"{column} has", "It has").replace(f" ({column})", "")
        if reason not in reasons:
            reasons.append(reason)
        word = head_table.FAILED if verdict else head_table.REFUSED
        return f"{word} ({reasons.index(reason) + 1})"
    rows = [row for row in verdict["rows"] if row["output"] in tensors(column)]
    if not rows:
        return head_table.LEFT_OUT
    mark = "" if is_own(verdict, tensors(column)) else head_table.OTHER_REFERENCE
    return rounded(max(row["max_abs"] for row in rows)) + mark


def is_own(verdict, outputs):
    """Whether the source's own graph answered all probes: the one in its .meta, or its SavedModel's."""
    own = "the given SavedModel" if verdict["model"].startswith("back-") else OWN
    answered = [one["what"] for one in verdict["answered_by"] if outputs & set(one["outputs"])]
    return bool(answered) and all(own in what for what in answered)


def rounded(figure):
    """One digit: 7e-7."""
    mantissa, _, exponent = f"{figure:.0e}".partition("e")
    return f"{mantissa}e{int(exponent)}" if figure else "0"


def tabled(events, column):
    """Target → cell of a column, and the reasons that cells name by number."""
    reasons, cells = [], {}
    for target, (name, _) in TARGETS.items():
        cells[name] = cell(*events[column, target], column, reasons)
    cells[BACK[0]] = cell(*events[f"back-{column}", "back"], column, reasons)
    return cells, reasons


@pytest.mark.parametrize("column", SOURCES)
def test_a_head_ends_with_every_target_as_the_table_says(program, column):
    outcomes = [program(f"{column}/*"), program(f"back-{column}/*")]
    cells, reasons = tabled(read([event for outcome in outcomes for event in outcome.events]), column)
    if os.environ.get("BERTBUILD_UPDATE_GOLDEN") == "1":
        head_table.replace_column(column, cells, reasons, dt.datetime.now(tz=dt.timezone.utc).date())
    ends = {target: head_table.outcome(text) for target, text in cells.items()}
    told = head_table.table(head_table.block())
    assert ends == {target: head_table.outcome(row[column]) for target, row in told.items()}
    assert head_table.FAILED not in ends.values(), reasons
