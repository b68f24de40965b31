"""Models compiled with stand-ins for AWS's Neuron packages: nothing here shows what AWS's compiler makes of them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from compiled_models import CompiledModel
from matrix import cells
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration

SHAPES = {
    "two_layers_of_128": {"hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512},
    "three_layers_of_384": {
        "num_hidden_layers": 3,
        "hidden_size": 384,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    },
}
FUSED = cells(("head", "no_head", "saved_model", *SHAPES, "minilm"), "head", "no_head", "saved_model")
STANDARD = cells(("standard", "standard_saved_model"), "standard")
LAYERS = {"head": 2, "no_head": 2, "two_layers_of_128": 2, "three_layers_of_384": 3, "minilm": 6}
ATTENTIONS_PER_LAYER = 2
"""Products of two activations: scores, and their sums over the values."""


@pytest.fixture(scope="module")
def sources(session_folder, tiny, bare, tiny_exported, bare_exported):
    """What to compile, as flags."""
    (head,), (no_head,) = tiny_exported.last["targets"], bare_exported.last["targets"]
    found = {
        "minilm": ("--model", "minilm-l6"),
        "head": ("--checkpoint", tiny),
        "no_head": ("--checkpoint", bare, "--output", "pooled,sequence"),
        "saved_model": ("--saved-model", no_head["path"], "--name", "saved_model"),
        "standard": ("--checkpoint", tiny, "--standard"),
        "standard_saved_model": ("--saved-model", head["path"], "--name", "standard_saved_model", "--standard"),
    }
    for shape, sizes in SHAPES.items():
        config = CONFIG | sizes
        tensors = {name: value / 4 if name.endswith("kernel") else value for name, value in weights(config).items()}
        folder = write_google(session_folder / f"compiled_{shape}", tensors, config=config)
        found[shape] = ("--checkpoint", folder, "--name", shape)
    return {name: found[name] for name in (*FUSED, *STANDARD)}


@pytest.fixture(scope="module")
def built(neuron, sources):
    """Each of them compiled, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        outcomes = pool.map(lambda words: neuron("neuron-compile", *words), sources.values())
        return dict(zip(sources, outcomes, strict=True))


@pytest.fixture(scope="module")
def compiled(built):
    """A function that gives a compiled model, or fails with what went wrong."""

    def find(name):
        assert built[name].code == 0, json.dumps(built[name].last, indent=1)
        return CompiledModel(built[name].last["targets"][-1]["path"])

    return find


@pytest.mark.parametrize("name", FUSED)
def test_the_device_part_is_one_neuron_op_that_is_compiled_and_takes_any_batch(built, compiled, name):
    model = compiled(name)
    assert len(model.neuron_ops) == 1
    assert model.asked["stand-in"].endswith("runs on no device")
    inputs, outputs = (model.neuron_op.numbers(f"{side}_batch_axis") for side in ("input", "output"))
    assert (inputs, set(outputs)) == ([0, 0], {0})
    assert all(shape[0] == 4 for shape, _ in model.asked["io_config"]["inputs"].values())
    ready = CompiledModel(built[name].last["targets"][0]["path"])
    assert ready.neuron_ops == []
    for side in ("inputs", "outputs"):
        assert model.interface(side) == ready.interface(side)
        assert model.signature[side] == ready.signature[side] == model.stage[side]
        assert {shape[0] for _, shape in model.interface(side).values()} == {-1}
    assert model.signature["dynamic_batch"] is True
    assert not (model.folder / "variables").exists()


@pytest.mark.parametrize("name", [*FUSED, *STANDARD])
def test_what_is_on_the_device_and_what_is_not_is_counted(built, compiled, name):
    model = compiled(name)
    facts = model.stage["facts"]
    there, here = sum(model.neuron_op.work.values()), sum(model.on_cpu.values())
    assert (facts["operators_on_neuron"], facts["operators_on_cpu"]) == (there, here)
    assert facts["share_on_neuron"] == round(there / (there + here), 4)
    assert facts["executable_bytes"] == len(model.neuron_op.executable) > 0
    assert model.stage["operators"] == model.neuron_op.work + model.on_cpu
    if "neuron-compile" in built[name].ids("done"):
        assert f"{there} of {there + here} operators are on the Neuron device" in " ".join(built[name].notes)
    assert facts["way"] == ("standard" if name in STANDARD else "fused")


@pytest.mark.parametrize("name", cells(LAYERS, "head", "no_head"))
def test_every_layer_is_on_the_device_and_the_embeddings_are_not(compiled, name):
    model, layers = compiled(name), LAYERS[name]
    assert model.neuron_op.work["BatchMatMulV2"] == ATTENTIONS_PER_LAYER * layers
    assert model.neuron_op.work["Erf"] == layers
    assert not {"BatchMatMulV2", "Erf", "Tanh"} & set(model.on_cpu)
    assert {"GatherV2", "OneHot"} <= set(model.on_cpu)


