"""Every kind of target of a head: the build file, and how each target ends as a cell of the table of docs/heads.md."""

from __future__ import annotations

import head_table
from calibration_data import features, write_prepared

from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS

OWN = "own graph"
TARGETS = {
    "frozen": ("`frozen`", {"kind": "frozen"}),
    "ir-fp32": ("`ir` fp32", {"kind": "ir"}),
    "ir-fp16": ("`ir` fp16", {"kind": "ir", "precision": "fp16"}),
    "ir-int8": ("`ir` int8", {"kind": "ir", "precision": "int8", "calibration": "prepared"}),
    "ir-int8-weights": ("`ir` int8-weights", {"kind": "ir", "precision": "int8-weights"}),
    "ir-int4-weights": (
        "`ir` int4-weights, groups of 32",
        {"kind": "ir", "precision": "int4-weights", "group_size": "32"},
    ),
    "ir-reshapeable": ("`ir` fp32, route reshapeable", {"kind": "ir", "route": "reshapeable"}),
    "ir-static": ("`ir` fp32, route static", {"kind": "ir", "route": "static"}),
    "ir-savedmodel": ("`ir` fp32, route savedmodel", {"kind": "ir", "route": "savedmodel"}),
    "onnx-fp32": ("`onnx` fp32", {"kind": "onnx"}),
    "onnx-fp16": ("`onnx` fp16", {"kind": "onnx", "precision": "fp16"}),
    "onnx-int8": ("`onnx` int8", {"kind": "onnx", "precision": "int8", "calibration": "prepared"}),
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
    "hf": ("`hf`", {"kind": "hf"}),
}
BACK = ("`tf1-checkpoint` of the `tf2-savedmodel`", {"kind": "tf1-checkpoint"})
ASKED_FOR = {head: f'"{HEADS[head].answers[0].output}"' for head in ("masked-lm", "next-sentence", "replaced-token")}
"""What no model gives unless it is asked for."""


def tensors(column):
    """The answers of a column's head."""
    heads = [HEADS["pooled"], HEADS["sequence"]] if column == head_table.NONE else [HEADS[column]]
    return {answer.tensor for head in heads for answer in head.answers}


def target_lines():
    """The tables of all targets but the way back."""
    lines = []
    for target, (_, keys) in TARGETS.items():
        lines += [f"[targets.{target}]", *(f'{key} = "{value}"' for key, value in keys.items())]
    return lines


def model_lines(model, column, source):
    """The tables of a model that has every target; `source` is what stands in the first besides."""
    lines = [f"[models.{model}]", *(f'{key} = "{value}"' for key, value in source.items())]
    lines += [f"targets = {list(TARGETS)}"]
    for target, (_, keys) in TARGETS.items():
        if column in ASKED_FOR and KINDS[keys["kind"]].parameter_called("output"):
            lines += [f"[models.{model}.override.{target}]", f"output = {ASKED_FOR[column]}"]
    return lines


def build_file(checkpoints, saved_models, prefix):
    """Every target of every column; and of its SavedModel the way back."""
    lines = [*target_lines(), "[targets.back]", f'kind = "{BACK[1]["kind"]}"']
    for column, checkpoint in checkpoints.items():
        lines += [
            *model_lines(f"{prefix}{column}", column, {"checkpoint": checkpoint}),
            f"[models.back-{prefix}{column}]",
            f'tf2 = "{saved_models / f"{prefix}{column}" / "tf2-savedmodel"}"',
            'targets = ["back"]',
        ]
    return "\n".join(lines)


def write_calibration(folder):
    """What int8 is calibrated on, as `prepared` beside the build file."""
    columns = features(64)
    write_prepared(folder / "prepared", columns, columns, columns["input_ids"][:, 0] * 0)


class Building:
    """The program with a stand-in for Neuron and its device, over a build file of all targets of some checkpoints."""

    def __init__(self, neuron, folder, checkpoints, prefix=""):
        """Write the build file.

        Args:
            neuron: the program with the stand-in.
            folder: to write into.
            checkpoints: column → checkpoint.
            prefix: of the models' names, which are else those of the columns.
        """
        device = folder / "neuron0"
        device.touch()
        self._program = neuron.having(BERTBUILD_NEURON_DEVICE=device)
        write_calibration(folder)
        self._words = ("build", "--file", folder / "targets.toml", "--keep-going", "--jobs", 2)
        self._words[2].write_text(build_file(checkpoints, neuron.artifacts / "out", prefix))
        self._prefix = prefix

    def column(self, column):
        """Target → cell, and the reasons that cells name by number: its targets, then the way back."""
        model = f"{self._prefix}{column}"
        outcomes = [self._program(*self._words, f"{model}/*"), self._program(*self._words, f"back-{model}/*")]
        return tabled(read([event for outcome in outcomes for event in outcome.events]), column, model)

    def cells(self, targets):
        """Column → cell of the one target that is named with it, and the reasons; all made by one command."""
        places = {column: (f"{self._prefix}{column}", target) for column, target in targets.items()}
        events = read(self._program(*self._words, *map("/".join, places.values())).events)
        reasons = []
        return {column: cell(*events[place], column, reasons) for column, place in places.items()}, reasons


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
        if why not in reasons:
            reasons.append(why)
        word = head_table.FAILED if verdict else head_table.REFUSED
        return f"{word} ({reasons.index(why) + 1})"
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


def tabled(events, column, model):
    """Target → cell of a column, whose model is called so, and the reasons that cells name by number."""
    reasons, cells = [], {}
    for target, (name, _) in TARGETS.items():
        why, verdict = events[model, target]
        cells[name] = cell(why.replace(f"{model} has", "It has").replace(f" ({model})", ""), verdict, column, reasons)
    why, verdict = events[f"back-{model}", "back"]
    cells[BACK[0]] = cell(why, verdict, column, reasons)
    return cells, reasons
