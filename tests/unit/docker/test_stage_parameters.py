"""Stages of trainings declare flags themselves, for who runs one by hand: with the names and defaults of the host."""

from __future__ import annotations

import ast
from dataclasses import fields

import pytest

from bertbuild.plans import pretraining_data
from bertbuild.plans.finetuning import FinetuneRequest
from bertbuild.plans.prepare_data import PrepareRequest
from bertbuild.plans.pretraining_data import PretrainingRequest
from bertbuild.plans.tf2_train import TrainRequest
from bertbuild.project import ROOT

OF_THE_PLAN = {"prefix", "unfinished"}
"""Flags that every training stage gets from its plan, and no request says."""

OF_DATA = {"vocab_reading", "task", "own_name"}
"""Flags of prepare-data whose defaults the plan works out."""

CASES = {
    "tf1/stages/finetune.py": (FinetuneRequest, OF_THE_PLAN | {"gelu", "source_heads"}, set()),
    # The plan says the form of gelu, and nothing of it where the model has none.
    "tf2/stages/train.py": (TrainRequest, OF_THE_PLAN | {"root", "gelu"}, {"gelu"}),
    "data/stages/pretraining_data.py": (PretrainingRequest, set(), {"vocab_reading"}),
    "data/stages/prepare_data.py": (PrepareRequest, OF_DATA, OF_DATA),
}


def declared(path):
    """Name → default of a stage's parameters, as they are written in its code: one by one, or as rows of a loop."""
    module = ast.parse((ROOT / "docker" / path).read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(module):
        if isinstance(node, ast.For) and "stage.param(name" in ast.unparse(node):
            found |= {row[0]: row[1] for row in ast.literal_eval(node.iter)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "param":
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            if isinstance(node.args[0], ast.Constant):
                found[node.args[0].value] = literal(options["default"]) if "default" in options else None
    truths = {"true": True, "false": False}
    return {name.replace("-", "_"): truths.get(default, default) for name, default in found.items()}


def literal(node):
    return vars(pretraining_data)[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


@pytest.mark.parametrize("path", CASES)
def test_a_stage_has_the_parameters_of_the_request_with_its_defaults(path):
    request, own, of_request_alone = CASES[path]
    stage = declared(path)
    host = {one.name: one.default for one in fields(request) if one.name not in of_request_alone}
    assert {name: default for name, default in stage.items() if name not in own} == host
