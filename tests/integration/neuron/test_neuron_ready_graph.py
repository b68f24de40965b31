"""The two parts of a model made ready for Neuron, as TensorFlow reads them."""

from __future__ import annotations

import pytest
from saved_models import LoadedSavedModel, dtypes, node_name, of_type
from tiny_models import CONFIG

pytestmark = pytest.mark.integration

LENGTH, WIDTH, LAYERS = 128, CONFIG["hidden_size"], CONFIG["num_hidden_layers"]
PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2")
OF_RUN_TIME = ("Shape", "StridedSlice", "Pack", "Size", "Rank", "Range", "Fill", "ExpandDims", "Squeeze")
OF_TRAINING = ("Assert", "RandomUniform", "RandomStandardNormal", "TruncatedNormal", "GreaterEqual", "Floor", "Switch")
VARIABLES = ("VariableV2", "VarHandleOp", "Variable")


def loaded(outcome):
    return LoadedSavedModel(outcome.last["targets"][0]["path"])


@pytest.fixture(scope="module")
def half(tiny_ready_half):
    """A classifier, float16."""
    return loaded(tiny_ready_half)


@pytest.fixture(scope="module")
def full(tiny_ready):
    """The same, float32."""
    return loaded(tiny_ready)


@pytest.fixture(scope="module")
def sequence(bare_ready_half):
    """Pooled and sequence output, float16."""
    return loaded(bare_ready_half)


@pytest.fixture(scope="module", params=["half", "full", "sequence"])
def model(request):
    return request.getfixturevalue(request.param)


def test_the_signature_has_three_inputs_of_free_batch_and_float32_outputs(model, sequence):
    assert model.interface("inputs") == dict.fromkeys(
        ("input_ids", "input_mask", "segment_ids"), ("int32", [None, LENGTH])
    )
    outputs = {"probabilities": ("float32", [None, 3])}
    if model is sequence:
        outputs = {"pooled_output": ("float32", [None, WIDTH]), "sequence_output": ("float32", [None, LENGTH, WIDTH])}
    assert model.interface("outputs") == outputs


def test_two_named_tensors_are_all_that_enters_the_device_part(model):
    entered = {
        node_name(tensor)
        for node in model.device.values()
        for tensor in node["inputs"]
        if node_name(tensor) not in model.device
    }
    assert entered == set(model.boundary.values()) == {"device/embeddings", "device/mask_bias"}
    assert of_type(model.device, "Placeholder", "PlaceholderWithDefault") == {}


def test_the_named_tensors_are_what_the_signature_says(model):
    device = model.signature["device"]
    for ports in (device["inputs"], device["outputs"]):
        for name, port in ports.items():
            assert port["tensor"] == f"device/{name}:0"
            node = model.nodes[f"device/{name}"]
            assert node["dtypes"] == [port["dtype"]] == [model.signature["dtype"]]
            assert [-1 if size is None else size for size in node["shapes"][0]] == port["shape"]
    shapes = {name: port["shape"] for name, port in device["inputs"].items()}
    assert shapes == {"embeddings": [-1, LENGTH, WIDTH], "mask_bias": [-1, 1, 1, LENGTH]}


def test_only_casts_and_the_last_softmax_come_after_the_device_part(model):
    outputs = {port["tensor"] for port in model.signature["device"]["outputs"].values()}
    behind = {
        name: node
        for name, node in model.nodes.items()
        if name in model.facts["needed"] and name not in model.device and name not in model.host
    }
    assert {node["op"] for node in behind.values()} <= {"Cast", "Identity", "Softmax"}
    entered = {tensor for node in behind.values() for tensor in node["inputs"] if node_name(tensor) not in behind}
    assert entered == outputs


def test_no_operator_of_the_device_part_depends_on_a_shape_of_run_time_or_is_of_training(model):
    assert of_type(model.device, *OF_RUN_TIME, *OF_TRAINING) == {}
    assert not [name for name, node in model.device.items() if "dropout" in name or node["op"].startswith("Random")]
    for node in model.device.values():
        assert [shape for shape in node["shapes"] if shape is None or shape.count(None) > 1] == []


def test_shapes_are_given_as_constants(model):
    shaping = of_type({**model.device, **model.host}, "Reshape", "Transpose", "Slice")
    assert shaping
    for node in shaping.values():
        assert {model.nodes[node_name(tensor)]["op"] for tensor in node["inputs"][1:]} == {"Const"}


def test_nothing_of_training_is_in_the_graph_at_all(model):
    assert of_type(model.nodes, "Assert", "RandomUniform", "TruncatedNormal") == {}
    assert not [name for name in model.nodes if "adam" in name.lower() or "dropout" in name]


def test_the_host_part_looks_up_embeddings_and_multiplies_token_types_alone(model):
    products = of_type(model.host, *PRODUCTS)
    assert len(products) == 1
    (product,) = products.values()
    assert model.nodes[node_name(product["inputs"][0])]["op"] == "OneHot"
    assert product["shapes"] == [[None, WIDTH]]
    assert len(of_type(model.host, "GatherV2")) == 1
    assert of_type(model.device, "GatherV2", "OneHot") == {}
    tables = {name for name in of_type(model.host, *VARIABLES) if name.endswith("_embeddings")}
    assert len(tables) == 3
    assert not [name for name in of_type(model.device, *VARIABLES) if "embeddings" in name]


