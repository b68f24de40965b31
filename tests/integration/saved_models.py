"""SavedModels judged by TensorFlow: their graph as it loads it, the part for the device, their answers."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np
from backends import run as run_script
from program import arrays

NO_WORK = {"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp", "VarHandleOp", "Variable", "VariableV2"}
ROLES = ("input_ids", "input_mask", "segment_ids")


class LoadedSavedModel:
    """A SavedModel as TensorFlow 1.15 loads it in a process of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.facts = run_script("tf1", "saved_model", folder=folder)
        self.nodes = self.facts["nodes"]

    @cached_property
    def signature(self):
        """What the stage says of it."""
        return json.loads((self.folder / "signature.json").read_text())

    @cached_property
    def stage_facts(self):
        """What the stage says of its work."""
        return json.loads((self.folder / "stage.json").read_text())["facts"]

    def interface(self, ports):
        """Names, types and shapes of "inputs" or "outputs"."""
        return {name: (port["dtype"], port["shape"]) for name, port in self.facts[ports].items()}

    @property
    def boundary(self):
        """The names of the nodes at the device part's inputs, by what they are."""
        return {name: node_name(port["tensor"]) for name, port in self.signature["device"]["inputs"].items()}

    @cached_property
    def device(self):
        """The nodes of the device part: from its outputs back to its inputs, these left out."""
        outputs = [node_name(port["tensor"]) for port in self.signature["device"]["outputs"].values()]
        return self._behind(outputs, set(self.boundary.values()))

    @cached_property
    def host(self):
        """The nodes that lead to the device part, its inputs among them."""
        return self._behind(list(self.boundary.values()), set())

    @cached_property
    def compute_operators(self):
        """All that the outputs need, by type, counted again."""
        counted = Counter(self.nodes[name]["op"] for name in self.facts["needed"])
        return {op: count for op, count in counted.items() if op not in NO_WORK}

    def _behind(self, names, stop):
        found, pending = {}, list(names)
        while pending:
            name = pending.pop()
            if name not in found and name not in stop:
                found[name] = self.nodes[name]
                pending += [node_name(tensor) for tensor in self.nodes[name]["inputs"]]
        return found


def node_name(tensor):
    return tensor.split(":")[0]


def of_type(nodes, *types):
    """Those nodes that are of one of the types, by name."""
    return {name: node for name, node in nodes.items() if node["op"] in types}


def dtypes(nodes):
    """All the types of all their outputs."""
    return {dtype for node in nodes.values() for dtype in node["dtypes"]}


def answer(folder, path, questions):
    """Answers of a SavedModel to questions (dicts of role → array) in a fresh process; files go below `path`."""
    path.mkdir()
    runs = []
    for index, question in enumerate(questions):
        np.savez(path / f"question{index}.npz", **question)
        runs.append({"inputs": path / f"question{index}.npz", "answers": path / f"answer{index}.npz"})
    run_script("tf1", "saved_model", folder=folder, runs=runs)
    return [arrays(run["answers"]) for run in runs]


def question(batch, length, *, vocabulary=60, seed=11):
    """Inputs of any shape: rows of every length, two segments."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(1, length + 1, batch)
    lengths[0] = length
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    return {
        "input_ids": chance.integers(0, vocabulary, (batch, length)).astype(np.int32) * mask,
        "input_mask": mask,
        "segment_ids": (np.arange(length) >= lengths[:, None] // 2).astype(np.int32) * mask,
    }
