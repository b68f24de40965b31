"""Stages of trainings declare flags themselves, for who runs one by hand: with the names and defaults of the host."""

from __future__ import annotations

import ast
from dataclasses import fields

import pytest

from bertbuild.plans.finetuning import FinetuneRequest
from bertbuild.plans.prepare_data import PrepareRequest
from bertbuild.plans.tf2_train import TrainRequest
from bertbuild.project import ROOT

OF_THE_PLAN = {"prefix", "unfinished"}
"""Flags that every training stage gets from its plan, and no request says."""

CASES = {
    "tf1/stages/finetune.py": (FinetuneRequest, OF_THE_PLAN | {"gelu"}, set()),
    # The plan says the form of gelu, and nothing of it where the model has none.
    "tf2/stages/train.py": (TrainRequest, OF_THE_PLAN | {"root", "gelu"}, {"gelu"}),
    "data/stages/prepare_data.py": (PrepareRequest, {"vocab_reading", "task"}, {"vocab_reading", "task"}),
}


def declared(path):
    """Name → default of a stage's parameters, as they are written in its code."""
    module = ast.parse((ROOT / "docker" / path).read_text(encoding="utf-8"))
    found = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "param":
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            default = ast.literal_eval(options["default"]) if "default" in options else None
            found[ast.literal_eval(node.args[0]).replace("-", "_")] = {"true": True, "false": False}.get(
                default, default
            )
    return found


@pytest.mark.parametrize("path", CASES)
def test_a_stage_has_the_parameters_of_the_request_with_its_defaults(path):
    request, own, of_request_alone = CASES[path]
    stage = declared(path)
    host = {one.name: one.default for one in fields(request) if one.name not in of_request_alone}
    assert {name: default for name, default in stage.items() if name not in own} == host
