"""Every kind of head in TensorFlow 2: restored into its class, served, and brought back, compared with NumPy.

The stages run in one process. That the host asks them for all this, the tests of the plans tell; what the programs
`convert-tf2` and `convert-tf1` do from end to end, test_convert_tf2.py and test_convert_tf1.py.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import tf2_models
from backends import run as run_script
from matrix import cells
from numpy_bert import NumpyBert
from program import ROOT, arrays
from tf2_models import MASKED_LM, NEXT_SENTENCE, SQUAD, UNTIED
from tiny_models import CONFIG, weights, write_google

from bertbuild.checkpoint.training import sort_variables
from bertbuild.heads import classifier, masked_lm, next_sentence, span
from bertbuild.heads.found import FoundHead, as_parameter

SPAN = FoundHead("span", span.WEIGHTS, span.BIAS, 2)
WORDS = FoundHead("masked-lm", masked_lm.TIED_WEIGHTS, masked_lm.BIAS, CONFIG["vocab_size"])
OWN_WORDS = WORDS._replace(weights=masked_lm.UNTIED_WEIGHTS)
SENTENCES = FoundHead("next-sentence", next_sentence.WEIGHTS, next_sentence.BIAS, 2)


def of_classifier(kind, columns):
    return classifier.found(columns)._replace(kind=kind)


CASES = {
    "classifier": ("keras-bert", 3, (), [of_classifier("classifier", 3)]),
    "multi-label": ("keras-bert", 4, (), [of_classifier("multi-label", 4)]),
    "regression": ("keras-bert", 1, (), [of_classifier("regression", 1)]),
    "tokens": ("keras-bert", 9, (), [of_classifier("tokens", 9)]),
    "span": ("keras-bert", 0, SQUAD, [SPAN]),
    "pretraining": ("pretrainer", 0, (*MASKED_LM, *NEXT_SENTENCE), [WORDS, SENTENCES]),
    "own table": ("pretrainer", 0, UNTIED, [OWN_WORDS]),
    "next sentence": ("pretrainer", 0, NEXT_SENTENCE, [SENTENCES]),
    "names": ("keras-names", 9, (*UNTIED, *NEXT_SENTENCE), [of_classifier("tokens", 9), OWN_WORDS, SENTENCES]),
    "names of spans": ("keras-names", 0, (*SQUAD, *MASKED_LM), [SPAN, WORDS]),
}
"""Format, columns of output_weights, variables of other heads, the heads."""
CASES = cells(CASES, "multi-label", "regression", "tokens", "span", "names")
SERVED = cells(tuple(CASES), "names")
PROBE = "b3_s9"


def probes(folder):
    """A probes.json of one probe, three rows of nine tokens with and without padding; and its arrays."""
    chance = np.random.default_rng(1)
    mask = (np.arange(9) < np.array([[9], [5], [1]])).astype(np.int32)
    ids, segments = chance.integers(1, CONFIG["vocab_size"], mask.shape), chance.integers(0, 2, mask.shape)
    inputs = {"input_ids": ids * mask, "input_mask": mask, "segment_ids": segments * mask}
    path = folder / "probes.json"
    probe = {"name": PROBE, **{role: value.tolist() for role, value in inputs.items()}}
    path.write_text(json.dumps({"probes": [probe]}))
    return path, inputs


@pytest.fixture(scope="module")
def made(bertbuild, tmp_path_factory):
    """The folder with what the stages made of each case, the sources' tensors, and what they were asked."""
    assert bertbuild.artifacts
    out = tmp_path_factory.mktemp("heads")
    asked, inputs = probes(out)
    runs, sources = [], {}
    for name, (format_, columns, others, heads) in CASES.items():
        sources[name] = weights(seed=7, labels=columns) | tf2_models.heads(CONFIG, *others)
        folder = write_google(out / name / "source", sources[name])
        at = {step: out / name / step for step in ("converted", "answers", "back", "saved", "served", "back-saved")}
        told = as_parameter(heads)
        built = {"checkpoint": folder, "format": format_, "heads": told, "gelu": "erf"}
        runs.append(("convert_tf2", {**built, "out": at["converted"]}))
        runs.append(("infer", {"converted": at["converted"], "gelu": "erf", "probes": asked, "out": at["answers"]}))
        runs.append(("convert_tf1", {"tf2": at["converted"], "heads": told, "out": at["back"]}))
        if name in SERVED:
            runs.append(("saved_model", {"converted": at["converted"], "gelu": "erf", "out": at["saved"]}))
            runs.append(("infer", {"saved-model": at["saved"], "probes": asked, "out": at["served"]}))
            runs.append(("convert_tf1", {"tf2": at["saved"], "heads": told, "out": at["back-saved"]}))
    refused = run_script("tf2", "tf2_stages", root=ROOT, runs=runs)
    assert [(*run, why) for run, why in zip(runs, refused, strict=True) if why] == []
    return out, sources, inputs


