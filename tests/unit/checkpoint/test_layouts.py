from __future__ import annotations

import pytest
from conftest import TINY

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.layouts import FORMATS, layout, left_out
from bertbuild.checkpoint.object_graph import value_key
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.kinds.tf2 import FORMATS as ASKED_FOR

CONFIG = config_from(TINY, name="tiny")
HIDDEN, WORDS = CONFIG.hidden_size, CONFIG.vocab_size
ENCODER = encoder_variables(CONFIG)
MASKED_LM = {
    "cls/predictions/transform/dense/kernel": (HIDDEN, HIDDEN),
    "cls/predictions/transform/dense/bias": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/beta": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/gamma": (HIDDEN,),
    "cls/predictions/output_bias": (WORDS,),
}
NEXT_SENTENCE = {"cls/seq_relationship/output_weights": (2, HIDDEN), "cls/seq_relationship/output_bias": (2,)}
CLASSIFIER = {"output_weights": (3, HIDDEN), "output_bias": (3,)}
SQUAD = {"cls/squad/output_weights": (2, HIDDEN), "cls/squad/output_bias": (2,)}
TRAINING = {"global_step": (), "beta1_power": (), **{f"{name}/adam_m": shape for name, shape in ENCODER.items()}}
EVERYTHING = {**ENCODER, **MASKED_LM, **NEXT_SENTENCE, **CLASSIFIER, **SQUAD, **TRAINING}


def targets(format_, shapes):
    """Source → keys of its targets, without what all have at their end."""
    found = {}
    for place in layout(format_, CONFIG, shapes).places:
        found.setdefault(place.source, set()).add(value_key(place.path).split("/.ATTRIBUTES")[0])
    return found


def test_the_formats_are_those_that_can_be_asked_for():
    assert ASKED_FOR == FORMATS


@pytest.mark.parametrize("shapes", [ENCODER, EVERYTHING], ids=["encoder alone", "all heads, and what training keeps"])
@pytest.mark.parametrize("format_", FORMATS)
def test_every_variable_is_taken_or_left_out_for_a_reason(format_, shapes):
    taken = layout(format_, CONFIG, shapes)
    sources = {place.source for place in taken.places}
    reasons = left_out(taken, shapes)
    assert sources >= ENCODER.keys()
    assert sources | reasons.keys() == shapes.keys()
    assert not sources & reasons.keys()
    assert all(place.source_shape == shapes[place.source] for place in taken.places)


@pytest.mark.parametrize("format_", ["encoder", "keras-bert", "pretrainer"])
def test_both_roots_serve(format_):
    assert set(layout(format_, CONFIG, ENCODER).roots) >= {"encoder", "model"}
    assert set(layout(format_, CONFIG, EVERYTHING).roots) >= {"encoder", "model"}


def test_names_have_no_roots():
    assert layout("keras-names", CONFIG, EVERYTHING).roots == ()


def test_the_model_of_the_encoder_format_is_the_encoder():
    assert layout("encoder", CONFIG, EVERYTHING).aliases["model",] == ("encoder",)
    assert targets("encoder", EVERYTHING).keys() == ENCODER.keys()


def test_keras_bert_without_a_head_is_the_encoder_format():
    assert layout("keras-bert", CONFIG, ENCODER) == layout("encoder", CONFIG, ENCODER)


@pytest.mark.parametrize(
    ("head", "keys"),
    [
        (CLASSIFIER, {"model/layer_with_weights-1/out_proj/kernel", "model/layer_with_weights-1/out_proj/bias"}),
        (
            SQUAD,
            {
                "model/layer_with_weights-1/layer_with_weights-0/kernel",
                "model/layer_with_weights-1/layer_with_weights-0/bias",
            },
        ),
    ],
    ids=["classifier", "squad"],
)
def test_keras_bert_with_a_head_is_the_model_of_the_legacy_programs(head, keys):
    taken = layout("keras-bert", CONFIG, {**ENCODER, **head})
    found = targets("keras-bert", {**ENCODER, **head})
    assert set().union(*(found[name] for name in head)) == keys
    assert taken.aliases["model", "layer_with_weights-0"] == ("encoder",)
    assert ("model",) not in taken.aliases
    assert taken.roots == ("encoder", "model")


def test_the_pretrainer_has_the_heads_that_the_source_has():
    assert targets("pretrainer", ENCODER).keys() == ENCODER.keys()
    found = targets("pretrainer", {**ENCODER, **MASKED_LM})
    assert found.keys() == {*ENCODER, *MASKED_LM}
    assert found["cls/predictions/output_bias"] == {"masked_lm/output_bias.Sbias"}
    found = targets("pretrainer", {**ENCODER, **NEXT_SENTENCE})
    assert found["cls/seq_relationship/output_weights"] == {"model/classification_heads/0/out_proj/kernel"}
    taken = layout("pretrainer", CONFIG, EVERYTHING)
    assert set(taken.roots) == {"encoder", "masked_lm", "model", "next_sentence.pooler_dense"}


def test_the_masked_lm_head_shares_the_word_embeddings():
    aliases = layout("pretrainer", CONFIG, {**ENCODER, **MASKED_LM}).aliases
    assert aliases["masked_lm", "embedding_table"] == ("encoder", "layer_with_weights-0", "embeddings")


def test_the_next_sentence_head_has_the_pooler_as_its_own():
    """TensorFlow restores one Python object a node of the graph, and the head's inner layer is not the pooler."""
    found = targets("pretrainer", EVERYTHING)
    assert found["bert/pooler/dense/kernel"] == {
        "encoder/layer_with_weights-6/kernel",
        "model/classification_heads/0/dense/kernel",
    }
    aliases = layout("pretrainer", CONFIG, EVERYTHING).aliases
    assert aliases["next_sentence.pooler_dense",] == ("model", "classification_heads", "0", "dense")


def test_names_keep_every_head_and_every_shape():
    taken = layout("keras-names", CONFIG, EVERYTHING)
    assert {place.name for place in taken.places} >= {*MASKED_LM, *NEXT_SENTENCE, *CLASSIFIER, *SQUAD}
    assert all(place.shape == place.source_shape and place.change == "as it is" for place in taken.places)
    assert not taken.object_based


def test_what_is_left_out_is_left_out_for_its_own_reason():
    shapes = {**EVERYTHING, "bert/encoder/extra": (1,)}
    reasons = left_out(layout("encoder", CONFIG, shapes), shapes)
    assert reasons["global_step"] == "counter of the training"
    assert reasons["beta1_power"] == "optimizer slot beta1_power"
    assert reasons["bert/pooler/dense/kernel/adam_m"] == "optimizer slot adam_m"
    assert {reasons[name] for name in (*MASKED_LM, *NEXT_SENTENCE, *CLASSIFIER, *SQUAD)} == {"head"}
    assert reasons["bert/encoder/extra"] == "no variable of a BERT"
