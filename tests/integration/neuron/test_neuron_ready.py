"""Models made ready for Neuron answer like their source, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from matrix import cells
from numpy_bert import NumpyBert
from program import Bertbuild
from saved_models import LoadedSavedModel, answer, question
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration

LENGTH = 128
BATCHES = (1, 3, 7)
FILES = ("saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index")
SHAPES = {
    "two_layers_of_128": {"hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512},
    "three_layers_of_384": {
        "num_hidden_layers": 3,
        "hidden_size": 384,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    },
    "heads_of_12": {"num_hidden_layers": 1, "hidden_size": 36, "num_attention_heads": 3, "type_vocab_size": 3},
    "relu": {"hidden_act": "relu"},
}
SHAPES = cells(SHAPES, "heads_of_12")


def saved(outcome):
    return LoadedSavedModel(outcome.last["targets"][0]["path"])


def same_bytes(one, other):
    return all((one / file).read_bytes() == (other / file).read_bytes() for file in FILES)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_saved_model_of_any_shape_is_read_back_and_answers_like_numpy(bertbuild, session_folder, shape):
    config = CONFIG | SHAPES[shape]
    narrower = (CONFIG["hidden_size"] / config["hidden_size"]) ** 0.5  # so that no layer saturates
    tensors = {
        name: value * np.float32(narrower) if name.endswith("kernel") else value
        for name, value in weights(config, seed=8).items()
    }
    folder = write_google(session_folder / f"ready_{shape}", tensors, config=config)
    words = ("export", "--checkpoint", folder, "--output", "pooled,sequence")
    exported = bertbuild.ok(*words).last["targets"][0]["path"]
    built = bertbuild.ok("neuron-ready", "--saved-model", exported, "--name", f"back_{shape}", "--compute", "float32")
    verdict = built.verdict("neuron-ready-float32")
    assert verdict["passed"]
    assert verdict["skipped"] == []
    assert all(row["max_abs"] <= 1e-5 for row in verdict["rows"] if row["output"] == "pooled_output")
    form = "relu" if shape == "relu" else "erf"
    bert = NumpyBert(tensors, heads=config["num_attention_heads"], activation=form)
    wanted = bert.answer(bertbuild.probes(f"back_{shape}", "neuron-ready-float32")["b4_s128"])
    answers = bertbuild.answers(f"back_{shape}", "neuron-ready-float32")
    assert np.abs(answers["b4_s128/pooled_output"] - wanted["pooled_output"]).max() < 2e-5
    real = bertbuild.probes(f"back_{shape}", "neuron-ready-float32")["b4_s128"]["input_mask"].astype(bool)
    assert np.abs(answers["b4_s128/sequence_output"] - wanted["sequence_output"])[real].max() < 1e-4


def test_checkpoint_and_saved_model_give_one_model_bit_for_bit(bertbuild, tiny_ready, tiny_exported):
    (exported,), (direct,) = tiny_exported.last["targets"], tiny_ready.last["targets"]
    built = bertbuild.ok("neuron-ready", "--saved-model", exported["path"], "--name", "detour", "--compute", "float32")
    assert built.verdict("neuron-ready-float32")["passed"]
    assert built.last["targets"][0]["key"] != direct["key"]
    assert same_bytes(bertbuild.out("detour", "neuron-ready-float32"), bertbuild.out("tiny", "neuron-ready-float32"))


@pytest.mark.whole
def test_two_empty_stores_get_the_same_bytes(bertbuild, tiny, tiny_ready_half, tmp_path):
    again = Bertbuild(tmp_path / "artifacts").ok("neuron-ready", "--checkpoint", tiny)
    assert "neuron-ready" in again.ids("done")
    assert again.last["targets"][0]["key"] == tiny_ready_half.last["targets"][0]["key"]
    target = "neuron-ready-float16"
    assert same_bytes(bertbuild.out("tiny", target), tmp_path / "artifacts" / "out" / "tiny" / target)


def test_a_second_build_finds_all_done(bertbuild, tiny, tiny_ready_half):
    again = bertbuild.ok("neuron-ready", "--checkpoint", tiny)
    assert again.ids("started") == []
    assert again.last == tiny_ready_half.last


def test_the_source_is_asked_once_for_both_precisions(tiny_ready, tiny_ready_half):
    keys = {
        event["key"]
        for built in (tiny_ready, tiny_ready_half)
        for event in built.of("stage")
        if event["id"] == "reference"
    }
    assert len(keys) == 1


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 1e-5), ("float16", 1e-2)])
def test_any_batch_gets_what_numpy_computes_and_its_rows_what_they_get_alone(
    bertbuild, tiny_ready, tiny_ready_half, tiny_weights, tmp_path, dtype, limit
):
    assert {tiny_ready.code, tiny_ready_half.code} == {0}
    batches = [question(batch, LENGTH) for batch in BATCHES]
    alone = [{role: value[row : row + 1] for role, value in batches[-1].items()} for row in range(BATCHES[-1])]
    found = answer(bertbuild.out("tiny", f"neuron-ready-{dtype}"), tmp_path / "runs", [*batches, *alone])
    bert = NumpyBert(tiny_weights, heads=CONFIG["num_attention_heads"], activation="erf")
    for asked, answered in zip(batches, found, strict=False):
        wanted = bert.answer(asked)["probabilities"]
        assert answered["probabilities"].shape == wanted.shape
        assert np.abs(answered["probabilities"] - wanted).max() < limit
        assert (answered["probabilities"].argmax(axis=1) == wanted.argmax(axis=1)).all()
        assert np.abs(answered["probabilities"].sum(axis=1) - 1).max() < 1e-6, "the last softmax is of float32"
    rows = np.concatenate([answered["probabilities"] for answered in found[len(batches) :]])
    assert np.abs(rows - found[len(batches) - 1]["probabilities"]).max() < limit / 10


def test_half_precision_is_held_to_a_hundredth_and_to_the_same_class(tiny_ready_half):
    verdict = tiny_ready_half.verdict("neuron-ready-float16")
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"probabilities"}
    for row in verdict["rows"]:
        assert (row["limit"], row["argmax_limit"], row["argmax"]) == (1e-2, 1.0, 1.0)
    assert max(row["max_abs"] for row in verdict["rows"]) > 1e-5, "or nothing was rounded"


def test_a_pre_trained_checkpoint_gives_pooled_and_sequence_output(bertbuild, bare_ready_half):
    target = "neuron-ready-pooled+sequence-float16"
    verdict = bare_ready_half.verdict(target)
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"pooled_output", "sequence_output"}
    assert all(row["max_abs"] <= 1e-2 for row in verdict["rows"] if row["output"] == "pooled_output")
    answers = bertbuild.answers("bare", target)
    assert {value.dtype for value in answers.values()} == {np.dtype(np.float32)}


def test_a_length_and_an_output_of_ones_own(bertbuild, tiny):
    built = bertbuild.ok(
        *("neuron-ready", "--checkpoint", tiny, "--compute", "float32"),
        *("--seq-len", 40, "--output", "sequence,probabilities", "--batch-size", 2),
    )
    target = "neuron-ready-s40-sequence+probabilities-float32-b2"
    assert [found["target"] for found in built.last["targets"]] == [target]
    assert built.verdict(target)["passed"]
    found = saved(built)
    assert found.interface("inputs")["input_ids"] == ("int32", [None, 40])
    assert found.interface("outputs") == {
        "sequence_output": ("float32", [None, 40, CONFIG["hidden_size"]]),
        "probabilities": ("float32", [None, 3]),
    }
    assert found.signature["device"]["batch_size"] == 2
    assert set(found.signature["device"]["outputs"]) == {"sequence_output", "logits"}


@pytest.mark.whole
def test_one_of_the_outputs_of_a_saved_model(bertbuild, bare_exported):
    folder = bare_exported.last["targets"][0]["path"]
    built = bertbuild.ok("neuron-ready", "--saved-model", folder, "--output", "pooled", "--name", "bare-pooled")
    assert {row["output"] for row in built.verdict("neuron-ready-pooled-float16")["rows"]} == {"pooled_output"}


@pytest.mark.whole
def test_a_source_with_the_tanh_gelu_keeps_it(bertbuild, foreign):
    built = bertbuild.ok("neuron-ready", "--checkpoint", foreign / "meta_tanh", "--compute", "float32")
    assert built.verdict("neuron-ready-float32")["passed"]
    found = saved(built)
    assert found.signature["gelu"] == "tanh"
    assert found.compute_operators["Tanh"] == CONFIG["num_hidden_layers"] + 1
    assert "Erf" not in found.compute_operators


def test_an_exact_gelu_is_computed_exactly_and_an_activation_that_is_none_stays(bertbuild, tiny_ready, session_folder):
    assert saved(tiny_ready).compute_operators["Erf"] == CONFIG["num_hidden_layers"]
    config = CONFIG | {"hidden_act": "relu"}
    folder = write_google(session_folder / "rectified", weights(config, seed=3), config=config)
    built = bertbuild.ok("neuron-ready", "--checkpoint", folder, "--gelu-approximation", "sigmoid")
    assert built.verdict("neuron-ready-float16")["passed"], "its tolerances are those of what is computed"
    operators = saved(built).compute_operators
    assert operators["Relu"] == CONFIG["num_hidden_layers"]
    assert "Sigmoid" not in operators


GELU = {"exact": (), "tanh": ("--gelu-approximation", "tanh"), "sigmoid": ("--gelu-approximation", "sigmoid")}


@pytest.fixture(scope="module")
def minilm_ready(bertbuild):
    """all-MiniLM-L6-v2 made ready with each form of gelu, float32; and as it is by default."""
    built = {
        form: bertbuild.ok("neuron-ready", "--model", "minilm-l6", "--compute", "float32", *flags)
        for form, flags in GELU.items()
    }
    return {**built, "default": bertbuild.ok("neuron-ready", "--model", "minilm-l6")}


def worst(outcome, target, output="pooled_output"):
    return max(row["max_abs"] for row in outcome.verdict(target)["rows"] if row["output"] == output)


@pytest.mark.whole
def test_minilm_answers_like_its_source_in_both_precisions(minilm_ready):
    assert minilm_ready["exact"].verdict("neuron-ready-float32")["passed"]
    assert worst(minilm_ready["exact"], "neuron-ready-float32") <= 1e-5
    assert minilm_ready["default"].verdict("neuron-ready-float16")["passed"]
    assert 1e-5 < worst(minilm_ready["default"], "neuron-ready-float16") <= 1e-2


@pytest.fixture(scope="module")
def minilm_saved(minilm_ready):
    """The same as TensorFlow loads them."""
    return {form: saved(built) for form, built in minilm_ready.items()}


@pytest.mark.whole
def test_minilm_loses_more_than_a_quarter_of_its_operators(minilm_saved):
    for found in minilm_saved.values():
        counts = found.stage_facts["compute_operators"]
        assert counts["device"] < counts["neuron_ready"] <= 0.75 * counts["source"]


@pytest.mark.whole
def test_cheaper_forms_of_gelu_have_tolerances_and_names_of_their_own(bertbuild, minilm_ready):
    exact = bertbuild.answers("minilm-l6", "neuron-ready-float32")
    apart = {}
    for form in ("tanh", "sigmoid"):
        target = f"neuron-ready-{form}-float32"
        verdict = minilm_ready[form].verdict(target)
        assert verdict["passed"]
        assert verdict["precision"] == f"float32-{form}"
        assert min(row["limit"] for row in verdict["rows"] if " " not in row["probe"]) >= 1e-2
        answers = bertbuild.answers("minilm-l6", target)
        assert answers.keys() == exact.keys()
        apart[form] = max(float(np.abs(answers[name] - exact[name]).max()) for name in exact if "pooled" in name)
    assert 1e-5 < apart["tanh"] < apart["sigmoid"]


@pytest.mark.whole
def test_the_form_of_gelu_that_was_asked_for_is_computed(minilm_saved):
    operators = {form: minilm_saved[form].compute_operators for form in GELU}
    assert operators["exact"]["Erf"] == 6
    assert (operators["tanh"]["Tanh"], operators["sigmoid"]["Sigmoid"]) == (7, 6)
    assert "Erf" not in operators["tanh"]
    assert "Erf" not in operators["sigmoid"]


def test_verify_asks_source_and_target_again(bertbuild, tiny_ready, tiny_ready_half):
    assert {tiny_ready.code, tiny_ready_half.code} == {0}
    for built, target in ((tiny_ready, "neuron-ready-float32"), (tiny_ready_half, "neuron-ready-float16")):
        again = bertbuild.ok("verify", f"tiny/{target}")
        assert again.verdict(target)["rows"] == built.verdict(target)["rows"]
