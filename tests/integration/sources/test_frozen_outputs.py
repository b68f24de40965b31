from __future__ import annotations

import json

import pytest
import tf2_models
from backends import run as run_script
from matrix import cells
from tiny_models import CONFIG

pytestmark = pytest.mark.integration

POOLED = {"pooled_output": "[?,32]"}
GRAPHS = {
    "pooled_softmax": {**POOLED, "probabilities": "[?,3]"},
    "pooled_span": {**POOLED, "start_logits": "[?,?]", "end_logits": "[?,?]"},
    "softmax_argmax": {**POOLED, "probabilities": "[?,3]", "classes": "[?]"},
    "sigmoid": {**POOLED, "probabilities": "[?,3]"},
    "logits": {**POOLED, "logits": "[?,3]"},
    "squeeze": {**POOLED, "score": "[?]"},
    "mean": {"sentence_embedding": "[?,32]"},
    "tokens": {"probabilities": "[?,?,3]", "classes": "[?,?]"},
    "half": {**POOLED, "probabilities": "[?,3]"},
}
"""Graph of make_frozen.py → what its IR gives, with the shape."""
RUN = cells(GRAPHS, "pooled_softmax", "tokens", "half")


@pytest.fixture(scope="module")
def heads(session_folder, bertbuild):
    assert bertbuild.artifacts.is_dir()
    folder = session_folder / "heads"
    folder.mkdir()
    run_script("tf1", "make_frozen", out=folder, config=CONFIG, seed=5)
    return folder


@pytest.fixture(scope="module")
def built(bertbuild, heads):
    def build(graph):
        return bertbuild.ok("build-ir", "--frozen", heads / f"{graph}.pb", "--name", graph)

    return dict(zip(RUN, tf2_models.together(build, [(graph,) for graph in RUN]), strict=True))


@pytest.mark.parametrize("graph", RUN)
def test_every_output_of_a_frozen_graph_is_kept_and_proved(bertbuild, built, graph):
    verdict = built[graph].verdict("ir-fp32")
    assert verdict["passed"]
    assert verdict["skipped"] == []
    assert {row["output"] for row in verdict["rows"]} == set(GRAPHS[graph])
    facts = run_script("openvino", "ir", ir=bertbuild.out(graph, "ir-fp32"))
    assert set(facts["outputs"]) == set(GRAPHS[graph])
    shapes = {name: facts["outputs"][name]["shape"].count(",") for name in GRAPHS[graph]}
    assert shapes == {name: shape.count(",") for name, shape in GRAPHS[graph].items()}


def test_what_is_left_out_of_a_frozen_graph_is_told_with_how_to_take_it(built):
    last = built["pooled_softmax"].last
    assert [part["kind"] for part in last["left_out"]] == ["logits", "sequence_output"]
    assert last["lines"][0] == "left out: logits (loss/BiasAdd:0); --outputs loss/BiasAdd takes it"
    assert last["lines"][-1].endswith("model.xml")


def test_a_graph_of_float16_is_held_to_what_float16_is_held_to(built):
    assert built["half"].verdict("ir-fp32")["precision"] == "float16"


@pytest.mark.whole
def test_ends_of_a_span_follow_a_fixed_length(bertbuild, heads):
    outcome = bertbuild.ok(
        "build-ir", "--frozen", heads / "pooled_span.pb", "--name", "sized", "--seq-len", 32, "--batch-size", 2
    )
    verdict = outcome.verdict("ir-b2-s32-fp32")
    assert {row["output"] for row in verdict["rows"]} == set(GRAPHS["pooled_span"])
    assert {name.split("/")[0] for name in verdict["skipped"]} == {"b1_s128", "b4_s128"}


