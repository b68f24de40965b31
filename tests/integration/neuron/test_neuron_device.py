"""Compiled models on a machine with a Neuron device, and on one without.

The device is an empty file that BERTBUILD_NEURON_DEVICE names; the NeuronOp is a stand-in and runs on the CPU.
"""

from __future__ import annotations

import pytest
from neuron_checkout import changed

pytestmark = pytest.mark.integration

TARGET = "neuron-float16-b4"
WAYS = {TARGET: (), "neuron-standard-b4": ("--standard",)}
NO_DEVICE = "this machine has no Neuron device to run it on"


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    path = tmp_path_factory.mktemp("device") / "neuron0"
    path.touch()
    return path


def state(program, model, target):
    found = program.ok("status").last["targets"]
    (fact,) = [fact for fact in found if (fact["model"], fact["target"]) == (model, target)]
    return fact


def test_without_a_device_a_compiled_model_is_never_called_verified(neuron, tiny):
    built = neuron.ok("neuron-compile", "--checkpoint", tiny, "--name", "elsewhere")
    ready, compiled = built.last["targets"]
    assert (ready["verified"], compiled["verified"], compiled["max_abs"]) == (True, False, None)
    assert built.last["lines"][-1].endswith(f"{TARGET}   NOT VERIFIED: {NO_DEVICE}")
    (event,) = built.of("unverified")
    assert event == {"event": "unverified", "model": "elsewhere", "target": TARGET, "reason": NO_DEVICE}
    assert [event["target"] for event in built.of("verdict")] == ["neuron-ready-float16"]
    assert neuron.record("elsewhere", TARGET)["verdict"] is None
    fact = state(neuron, "elsewhere", TARGET)
    assert (fact["state"], fact["max_abs"]) == ("not verified", None)
    assert neuron.out("elsewhere", TARGET).is_symlink()


def test_verify_without_a_device_says_what_it_did_not_verify(neuron, tiny):
    neuron.ok("neuron-compile", "--checkpoint", tiny, "--name", "elsewhere")
    outcome = neuron("verify", "elsewhere")
    assert (outcome.code, outcome.last["error"]) == (21, "NotVerifiedError")
    assert "1 of 2 targets answers like its source" in outcome.last["message"]
    assert f"not verified: elsewhere {TARGET}: {NO_DEVICE}" in outcome.last["message"]
    assert outcome.last["next_step"]
    assert [event["target"] for event in outcome.of("unverified")] == [TARGET]
    assert [event["target"] for event in outcome.of("verdict")] == ["neuron-ready-float16"]
    assert state(neuron, "elsewhere", TARGET)["state"] == "not verified"


@pytest.mark.parametrize("target", WAYS)
def test_verify_with_a_device_runs_what_was_compiled_elsewhere(neuron, device, tiny, target):
    neuron.ok("neuron-compile", "--checkpoint", tiny, *WAYS[target], "--name", f"moved-{target}")
    assert state(neuron, f"moved-{target}", target)["state"] == "not verified"
    here = neuron.having(BERTBUILD_NEURON_DEVICE=device)
    verdict = here.ok("verify", f"moved-{target}/{target}").verdict(target)
    assert verdict["passed"]
    assert {row["probe"] for row in verdict["rows"]} >= {"b1_s16", "b1_s128", "b4_s16", "b4_s128", "b4_s128 rows alone"}
    assert verdict["skipped"] == []
    fact = state(neuron, f"moved-{target}", target)
    assert fact["state"] == "built"
    assert 0 < fact["max_abs"] <= fact["allowed"] == 1e-2


def test_with_a_device_the_compiled_model_is_judged_as_it_is_built(neuron, device, tiny):
    here = neuron.having(BERTBUILD_NEURON_DEVICE=device)
    build = ("neuron-compile", "--checkpoint", tiny, "--name", "here")
    built = here.ok(*build)
    assert [target["verified"] for target in built.last["targets"]] == [True, True]
    assert built.of("unverified") == []
    assert built.verdict(TARGET)["passed"]
    assert built.last["targets"][-1]["max_abs"] == max(row["max_abs"] for row in built.verdict(TARGET)["rows"])
    assert "NOT VERIFIED" not in "".join(built.last["lines"])
    assert state(neuron, "here", TARGET)["state"] == "built"
    assert here.ok(*build).ids("started") == []


def test_a_compiled_model_that_answers_wrongly_is_found_out_on_the_device(neuron, device, tiny, tmp_path):
    value = "value = reader.get_tensor(node.name)"
    wrong = changed(neuron, tmp_path, "docker/neuron/stages/_saved_model.py", value, f"{value} * 2")
    built = wrong.ok("neuron-compile", "--checkpoint", tiny, "--name", "wrong")
    assert built.last["targets"][-1]["verified"] is False, "nothing but a device can tell"
    link = wrong.out("wrong", TARGET)
    assert link.is_symlink()
    outcome = wrong.having(BERTBUILD_NEURON_DEVICE=device)("verify", f"wrong/{TARGET}")
    assert (outcome.code, outcome.last["error"]) == (20, "ParityError")
    assert f"{TARGET} of wrong does not answer like its source" in outcome.last["message"]
    assert outcome.verdict(TARGET)["passed"] is False
    assert not link.is_symlink()
    assert state(neuron, "wrong", TARGET)["state"] == "failed"
    again = wrong.having(BERTBUILD_NEURON_DEVICE=device)("neuron-compile", "--checkpoint", tiny, "--name", "wrong")
    assert (again.code, link.is_symlink()) == (20, False)
