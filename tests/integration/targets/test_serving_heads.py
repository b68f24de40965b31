"""SavedModels, and models for Neuron, of every head: they answer what NumPy computes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from backends import run as run_script
from compiled_models import CompiledModel
from matrix import WHOLE, cells
from numpy_bert import NumpyBert
from program import arrays
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration

HIDDEN, VOCABULARY, LENGTH = CONFIG["hidden_size"], CONFIG["vocab_size"], 32
HEADS = {
    "cls/squad/output_weights": (2, HIDDEN),
    "cls/squad/output_bias": (2,),
    "cls/predictions/transform/dense/kernel": (HIDDEN, HIDDEN),
    "cls/predictions/transform/dense/bias": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/gamma": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/beta": (HIDDEN,),
    "cls/predictions/output_bias": (VOCABULARY,),
    "cls/seq_relationship/output_weights": (2, HIDDEN),
    "cls/seq_relationship/output_bias": (2,),
}
OF_HEADS = ("logits", "probabilities", "start_logits", "end_logits", "masked-lm-logits", "next-sentence-logits")
OUTPUTS = ("pooled", "sequence", "all-layers", *OF_HEADS)
TENSORS = {"pooled_output", "sequence_output", "layer_0_output", "layer_1_output"} | {
    name.replace("-", "_") for name in OF_HEADS
}
ASKED = ("--seq-len", LENGTH, "--output", ",".join(OUTPUTS))
LIMITS = {"fp32": 2e-5, "float32": 2e-5, "float16": 5e-2}
FOREIGN = {
    "several_and_tags": ("tokens", {"logits", "start_logits", "end_logits"}),
    "words": ("", {"masked_lm_logits", "next_sentence_logits"}),
    "many_labels": ("multi-label", {"probabilities"}),
    "sts": ("regression", {"score"}),
    "sts_column": ("regression", {"score"}),
    "ner": ("tokens", {"probabilities"}),
    "squad": ("span", {"start_logits", "end_logits"}),
    "several": ("regression", {"score", "start_logits", "end_logits"}),
}
FOREIGN = cells(FOREIGN, "several_and_tags")
REFUSED = {
    "a_layer_more": (
        4,
        (),
        "probabilities is of no known head: another dense layer in front of it (projection/kernel)",
    ),
    "decoded": (2, ("--output", "logits"), "The SavedModel gives pooled, so logits cannot be compared with it."),
}


def numpy_answers(tensors, probe, kind="classifier", activation="erf"):
    bert = NumpyBert(tensors, heads=CONFIG["num_attention_heads"], activation=activation)
    return bert.answer_of_heads(probe, kind) | {
        name: value for name, value in bert.answer(probe).items() if name.endswith("_output")
    }


def largest(found, wanted, probe):
    """The largest difference; of what lies at a padding, none."""
    real = probe["input_mask"].astype(bool)
    off = np.abs(found - wanted)
    return off[real].max() if off.shape[:2] == real.shape else off.max()


@pytest.fixture(scope="module")
def every_tensor():
    chance = np.random.default_rng(6)
    heads = {
        name: (chance.standard_normal(shape) * 0.25 + name.endswith("gamma")).astype(np.float32)
        for name, shape in HEADS.items()
    }
    return weights(seed=4, labels=3) | heads


@pytest.fixture(scope="module")
def every(session_folder, every_tensor):
    """A checkpoint with a classifier, a span head, and both heads of pre-training."""
    return write_google(session_folder / "every_head", every_tensor)


@pytest.fixture(scope="module")
def built(bertbuild, every):
    """A function of a precision that gives the target with every output, built."""
    made = {}

    def build(precision):
        if precision not in made:
            words = ("export",) if precision == "fp32" else ("neuron-ready", "--compute", precision)
            made[precision] = bertbuild.ok(*words, "--checkpoint", every, *ASKED)
        return made[precision]

    return build


@pytest.mark.parametrize("precision", cells(("fp32", "float16", "float32"), "fp32", "float16"))
def test_all_heads_at_once_answer_what_numpy_computes(bertbuild, built, every_tensor, precision):
    outcome = built(precision)
    (target,) = outcome.last["targets"]
    verdict = outcome.verdict(target["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == TENSORS
    probe = bertbuild.probes("every_head", target["target"])["b4_s16"]
    answers, wanted = bertbuild.answers("every_head", target["target"]), numpy_answers(every_tensor, probe)
    off = {name: largest(answers[f"b4_s16/{name}"], wanted[name], probe) for name in TENSORS}
    assert {name: value for name, value in off.items() if value > LIMITS[precision]} == {}


KINDS = {
    "classifier": (3, {"logits", "probabilities"}),
    "multi-label": (3, {"logits", "probabilities"}),
    "regression": (1, {"score"}),
    "tokens": (9, {"logits", "probabilities"}),
}


@pytest.mark.whole
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", LIMITS)
def test_output_weights_are_of_the_head_that_is_named(bertbuild, session_folder, kind, precision):
    labels, outputs = KINDS[kind]
    name = f"serving_{kind}"
    tensors = weights(seed=5, labels=labels)
    if not (session_folder / name).exists():
        write_google(session_folder / name, tensors)
    words = ("export",) if precision == "fp32" else ("neuron-ready", "--compute", precision)
    outcome = bertbuild.ok(
        *(*words, "--checkpoint", session_folder / name, "--head", kind),
        *("--seq-len", LENGTH, "--output", ",".join(sorted(outputs))),
    )
    target = outcome.last["targets"][0]["target"]
    assert outcome.verdict(target)["passed"]
    probe = bertbuild.probes(name, target)["b4_s16"]
    answers, wanted = bertbuild.answers(name, target), numpy_answers(tensors, probe, kind)
    off = {output: largest(answers[f"b4_s16/{output}"], wanted[output], probe) for output in outputs}
    assert {output: value for output, value in off.items() if value > LIMITS[precision]} == {}


@pytest.mark.whole
@pytest.mark.parametrize("precision", LIMITS)
def test_a_masked_lm_with_a_table_of_its_own(bertbuild, session_folder, every_tensor, precision):
    name, table = (
        "serving_own_table",
        {"cls/predictions/output_weights": every_tensor["bert/embeddings/word_embeddings"]},
    )
    tensors = every_tensor | {variable: value[::-1].copy() for variable, value in table.items()}
    if not (session_folder / name).exists():
        write_google(session_folder / name, tensors)
    words = ("export",) if precision == "fp32" else ("neuron-ready", "--compute", precision)
    asked = ("--seq-len", LENGTH, "--output", "masked-lm-logits")
    outcome = bertbuild.ok(*words, "--checkpoint", session_folder / name, *asked)
    target = outcome.last["targets"][0]["target"]
    assert outcome.verdict(target)["passed"]
    probe = bertbuild.probes(name, target)["b4_s16"]
    wanted = numpy_answers(tensors, probe)["masked_lm_logits"]
    assert largest(bertbuild.answers(name, target)["b4_s16/masked_lm_logits"], wanted, probe) < LIMITS[precision]


def test_the_vocabulary_stays_on_the_host(built):
    (target,) = built("float16").last["targets"]
    device = json.loads((CompiledModel(target["path"]).folder / "signature.json").read_text())["device"]
    shapes = {name: port["shape"] for name, port in device["outputs"].items()}
    assert shapes["masked_lm_hidden"] == [-1, LENGTH, HIDDEN]
    assert not any(VOCABULARY in shape for shape in shapes.values())
    assert shapes["span_logits"] == [-1, LENGTH, 2]


@pytest.mark.whole
def test_all_heads_are_compiled_as_one(neuron, every, built):
    assert built("float16").code == 0
    compiled = CompiledModel(neuron.ok("neuron-compile", "--checkpoint", every, *ASKED).last["targets"][-1]["path"])
    assert len(compiled.neuron_ops) == 1
    assert set(compiled.interface("outputs")) == TENSORS
    assert set(compiled.neuron_op.numbers("output_batch_axis")) == {0}


@pytest.fixture(scope="module")
def foreign_models(session_folder, bertbuild):
    """SavedModels as others export them; see scripts/make_head_saved_models.py."""
    assert bertbuild.artifacts.is_dir()
    folder = session_folder / "head_saved_models"
    folder.mkdir()
    run_script(
        "tf1",
        "make_head_saved_models",
        out=folder,
        config=CONFIG,
        seed=3,
        names=[*FOREIGN, *(REFUSED if WHOLE else ())],
    )
    return folder


def under_googles_names(path):
    """The variables of a SavedModel, those of tf.layers.dense as run_classifier has them."""
    tensors = arrays(path)
    if "hidden2tag/kernel" in tensors:
        kernel, bias = tensors.pop("hidden2tag/kernel"), tensors.pop("hidden2tag/bias")
        tensors |= {"output_weights": kernel.T, "output_bias": bias}
    return tensors


@pytest.mark.parametrize("name", FOREIGN)
def test_a_saved_model_of_others_is_taken_for_what_its_graph_computes(bertbuild, foreign_models, name):
    kind, outputs = FOREIGN[name]
    outcome = bertbuild.ok("neuron-ready", "--saved-model", foreign_models / name, "--compute", "float32")
    (target,) = outcome.last["targets"]
    verdict = outcome.verdict(target["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == outputs
    probe = bertbuild.probes(name, target["target"])["b4_s16"]
    tensors = under_googles_names(foreign_models / f"{name}.npz")
    answers, wanted = bertbuild.answers(name, target["target"]), numpy_answers(tensors, probe, kind, "tanh")
    assert {name: largest(answers[f"b4_s16/{name}"], wanted[name], probe) < 2e-5 for name in outputs} == dict.fromkeys(
        outputs, True
    )


@pytest.mark.whole
@pytest.mark.parametrize("name", REFUSED)
def test_what_no_head_answers_is_refused_in_words(bertbuild, foreign_models, name):
    code, flags, sentence = REFUSED[name]
    error = bertbuild.refused("neuron-ready", "--saved-model", foreign_models / name, *flags, code=code)
    assert sentence in error["message"]
    assert error["next_step"]
