"""[models.NAME.evaluate], and what int8 is calibrated on: what the model's recipe trained it on."""

from __future__ import annotations

from pathlib import Path

import pytest
from build_files import load

from bertbuild.buildfile.requests import calibrated, of_recipe
from bertbuild.buildfile.select import select
from bertbuild.errors import UsageError
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import EvaluateRequest
from bertbuild.kinds.ir_request import Ir

FILE = """
[targets.ir]
kind = "ir"
matrix = { precision = ["fp32", "int8"] }
calibration = "CALIBRATION"

[targets.tf2]
kind = "tf2-savedmodel"

[models.base]
checkpoint = "c"
targets = []

[models.mine]
finetune = { from = "base", task = "own", data = "d.csv", text_column = "t", label_column = "l" }
"""
OF_RECIPE = FILE.replace("CALIBRATION", "finetune")


def mine(folder, text):
    return load(folder, text).model("mine")


def test_an_empty_table_measures_the_kinds_of_the_models_targets_on_what_it_was_trained_on(tmp_path):
    entry = mine(tmp_path, OF_RECIPE + "evaluate = {}")
    assert entry.evaluate.data == Data()
    assert entry.evaluate.data.names_none
    assert entry.evaluate.request == EvaluateRequest(targets=("tf1", "ir-fp32", "ir-int8", "tf2"))
    assert entry.evaluate.max_drop == "0.01"
    assert mine(tmp_path, OF_RECIPE).evaluate is None


def test_its_keys_are_the_flags_of_the_command(tmp_path):
    more = '[models.mine.evaluate]\nprepared = "p"\ntarget = ["tf2", "ir-fp16"]\nmax_drop = 0.020\nbatch_size = 2'
    entry = mine(tmp_path, OF_RECIPE + more)
    assert entry.evaluate.data == Data(prepared=str(tmp_path / "p"))
    assert not entry.evaluate.data.names_none
    assert entry.evaluate.request == EvaluateRequest(targets=("tf2", "ir-fp16"), batch_size=2)
    assert entry.evaluate.max_drop == "0.020"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("evaluate = { taks = 'MRPC' }", 'knows no key "taks"; did you mean "task"?'),
        ("evaluate = { max_drop = 2 }", "must be a number from 0 to 1, not 2"),
        ("evaluate = { target = 'ir' }", "must be one of tf1, frozen, ir-fp32"),
        ("evaluate = { int8_for = 'vnni', target = 'tf2' }", "int8_for is for the targets ir-int8 and onnx-int8 alone"),
        ("evaluate = 3", "must be a table"),
        ("[models.other]\nfrozen = 'g.pb'\ntargets = ['tf2']\nevaluate = {}", "this model is no checkpoint"),
    ],
)
def test_what_it_cannot_have_is_refused_with_its_line(tmp_path, more, says):
    with pytest.raises(UsageError, match="line") as refused:
        load(tmp_path, OF_RECIPE + more)
    assert says in str(refused.value)


def test_a_target_that_is_named_alone_is_not_measured(tmp_path):
    file = load(tmp_path, OF_RECIPE + "evaluate = {}\n")
    assert select(file, ["mine"]).model("mine").evaluate
    assert select(file, ["mine/tf2"]).model("mine").evaluate is None
    assert select(file, []).model("mine").evaluate


def test_int8_is_calibrated_on_what_the_recipe_trained_on(tmp_path):
    full, int8, tf2 = (target.request for target in mine(tmp_path, OF_RECIPE).targets)
    assert [of_recipe(request) for request in (full, int8, tf2)] == [False, True, False]
    assert calibrated(int8, lambda: Path("/p")) == Ir(precision="int8", calibration="/p")
    assert calibrated(tf2, lambda: pytest.fail("asked for")) is tf2


def test_a_folder_of_that_name_is_one(tmp_path):
    (_, int8, _) = mine(tmp_path, FILE.replace("CALIBRATION", "./finetune")).targets
    assert int8.request.calibration == str(tmp_path / "finetune")


def test_a_model_without_a_recipe_has_no_such_data(tmp_path):
    says = '"calibration" of ir-int8 is "finetune".* and .models.other. has no recipe'
    with pytest.raises(UsageError, match=says) as no:
        load(tmp_path, OF_RECIPE + "[models.other]\ncheckpoint = 'c'\n")
    assert no.value.next_step.endswith('one that is called finetune is "./finetune".')