@pytest.mark.parametrize("name", FUSED)
def test_what_the_compiler_was_told_and_said_is_kept(compiled, name):
    model = compiled(name)
    (command,) = model.stage["facts"]["compiler_commands"]
    assert command[:3] == ["neuron-cc", "compile", "graph_def.pb"]
    assert command[-4:] == ["--neuroncore-pipeline-cores", "1", "--fp32-cast", "matmult"]
    first, *words = model.log.splitlines()
    assert first.startswith("$ neuron-cc compile graph_def.pb ")
    assert first.endswith(" --fp32-cast matmult")
    assert words == ["[neuron-cc stand-in]: INFO: Compiler status PASS"]
    assert (model.asked["fp32_cast"], model.asked["neuroncore_pipeline_cores"]) == ("matmult", 1)
    assert model.stage["packages"]["neuron-cc"] == "1.13.5.0+stand.in"
    assert model.stage["packages"]["tensorflow-neuron"] == "1.15.5.2.8.9.0+stand.in"


def test_a_checkpoint_and_the_saved_model_exported_from_it_are_compiled_once(built, compiled):
    assert compiled("saved_model").bytes == compiled("no_head").bytes
    done = [outcome.ids("done").count("neuron-compile") for outcome in (built["saved_model"], built["no_head"])]
    assert sum(done) == 1
    assert compiled("saved_model").stage["seconds"] == compiled("no_head").stage["seconds"]


@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_way_keeps_the_exported_interface_at_the_compiled_batch(built, compiled, tiny_exported, name):
    model = compiled(name)
    exported = CompiledModel(tiny_exported.last["targets"][0]["path"])
    for side in ("inputs", "outputs"):
        fixed = {port: (dtype, (4, *shape[1:])) for port, (dtype, shape) in exported.interface(side).items()}
        assert model.interface(side) == fixed
    assert {"label_ids", "is_real_example"} <= set(model.interface("inputs"))
    assert model.signature["dynamic_batch"] is False
    assert model.neuron_op.work["BatchMatMulV2"] == 2 * ATTENTIONS_PER_LAYER
    assert {"GatherV2", "OneHot"} <= set(model.on_cpu)
    assert model.asked["io_config"]["outputs"] == ["bert/pooler/dense/Tanh:0"]
    assert model.asked["fp32_cast"] is None, "AWS's demo gives none here"
    assert built[name].last["targets"][-1]["target"] == "neuron-standard-b4"


def test_what_is_compiled_has_passed_its_own_gate_first(built):
    for name in (*FUSED, "standard"):
        ready, target = built[name].last["targets"]
        assert ready["verified"] is True
        named = {"standard": "saved-model", "no_head": "neuron-ready-pooled+sequence-float16"}
        assert ready["target"] == named.get(name, "neuron-ready-float16")
        assert built[name].verdict(ready["target"])["passed"]
        order = [(event["event"], event.get("target") or event.get("id")) for event in built[name].events]
        assert order.index(("verdict", ready["target"])) < order.index(("stage", "neuron-compile"))
        assert target["verified"] is False


@pytest.mark.whole
def test_other_cores_other_batch_and_other_compiler_arguments_are_other_results(neuron, tiny, built):
    flags = ("--batch-size", "6", "--neuroncore-pipeline-cores", "4", "--compiler-args", "--fp32-cast=all --topdown")
    outcome = neuron.ok("neuron-compile", "--checkpoint", tiny, *flags)
    assert outcome.ids("started") == ["neuron-compile"], "the model in front of the compiler is the same"
    target = outcome.last["targets"][-1]
    assert target["target"].startswith("neuron-float16-b6-c4-args-")
    assert target["key"] != built["head"].last["targets"][-1]["key"]
    model = CompiledModel(target["path"])
    assert model.asked["neuroncore_pipeline_cores"] == 4
    assert model.neuron_op.numbers("model_config")[0] == 4
    assert (model.asked["fp32_cast"], model.asked["other"]) == ("all", ["--topdown"])
    (command,) = model.stage["facts"]["compiler_commands"]
    assert command[-4:] == ["--neuroncore-pipeline-cores", "4", "--fp32-cast=all", "--topdown"]
    assert "matmult" not in model.log
    assert model.asked["io_config"]["inputs"]["embeddings:0"][0] == [6, 128, CONFIG["hidden_size"]]
    assert (model.signature["batch_size"], model.signature["dynamic_batch"]) == (6, True)


def test_limits_are_no_part_of_the_key(neuron, tiny, built):
    for limits in (("--timeout", "77"), ("--min-memory", "100000"), ()):
        again = neuron.ok("neuron-compile", "--checkpoint", tiny, *limits)
        assert again.ids("started") == []
        assert again.last == built["head"].last