def test_the_position_table_is_as_long_as_the_sequence(model):
    assert model.nodes["bert/embeddings/position_embeddings"]["shapes"] == [[LENGTH, WIDTH]]


def test_the_mask_bias_is_computed_once_from_the_mask_alone_and_added_in_every_layer(model):
    def roots(name):
        inputs = [node_name(tensor) for tensor in model.nodes[name]["inputs"]]
        return set().union(*map(roots, inputs)) if inputs else {name}

    placeholders = {name for name in roots("device/mask_bias") if model.nodes[name]["op"] == "Placeholder"}
    assert placeholders == {"input_mask"}
    adding = [node for node in model.device.values() if "device/mask_bias:0" in node["inputs"]]
    assert [node["op"] for node in adding] == ["AddV2"] * LAYERS
    softmaxes = of_type(model.device, "Softmax")
    assert len(softmaxes) == LAYERS
    for node in softmaxes.values():
        assert "device/mask_bias:0" in model.nodes[node_name(node["inputs"][0])]["inputs"]
    assert of_type(model.device, "ExpandDims", "OnesLike", "Fill") == {}


@pytest.mark.parametrize("kind", ["half", "sequence"])
def test_products_and_their_weights_are_of_float16(request, kind):
    model = request.getfixturevalue(kind)
    products = of_type(model.device, *PRODUCTS)
    assert len(products) >= 8 * LAYERS
    assert dtypes(products) == {"float16"}
    assert {dtype for name in products for dtype in dtypes_read(model, name)} == {"float16"}
    kernels = {name: node for name, node in of_type(model.device, *VARIABLES).items() if name.endswith("kernel")}
    assert len(kernels) == 6 * LAYERS + 1
    assert dtypes(kernels) == {"float16"}


def dtypes_read(model, name):
    return [model.nodes[node_name(tensor)]["dtypes"][0] for tensor in model.nodes[name]["inputs"]]


@pytest.mark.parametrize("kind", ["half", "sequence"])
def test_layer_norms_embeddings_and_the_softmax_of_the_result_are_of_float32(request, kind):
    model = request.getfixturevalue(kind)
    every = {**model.device, **model.host}
    for types, count in ((("Rsqrt",), 2 * LAYERS + 1), (("Mean",), 4 * LAYERS + 2), (("Square",), 2 * LAYERS + 1)):
        found = of_type(every, *types)
        assert len(found) == count
        assert dtypes(found) == {"float32"}
    norms = {name: node for name, node in of_type(every, *VARIABLES).items() if "LayerNorm" in name}
    assert len(norms) == 2 * (2 * LAYERS + 1)
    assert dtypes(norms) == {"float32"}
    assert dtypes(of_type(model.host, *VARIABLES)) == {"float32"}
    assert dtypes(of_type(model.host, "GatherV2", *PRODUCTS)) == {"float32"}
    if kind == "half":
        (softmax,) = map(node_name, model.nodes["probabilities"]["inputs"])
        assert model.nodes[softmax]["op"] == "Softmax"
        assert dtypes_read(model, softmax) == ["float32"]


def test_in_single_precision_nothing_is_of_float16_and_nothing_is_cast_in_the_device_part(full):
    assert "float16" not in dtypes(full.nodes)
    assert of_type(full.device, "Cast") == {}


def test_counts_in_stage_json_are_those_of_the_graphs(model, tiny_exported, bare_exported, sequence):
    counts = model.stage_facts["compute_operators"]
    assert counts["neuron_ready"] == sum(model.compute_operators.values())
    no_work = {"Const", "Identity", *VARIABLES}
    assert counts["device"] == sum(node["op"] not in no_work for node in model.device.values())
    exported = loaded(bare_exported if model is sequence else tiny_exported)
    assert counts["source"] == sum(exported.compute_operators.values())
    assert model.stage_facts["source_operators"] == exported.compute_operators


def test_at_least_a_quarter_of_the_exported_operators_is_gone(model):
    counts = model.stage_facts["compute_operators"]
    assert counts["neuron_ready"] / counts["source"] <= 0.75
    source, ours = model.stage_facts["source_operators"], model.compute_operators
    assert ours["Reshape"] < source["Reshape"] / 2, "the redundant ones among them"


def last_softmax(model):
    return model.nodes[f"bert/encoder/layer_{LAYERS - 1}/attention/self/Softmax"]["shapes"][0]


def test_the_last_layer_is_computed_for_the_first_position_where_nobody_asks_for_the_sequence(half, full, sequence):
    heads = CONFIG["num_attention_heads"]
    for model in (half, full):
        assert last_softmax(model) == [None, heads, 1, LENGTH]
    assert last_softmax(sequence) == [None, heads, LENGTH, LENGTH]


def test_the_pooler_gets_the_first_position_alone(model):
    (product,) = (
        node for node in of_type(model.device, "MatMul").values() if "bert/pooler/dense/kernel/read:0" in node["inputs"]
    )
    slices = of_type(model.device, "Slice")
    assert [node["shapes"] for node in slices.values()] == [[[None, 1, WIDTH]]]
    assert product["shapes"] == [[None, WIDTH]]
