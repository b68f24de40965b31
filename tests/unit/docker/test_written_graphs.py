"""The stage freeze, whole: what it writes is read by our own reader of graphs; what does not fit is refused."""

from __future__ import annotations

import json
import types

import numpy as np
import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.geometry import head_size, layer_norm_epsilon
from bertbuild.graph.graphdef import read_graph
from bertbuild.graph.outputs import find_outputs
from bertbuild.graph.roles import input_roles
from bertbuild.heads.found import FoundHead, as_parameter

CONFIG = {
    "hidden_act": "gelu",
    "hidden_size": 8,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 30,
}
SPAN = FoundHead(kind="span", weights="cls/squad/output_weights", bias="cls/squad/output_bias", labels=2)
KERNEL = "bert/encoder/layer_0/intermediate/dense/kernel"


@pytest.fixture
def tensors():
    chance = np.random.default_rng(1)
    shapes = encoder_variables(config_from(CONFIG, name="tiny")) | {SPAN.weights: (2, 8), SPAN.bias: (2,)}
    return {name: chance.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def freeze(load, tmp_path):
    """Runs the stage on variables; gives the graph it wrote, its signature and its report."""

    def run(tensors, config=CONFIG, **asked):
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        write_checkpoint(folder / "bert_model.ckpt", tensors)
        (folder / "bert_config.json").write_text(json.dumps(config))
        usual = {"checkpoint": str(folder), "prefix": None, "gelu": "auto", "output": None, "heads": ""}
        args = types.SimpleNamespace(**{**usual, "out": str(tmp_path), **asked})
        report = load("stage").Report("freeze")
        load("stages.freeze").run(args, report)
        return (
            read_graph(tmp_path / "inference_graph.pb"),
            json.loads((tmp_path / "signature.json").read_text()),
            report,
        )

    return run


@pytest.fixture
def refused(freeze, load):
    """The sentence that the stage refuses its input with."""

    def run(*words, **asked):
        with pytest.raises(load("stage").StageInputError) as raised:
            freeze(*words, **asked)
        return str(raised.value)

    return run


@pytest.mark.parametrize("form", ["erf", "tanh"])
def test_a_graph_is_read_as_the_bert_it_was_written_of(freeze, tensors, form):
    graph, signature, report = freeze(tensors, gelu=form)
    assert input_roles(graph) == {role: f"{role}:0" for role in ("input_ids", "input_mask", "segment_ids")}
    assert (gelu_form(graph), signature["gelu"], report.facts["gelu"]) == (form, form, form)
    assert layer_norm_epsilon(graph) == pytest.approx(1e-12)
    assert head_size(graph) == 4
    assert graph.producer == 134
    assert signature["outputs"] == {
        "pooled_output": {"dtype": "float32", "shape": [-1, 8], "tensor": "bert/pooler/dense/Tanh:0"}
    }
    assert {graph.nodes[role].shape() for role in signature["inputs"]} == {(-1, -1)}
    assert SPAN.weights not in graph.nodes, "what the pooled output does not need is left out"


@pytest.mark.parametrize("output", ["pooled", "sequence", "pooled,sequence"])
def test_outputs_are_traced_as_what_they_are(freeze, tensors, output):
    graph, signature, _ = freeze(tensors, output=output)
    taken = find_outputs(graph, input_roles(graph)).taken
    assert {found.name for found in taken} == set(signature["outputs"])
    expected = {"pooled_output": False, "sequence_output": True}
    assert {found.name: found.per_position for found in taken} == {
        name: expected[name] for name in signature["outputs"]
    }


def test_nodes_are_called_as_those_of_google_research_bert(freeze, tensors):
    graph, _, _ = freeze(tensors)
    scope = "bert/encoder/layer_0/attention"
    wanted = {
        f"{scope}/self/query/MatMul": "MatMul",
        f"{scope}/self/Softmax": "Softmax",
        f"{scope}/output/add": "AddV2",
    }
    wanted |= {f"{scope}/output/LayerNorm/moments/Mean": "Mean", "bert/encoder/layer_1/output/dense/BiasAdd": "BiasAdd"}
    assert {name: graph.nodes[name].op for name in wanted} == wanted


def test_each_output_has_a_node_that_nothing_reads(freeze, tensors):
    graph, signature, _ = freeze(
        tensors, output="pooled,sequence,all-layers,start_logits,end_logits", heads=as_parameter([SPAN])
    )
    ends = {name: port["tensor"].removesuffix(":0") for name, port in signature["outputs"].items()}
    assert len(set(ends.values())) == len(ends) == 6
    read = {ref.node for node in graph.nodes.values() for ref in node.data_inputs}
    assert not read & set(ends.values())
    assert signature["outputs"]["start_logits"]["shape"] == [-1, -1]
    assert signature["outputs"]["layer_1_output"]["shape"] == [-1, -1, 8]


def test_without_a_meta_gelu_is_erf_and_a_note_says_so(freeze, tensors):
    _, _, report = freeze(tensors)
    assert report.notes == ["no .meta beside the checkpoint: gelu taken as erf, the form of the published graphs"]
    assert report.facts["gelu"] == "erf"


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_variables_of_another_dtype_are_refused(refused, tensors, dtype):
    told = refused(tensors | {KERNEL: tensors[KERNEL].astype(dtype)})
    assert told.startswith(f"{KERNEL} is stored as {dtype}; write the checkpoint in float32 first")


def test_variables_of_another_shape_are_refused(refused, tensors):
    told = refused(tensors, CONFIG | {"intermediate_size": 16})
    assert told == f"{KERNEL} has shape [8, 12] in the checkpoint, [8, 16] by bert_config.json"


def test_heads_of_another_shape_are_refused(refused, tensors):
    three = {SPAN.weights: np.zeros((3, 8), np.float32), SPAN.bias: np.zeros(3, np.float32)}
    told = refused(tensors | three, output="start_logits", heads=as_parameter([SPAN]))
    assert told == "cls/squad/output_weights of a head of kind span must have 2 rows (got 3)"


def test_an_output_of_no_head_is_refused(refused, tensors):
    assert refused(tensors, output="score") == "none of --heads gives --output score"


def test_a_configuration_that_cannot_be_read_is_refused(refused, tensors):
    assert "has hidden_size 9, which num_attention_heads 2 does not divide" in refused(
        tensors, CONFIG | {"hidden_size": 9}
    )


def test_a_graph_of_two_gigabytes_is_refused_before_it_is_written(load, tmp_path):
    graphdef, path = load("stages._graphdef"), tmp_path / "graph.pb"
    large = np.broadcast_to(np.float32(0), (2**29,))
    with pytest.raises(load("stage").StageInputError, match="would be 2 GiB or more, the most a GraphDef can hold"):
        graphdef.write_graph(path, [graphdef.Node("large", "Const", array=large)])
    assert path.stat().st_size == 0
