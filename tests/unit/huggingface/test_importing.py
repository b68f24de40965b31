"""What a folder's tensors become: names, prefixes, heads, dtypes, and what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from huggingface_folders import masked_lm, theirs, write
from tiny_models import weights

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.importing import import_tensors
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.weights import read_weights

POOLER = ("bert/pooler/dense/kernel", "bert/pooler/dense/bias")
HEAD = {"classifier.weight": np.ones((3, 32), np.float32), "classifier.bias": np.ones(3, np.float32)}
QUESTIONS = {"qa_outputs.weight": np.ones((2, 32), np.float32), "qa_outputs.bias": np.ones(2, np.float32)}


def imported(folder):
    files = find_files(folder)
    return import_tensors(read_settings(files.config), read_weights(files))


@pytest.fixture
def of(tmp_path):
    """Imports a folder with these tensors."""
    return lambda tensors, **options: imported(write(tmp_path / "hf", tensors, **options))


def refusal(call):
    with pytest.raises(CheckpointError) as raised:
        call()
    assert raised.value.next_step
    assert "\n" not in str(raised.value)
    return str(raised.value)


def same(found, wanted):
    assert found.numbers.keys() == wanted.keys()
    for name, value in wanted.items():
        numbers = found.numbers[name]
        assert numbers.dtype == np.float32
        assert numbers.flags.c_contiguous
        np.testing.assert_array_equal(numbers, value, err_msg=name)


@pytest.mark.parametrize("form", ["safetensors", "bin", "older", "sharded safetensors", "sharded bin", "sharded older"])
@pytest.mark.parametrize("prefix", ["", "bert.", "model.bert.", "0.auto_model.", "module.bert."])
def test_every_form_and_prefix_gives_googles_names_and_the_same_numbers(of, form, prefix):
    found = of(theirs(prefix=prefix, labels=3), form=form)
    same(found, weights(labels=3))
    assert found.left_out == {}
    odd = prefix not in ("", "bert.")
    assert list(found.notes) == ([f"the encoder is taken from the tensors {prefix}…"] if odd else [])


@pytest.mark.parametrize(("dtype", "change"), [("float16", "widened"), ("float64", "narrowed")])
def test_other_floats_become_float32_and_one_note_says_so(of, dtype, change):
    tensors = {name: value.astype(dtype) for name, value in theirs().items()}
    found = of(tensors)
    same(found, {name: value.astype(dtype).astype(np.float32) for name, value in weights().items()})
    assert list(found.notes) == [f"{len(tensors)} of {len(tensors)} tensors are {dtype}, {change} to float32"]


def test_brain_floats_become_float32(of):
    def halved(values):
        return (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)

    found = of({name: halved(value) for name, value in theirs().items()})
    same(found, {name: (halved(value).astype(np.uint32) << 16).view(np.float32) for name, value in weights().items()})
    assert found.notes[0].endswith("are bfloat16, widened to float32")


def test_names_of_the_first_releases_are_known(of):
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in theirs(prefix="bert.").items()
    }
    same(of(old, form="older"), weights())


def test_position_ids_are_left_out_as_harmless(of):
    ids = {"embeddings.position_ids": np.arange(160)[None], "embeddings.token_type_ids": np.zeros((1, 160), np.int64)}
    found = of(theirs(**ids))
    same(found, weights())
    assert found.left_out == {}
    assert set(found.derived) == set(ids)
    assert not found.notes


@pytest.mark.parametrize("architecture", ["BertForQuestionAnswering", "BertForMaskedLM", "BertForTokenClassification"])
def test_a_model_without_a_pooler_is_imported_without_one(of, architecture):
    without = ("bert.pooler.dense.weight", "bert.pooler.dense.bias")
    found = of(theirs(prefix="bert.", without=without), architectures=[architecture])
    same(found, {name: value for name, value in weights().items() if name not in POOLER})
    assert list(found.notes) == ["the model has no pooler, so it gives no pooled output"]


def test_half_a_pooler_is_none(of):
    assert "bert/pooler/dense/bias" in refusal(lambda: of(theirs(without=["pooler.dense.bias"])))


def test_the_heads_that_google_has_are_imported(of):
    tensors = theirs(prefix="bert.")
    next_sentence = {
        "cls.seq_relationship.weight": HEAD["classifier.weight"][:2],
        "cls.seq_relationship.bias": np.ones(2, np.float32),
    }
    found = of(tensors | QUESTIONS | next_sentence | masked_lm(tensors))
    assert sorted(found.numbers.keys() - weights().keys()) == [
        "cls/predictions/output_bias",
        "cls/predictions/transform/LayerNorm/beta",
        "cls/predictions/transform/LayerNorm/gamma",
        "cls/predictions/transform/dense/bias",
        "cls/predictions/transform/dense/kernel",
        "cls/seq_relationship/output_bias",
        "cls/seq_relationship/output_weights",
        "cls/squad/output_bias",
        "cls/squad/output_weights",
    ]
    dense = masked_lm(tensors)["cls.predictions.transform.dense.weight"]
    np.testing.assert_array_equal(found.numbers["cls/predictions/transform/dense/kernel"], dense.T)
    assert found.left_out == {}
    assert set(found.derived) == {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}


DECODER = "cls.predictions.decoder.weight"


def test_a_masked_lm_head_that_is_not_tied_has_a_table_of_its_own(of):
    tensors = theirs(prefix="bert.")
    head = masked_lm(tensors, tied=False)
    found = of(tensors | head, tie_word_embeddings=False)
    np.testing.assert_array_equal(found.numbers["cls/predictions/output_weights"], head[DECODER])
    assert found.left_out == {}
    assert found.derived == ("cls.predictions.decoder.bias",)
    assert found.notes == ()


def test_weights_that_are_tied_otherwise_than_config_json_says_are_refused(of):
    tensors = theirs(prefix="bert.")
    two = tensors | masked_lm(tensors, tied=False)
    for said in ({}, {"tie_word_embeddings": True}):
        message = refusal(lambda said=said: of(two, **said))
        assert message.startswith(f"{DECODER} is not bert.embeddings.word_embeddings.weight, and config.json says")
    none = {name: value for name, value in two.items() if name != DECODER}
    message = refusal(lambda: of(none, tie_word_embeddings=False))
    assert message.endswith("a table of its own (tie_word_embeddings false), and the weights have none.")
    one = tensors | masked_lm(tensors)
    assert "cls/predictions/output_weights" not in of(one, tie_word_embeddings=False).numbers  # two equal ones are one


def test_a_bias_that_is_not_tied_leaves_the_head_out(of):
    tensors = theirs(prefix="bert.")
    head = masked_lm(tensors) | {"cls.predictions.decoder.bias": masked_lm(tensors)["cls.predictions.bias"] + 1}
    (note,) = of(tensors | head).notes
    assert "its cls.predictions.decoder.bias is not tied to cls.predictions.bias" in note


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"architectures": ["BertForMultipleChoice"]}, "BertForMultipleChoice has another one"),
        ({"architectures": ["BertForSomethingElse"]}, "BertForSomethingElse has another one"),
        ({"problem_type": "ranking"}, "its problem_type is ranking, which is not known"),
        ({"problem_type": "regression"}, "its problem_type is regression, and it gives 3 numbers"),
    ],
)
def test_a_classifier_of_no_known_kind_is_left_out_by_name(of, settings, why):
    found = of(theirs(prefix="bert.") | HEAD, **settings)
    same(found, weights())
    assert set(found.left_out) == set(HEAD)
    assert found.head == {}
    (note,) = found.notes
    assert note.startswith("the classifier is left out: ")
    assert why in note


@pytest.mark.parametrize(
    ("labels", "settings", "kind", "why"),
    [
        (2, {"architectures": ["BertForSequenceClassification"]}, "classifier", "says BertForSequenceClassification"),
        (3, {"architectures": ["BertForTokenClassification"]}, "tokens", "says BertForTokenClassification"),
        (1, {"architectures": ["BertForSequenceClassification"]}, "regression", "of one label"),
        (1, {"problem_type": "regression"}, "regression", "has problem_type regression"),
        (3, {"problem_type": "multi_label_classification"}, "multi-label", "problem_type multi_label_classification"),
        (2, {"problem_type": "single_label_classification"}, "classifier", "problem_type single_label_classification"),
    ],
)
def test_config_json_tells_the_kind_of_a_classifier(of, labels, settings, kind, why):
    found = of(theirs(prefix="bert.", labels=labels), **settings)
    assert found.numbers.shape("output_weights") == (labels, 32)
    assert found.head["kind"] == kind
    assert found.head["why"].startswith("config.json ")
    assert found.head["why"].endswith(why)
    assert not found.notes


def test_a_classifier_of_an_unknown_class_is_imported_without_a_kind(of):
    found = of(theirs(prefix="bert.", labels=2), architectures=["MyClassifier"])
    assert "output_weights" in found.numbers
    assert found.head == {}


def test_labels_of_another_number_than_the_classifier_has_rows_are_refused(of):
    words = refusal(lambda: of(theirs(prefix="bert.", labels=2), id2label={"0": "a", "1": "b", "2": "c"}))
    assert words == "config.json names 3 labels (id2label), and classifier.weight has 2 rows."


def test_tensors_that_google_has_not_are_left_out_by_name(of):
    found = of(theirs(**{"2.linear.weight": np.ones((8, 32), np.float32), "dropout.mask": np.ones(3, np.float32)}))
    assert found.left_out == dict.fromkeys(
        ("2.linear.weight", "dropout.mask"), "google-research/bert has no such variable"
    )


def test_what_does_not_fit_config_json_is_refused_by_name(of):
    missing = "encoder.layer.1.output.dense.weight"
    assert "no bert/encoder/layer_1/output/dense/kernel" in refusal(lambda: of(theirs(without=[missing])))
    wrong = {"encoder.layer.0.intermediate.dense.weight": np.zeros((32, 48), np.float32)}
    said = refusal(lambda: of(theirs(**wrong)))
    assert "bert/encoder/layer_0/intermediate/dense/kernel has shape [48, 32], config.json wants [32, 64]" in said
    assert "layer_1" in refusal(lambda: of(theirs(), num_hidden_layers=1))
    assert "[60, 32]" in refusal(lambda: of(theirs(), vocab_size=61))
    whole = {"pooler.dense.bias": np.zeros(32, np.int64)}
    assert "bert/pooler/dense/bias has dtype int64" in refusal(lambda: of(theirs(**whole)))
    both = {"embeddings.LayerNorm.gamma": np.zeros(32, np.float32)}
    assert "two tensors that would be called bert/embeddings/LayerNorm/gamma" in refusal(lambda: of(theirs(**both)))


@pytest.mark.parametrize(
    ("names", "kin"),
    [
        (["roberta.embeddings.word_embeddings.weight"], "RoBERTa"),
        (["distilbert.embeddings.word_embeddings.weight"], "DistilBERT"),
        (["transformer.layer.0.attention.q_lin.weight", "embeddings.word_embeddings.weight"], "DistilBERT"),
        (["albert.embeddings.word_embeddings.weight"], "ALBERT"),
        (["electra.embeddings.word_embeddings.weight", "electra.embeddings_project.weight"], "ELECTRA"),
        (["deberta.embeddings.word_embeddings.weight", "deberta.encoder.rel_embeddings.weight"], "DeBERTa"),
        (["embeddings.word_embeddings.weight", "encoder.relative_attention_bias.weight"], "MPNet"),
        (["model.layers.0.mlp.Wi.weight"], "ModernBERT"),
    ],
)
def test_another_model_is_named_by_its_tensors(of, names, kin):
    tensors = {name: np.ones((2, 2), np.float32) for name in names}
    assert f"By the names of its tensors the model is {kin};" in refusal(lambda: of(tensors))


def test_no_encoder_and_two_encoders_are_told_apart(of):
    assert "hold no BERT encoder: none of their tensors (1)" in refusal(lambda: of({"x": np.ones(2, np.float32)}))
    two = theirs(prefix="query.bert.") | theirs(prefix="doc.bert.")
    assert "hold 2 encoders: doc.bert., query.bert." in refusal(lambda: of(two))


def test_an_index_that_does_not_say_where_tensors_lie_is_refused(tmp_path):
    folder = write(tmp_path / "hf", theirs(), form="sharded safetensors")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    name = next(iter(index["weight_map"]))
    index["weight_map"][name] = next(file for file in index["weight_map"].values() if file != index["weight_map"][name])
    path.write_text(json.dumps(index))
    assert f"says that {name} lies in" in refusal(lambda: imported(folder))
    (first, second) = sorted(folder.glob("*.safetensors"))
    second.write_bytes(first.read_bytes())
    assert "lies in both" in refusal(lambda: imported(folder))