def expected(tensors, inputs, heads):
    """What NumPy answers."""
    model = NumpyBert(tensors, heads=CONFIG["num_attention_heads"], activation="erf")
    answers = model.answer(inputs)
    kind = next((head.kind for head in heads if head.bias == classifier.BIAS), "classifier")
    hidden = {name: answers[name] for name in ("pooled_output", "sequence_output")}
    return hidden | model.answer_of_heads(inputs, kind)


@pytest.mark.parametrize("where", ["answers", "served"])
@pytest.mark.parametrize("name", CASES)
def test_every_head_answers_all_that_numpy_answers(made, name, where):
    out, sources, inputs = made
    if where == "served" and name not in SERVED:
        pytest.skip("served in the whole run alone")
    wanted = expected(sources[name], inputs, CASES[name][3])
    found = arrays(out / name / where / "answers.npz")
    together = {key.partition("/")[2]: value for key, value in found.items() if "/alone/" not in key}
    assert together.keys() == wanted.keys()
    for output, value in wanted.items():
        assert together[output].shape == value.shape, output
        assert np.abs(together[output] - value).max() < 2e-5, output
        assert np.abs(found[f"{PROBE}/alone/{output}"] - value).max() < 2e-5, output


CLASSES = {
    "tokens": "BertTokenClassifier",
    "span": "BertSpanLabeler",
    "masked-lm": "BertPretrainerV2",
    "next-sentence": "BertPretrainerV2",
}
"""Kind → class of the Model Garden, where it is no BertClassifier."""


@pytest.mark.parametrize("name", CASES)
def test_the_class_or_the_signature_that_answered_is_named(made, name):
    kinds = [head.kind for head in CASES[name][3]]
    (encoder, *rows) = json.loads((made[0] / name / "answers" / "reference.json").read_text())
    assert encoder["outputs"] == ["pooled_output", "sequence_output"]
    assert {row["what"] for row in rows} == {
        f"the Model Garden's {CLASSES.get(kind, 'BertClassifier')}" for kind in kinds
    }
    if name in SERVED:
        served = json.loads((made[0] / name / "served" / "reference.json").read_text())
        asked = {row["what"].replace("the given SavedModel's signature ", "") for row in served}
        assert asked == {"serving_default", *kinds}


@pytest.mark.parametrize("where", ["back", "back-saved"])
@pytest.mark.parametrize("name", CASES)
def test_every_head_comes_back_bit_for_bit_and_its_kind_with_it(made, name, where):
    out, sources, _ = made
    if where == "back-saved" and name not in SERVED:
        pytest.skip("served in the whole run alone")
    tensors = tf2_models.tensors(out / name / where / "bert_model.ckpt")
    wanted = {variable: sources[name][variable] for variable in sort_variables(sources[name]).model}
    assert tensors.keys() == wanted.keys()
    assert all(tensors[variable].tobytes() == value.tobytes() for variable, value in wanted.items())
    task = out / name / where / "task.json"
    kinds = [head.kind for head in CASES[name][3] if head.kind not in ("masked-lm", "next-sentence")]
    assert (json.loads(task.read_text())["head"] if task.exists() else None) == next(iter(kinds), None)


@pytest.mark.parametrize("name", SERVED)
def test_a_saved_model_tells_its_heads(made, name):
    signature = json.loads((made[0] / name / "saved" / "signature.json").read_text())
    assert [head["kind"] for head in signature["heads"]] == [head.kind for head in CASES[name][3]]


IRS = {
    "multi-label": ("", {"probabilities"}),
    "regression": ("", {"score"}),
    "tokens": ("logits,probabilities", {"logits", "probabilities"}),
    "span": ("", {"start_logits", "end_logits"}),
    "pretraining": ("masked-lm-logits,next-sentence-logits", {"masked_lm_logits", "next_sentence_logits"}),
    "pretraining, one head": ("next-sentence-logits", {"next_sentence_logits"}),
    "own pooled": ("pooled", {"pooled_output"}),
}
"""Case, or a classifier → --output, and what the gate compares."""


@pytest.mark.whole
@pytest.mark.parametrize("name", IRS)
def test_an_ir_by_way_of_the_saved_model_has_every_head(bertbuild, tmp_path, name):
    _, columns, others, heads = CASES.get(name.partition(",")[0], CASES["multi-label"])
    folder = write_google(tmp_path / "source", weights(seed=7, labels=columns) | tf2_models.heads(CONFIG, *others))
    if columns:
        (folder / "task.json").write_text(json.dumps({"head": heads[0].kind}))
    output, outputs = IRS[name]
    words = ("--route", "savedmodel", "--name", f"saved-{'-'.join(re.findall('[a-z]+', name))}")
    built = bertbuild.ok("build-ir", "--checkpoint", folder, *words, *(("--output", output) if output else ()))
    verdict = built.verdict(built.last["targets"][0]["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == outputs
    assert max(row["max_abs"] for row in verdict["rows"]) < 2e-5