def test_without_names_two_heads_are_listed_before_any_stage_and_with_names_both_are_taken(bertbuild, heads):
    outcome = bertbuild("build-ir", "--frozen", heads / "two_heads.pb", "--name", "two")
    assert outcome.code == 2
    assert outcome.of("stage") == []
    assert "first/Softmax:0  probabilities" in outcome.last["details"]
    assert "second/Softmax:0  probabilities" in outcome.last["details"]
    assert "--outputs" in outcome.last["next_step"]
    wanted = "first/Softmax:first,second/Softmax:second"
    named = bertbuild.ok("build-ir", "--frozen", heads / "two_heads.pb", "--name", "two", "--outputs", wanted)
    verdict = named.verdict("ir-first+second-fp32")
    assert {row["output"] for row in verdict["rows"]} == {"first", "second"}
    assert "pooled_output" in {part["kind"] for part in named.last["left_out"]}


def test_a_fixed_shape_is_told_and_a_contradiction_is_refused_before_any_stage(bertbuild, heads):
    outcome = bertbuild.ok("build-ir", "--frozen", heads / "fixed.pb", "--name", "fixed")
    assert "the graph takes sequences of 32 alone: that is built into its inputs" in outcome.notes
    assert "the graph takes batches of 2 alone: that is built into its inputs" in outcome.notes
    for words, told in ((("--seq-len", 128), "--seq-len 128"), (("--batch-size", 1), "--batch-size 1")):
        for converter in ("ovc", "mo"):
            refused = bertbuild("build-ir", "--frozen", heads / "fixed.pb", *words, "--converter", converter)
            assert refused.code == 2
            assert refused.of("stage") == []
            assert told in refused.last["message"]


@pytest.mark.whole
def test_the_model_optimizer_takes_a_classifier_at_any_length_its_graph_takes(bertbuild, heads):
    words = ("build-ir", "--frozen", heads / "pooled_softmax.pb", "--name", "pooled_softmax", "--converter", "mo")
    verdict = bertbuild.ok(*words, "--seq-len", 32).verdict("ir-mo-s32-fp32")
    assert {row["output"] for row in verdict["rows"]} == set(GRAPHS["pooled_softmax"])
    fixed = bertbuild.ok("build-ir", "--frozen", heads / "fixed.pb", "--name", "fixed", "--converter", "mo")
    assert "Placeholder:0{i32}[2 32]" in next(note for note in fixed.notes if note.startswith("mo "))


OUTPUTS = {
    "sequence": {"sequence_output"},
    "pooled,sequence": {"pooled_output", "sequence_output"},
    "all-layers": {"layer_0_output", "layer_1_output"},
    "pooled,probabilities": {"pooled_output", "probabilities"},
}
OUTPUTS = cells(OUTPUTS, "all-layers", "pooled,probabilities")


@pytest.fixture(scope="module")
def frozen(bertbuild, tiny):
    def freeze(output):
        return bertbuild.ok("freeze", "--checkpoint", tiny, "--name", "several", "--output", output)

    return dict(zip(OUTPUTS, tf2_models.together(freeze, [(output,) for output in OUTPUTS]), strict=True))


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_checkpoint_is_frozen_for_any_outputs(frozen, output):
    (target,) = frozen[output].last["targets"]
    verdict = frozen[output].verdict(target["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == OUTPUTS[output]


@pytest.mark.whole
def test_our_own_frozen_graph_gives_what_its_signature_says(bertbuild, frozen):
    folder = bertbuild.out("several", frozen["all-layers"].last["targets"][0]["target"])
    outcome = bertbuild.ok("build-ir", "--frozen", folder / "inference_graph.pb", "--name", "own-layers")
    assert {row["output"] for row in outcome.verdict("ir-fp32")["rows"]} == OUTPUTS["all-layers"]


def test_heads_of_a_checkpoint_that_are_left_out_are_told_in_the_last_lines(bertbuild, frozen):
    last = frozen["all-layers"].last
    (head,) = [part for part in last["left_out"] if part["kind"] == "classifier"]
    assert head["names"] == ["output_bias", "output_weights"]
    assert "left out: classifier head (output_bias, output_weights); --output probabilities takes it" in last["lines"]
    assert frozen["pooled,probabilities"].last["left_out"] == []
    assert json.dumps(bertbuild.record("several", frozen["all-layers"].last["targets"][0]["target"]))
