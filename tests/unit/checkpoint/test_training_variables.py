"""What training leaves in a checkpoint is told from the model's variables by its names, whoever's optimizer it was."""

import pytest

from bertbuild.checkpoint.training import averaged, sort_variables

KERNEL = "bert/encoder/layer_0/output/dense/kernel"
SLOTS = {
    f"{KERNEL}/adam_m": "adam_m",
    f"{KERNEL}/AdamWeightDecayOptimizer": "AdamWeightDecayOptimizer",
    f"{KERNEL}/Momentum": "Momentum",
    f"{KERNEL}/LAMBOptimizer/m": "LAMBOptimizer/m",
    f"{KERNEL}/fp32_master": "fp32_master",
    f"{KERNEL}_slot_vr": "vr",
    f"OptimizeLoss/{KERNEL}/Adam": "OptimizeLoss/Adam",
    f"OptimizeLoss/{KERNEL}/Adam_1": "OptimizeLoss/Adam_1",
    f"training/Adam/{KERNEL}/m": "training/Adam/m",
    f"training/{KERNEL}/Adafactor_1": "training/Adafactor_1",
    f"Adam/v/{KERNEL}": "Adam/v",
    f"accum_grads/{KERNEL}": "accum_grads",
    f"accumulated_gradients_3/{KERNEL}": "accumulated_gradients_3",
    "accum_grads/Variable_7": "accum_grads",
    "training/Adam/Variable": "training/Adam",
    "beta1_power": "beta1_power",
    "OptimizeLoss/beta2_power": "beta2_power",
    "OptimizeLoss/learning_rate": "learning_rate",
    "training/Adam/iter": "iter",
    "training/Adam/beta_1": "beta_1",
    "loss_scale": "loss_scale",
    "current_loss_scale": "current_loss_scale",
    "num_good_steps": "num_good_steps",
    f"{KERNEL}/ExponentialMovingAverage": "ExponentialMovingAverage",
    f"training/{KERNEL}/ExponentialMovingAverage": "ExponentialMovingAverage",
}
MODEL = (
    "bert/pooler/dense/kernel",
    "cls/predictions/output_bias",
    "cls/squad/output_weights",
    "output_weights",
    "output_bias",
    f"teacher/{KERNEL}",
    f"module/{KERNEL}",
    "crf/transitions",
)


@pytest.mark.parametrize("name", SLOTS)
def test_what_an_optimizer_keeps_is_none_of_the_models(name):
    names = dict.fromkeys((KERNEL, name))
    found = sort_variables(names)
    assert found.model == (KERNEL,)
    assert found.slots == {SLOTS[name]: (name,)}


def test_variables_of_heads_and_of_other_encoders_are_the_models():
    found = sort_variables(dict.fromkeys((KERNEL, *MODEL, "global_step")))
    assert found.model == (KERNEL, *MODEL)
    assert found.slots == {}
    assert found.global_step


def test_an_average_without_its_variable_is_the_models():
    name = f"{KERNEL}/ExponentialMovingAverage"
    found = sort_variables({name: None, f"{KERNEL}/adam_m": None})
    assert found.model == (name,)
    assert found.slots == {"adam_m": (f"{KERNEL}/adam_m",)}


def test_an_average_made_inside_a_scope_is_of_the_variable_that_its_name_ends_with():
    assert averaged(f"training/{KERNEL}/ExponentialMovingAverage", {KERNEL: None}) == KERNEL
    assert averaged(f"training/{KERNEL}/ExponentialMovingAverage", {}) == f"training/{KERNEL}"
    assert averaged(KERNEL, {KERNEL: None}) is None
