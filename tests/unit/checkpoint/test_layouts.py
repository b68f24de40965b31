from __future__ import annotations

import pytest
from conftest import TINY
from some_heads import HEADS, MASKED_LM, NEXT_SENTENCE, SENTENCE_HEAD, SPAN, SPAN_HEAD, WORDS_HEAD, of_classifier

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.layouts import CLASS_OF_HEAD, FORMATS, HEADS_OF_FORMAT, layout, left_out
from bertbuild.checkpoint.object_graph import value_key
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.heads.rows import HEADS as TABLE
from bertbuild.kinds import tf2

CONFIG = config_from(TINY, name="tiny")
ENCODER = encoder_variables(CONFIG)
CLASSIFIER = of_classifier(3)
TRAINING = {"global_step": (), "beta1_power": (), **{f"{name}/adam_m": shape for name, shape in ENCODER.items()}}
EVERYTHING = {**ENCODER, **MASKED_LM, **NEXT_SENTENCE, **CLASSIFIER, **SPAN, **TRAINING}
ALL_HEADS = (*HEADS["classifier"][1], SPAN_HEAD, WORDS_HEAD, SENTENCE_HEAD)


def targets(format_, shapes, heads=ALL_HEADS):
    """Source → keys of its targets, without what all have at their end."""
    found = {}
    heads = [head for head in heads if head.bias in shapes]
    for place in layout(format_, CONFIG, shapes, heads).places:
        found.setdefault(place.source, set()).add(value_key(place.path).split("/.ATTRIBUTES")[0])
    return found


def test_the_formats_are_those_that_can_be_asked_for():
    assert tf2.FORMATS == FORMATS
    assert tf2.HEADS_OF_FORMAT == HEADS_OF_FORMAT


def test_every_head_of_the_table_has_a_class_and_a_format():
    kinds = {head.name for head in TABLE.values() if not head.of_encoder} - {"replaced-token"}  # ELECTRA's, not BERT's
    assert CLASS_OF_HEAD.keys() == kinds
    assert frozenset().union(*HEADS_OF_FORMAT.values()) == kinds
    assert {head.name for head in TABLE.values() if head.of_task} == tf2.OF_TASKS
    assert kinds - tf2.OF_TASKS == tf2.OF_PRETRAINING


@pytest.mark.parametrize("shapes", [ENCODER, EVERYTHING], ids=["encoder alone", "all heads, and what training keeps"])
@pytest.mark.parametrize("format_", FORMATS)
def test_every_variable_is_taken_or_left_out_for_a_reason(format_, shapes):
    taken = layout(format_, CONFIG, shapes, ALL_HEADS if shapes is EVERYTHING else ())
    sources = {place.source for place in taken.places}
    reasons = left_out(taken, shapes)
    assert sources >= ENCODER.keys()
    assert sources | reasons.keys() == shapes.keys()
    assert not sources & reasons.keys()
    assert all(place.source_shape == shapes[place.source] for place in taken.places)


@pytest.mark.parametrize("format_", ["encoder", "keras-bert", "pretrainer"])
def test_both_roots_serve(format_):
    assert set(layout(format_, CONFIG, ENCODER).roots) >= {"encoder", "model"}
    assert set(layout(format_, CONFIG, EVERYTHING, ALL_HEADS).roots) >= {"encoder", "model"}


def test_names_have_no_roots():
    assert layout("keras-names", CONFIG, EVERYTHING, ALL_HEADS).roots == ()


def test_the_model_of_the_encoder_format_is_the_encoder():
    assert layout("encoder", CONFIG, EVERYTHING, ALL_HEADS).aliases["model",] == ("encoder",)
    assert targets("encoder", EVERYTHING).keys() == ENCODER.keys()


def test_keras_bert_without_a_head_is_the_encoder_format():
    assert layout("keras-bert", CONFIG, ENCODER) == layout("encoder", CONFIG, ENCODER)


OUT_PROJ = "model/layer_with_weights-1/out_proj"
PLACED = {
    "classifier": (OUT_PROJ, "classifier"),
    "multi-label": (OUT_PROJ, "classifier"),
    "regression": (OUT_PROJ, "classifier"),
    "tokens": ("model/layer_with_weights-1", "classifier"),
    "span": ("model/layer_with_weights-1/layer_with_weights-0", "span_labeling"),
}
"""Kind → where its last layer lies, and the attribute by which the Model Garden's class knows the head."""


@pytest.mark.parametrize("kind", PLACED)
def test_keras_bert_with_a_head_is_the_model_of_its_class(kind):
    shapes, heads = HEADS[kind]
    key, attribute = PLACED[kind]
    taken = layout("keras-bert", CONFIG, {**ENCODER, **shapes}, heads)
    found = targets("keras-bert", {**ENCODER, **shapes}, heads)
    assert found[heads[0].weights] == {f"{key}/kernel"}
    assert found[heads[0].bias] == {f"{key}/bias"}
    assert taken.heads == heads
    assert taken.aliases["model", attribute] == ("model", "layer_with_weights-1")
    assert taken.aliases["model", "layer_with_weights-0"] == ("encoder",)
    assert taken.aliases["model", "_network"] == ("encoder",)
    assert ("model",) not in taken.aliases
    assert taken.roots == ("encoder", "model")


def test_the_classes_of_a_head_are_counted_by_its_bias():
    (head,) = HEADS["tokens"][1]
    taken = layout("keras-bert", CONFIG, {**ENCODER, **of_classifier(9)}, [head._replace(labels=0)])
    assert taken.heads == (head,)


def test_of_two_heads_for_tasks_keras_bert_has_the_first():
    taken = layout("keras-bert", CONFIG, EVERYTHING, (SPAN_HEAD, *ALL_HEADS))
    assert taken.heads == (SPAN_HEAD,)
    assert "output_weights" not in {place.source for place in taken.places}


def test_the_pretrainer_has_the_heads_that_the_source_has():
    assert targets("pretrainer", ENCODER).keys() == ENCODER.keys()
    found = targets("pretrainer", {**ENCODER, **MASKED_LM})
    assert found.keys() == {*ENCODER, *MASKED_LM}
    assert found["cls/predictions/output_bias"] == {"masked_lm/output_bias.Sbias"}
    found = targets("pretrainer", {**ENCODER, **NEXT_SENTENCE})
    assert found["cls/seq_relationship/output_weights"] == {"model/classification_heads/0/out_proj/kernel"}
    taken = layout("pretrainer", CONFIG, EVERYTHING, ALL_HEADS)
    assert set(taken.roots) == {"encoder", "masked_lm", "model", "next_sentence.pooler_dense"}


def test_the_masked_lm_head_shares_the_word_embeddings():
    aliases = layout("pretrainer", CONFIG, {**ENCODER, **MASKED_LM}, [WORDS_HEAD]).aliases
    assert aliases["masked_lm", "embedding_table"] == ("encoder", "layer_with_weights-0", "embeddings")


def test_a_masked_lm_head_of_its_own_table_has_that_in_its_place():
    shapes, heads = HEADS["masked LM of its own table"]
    found = targets("pretrainer", {**ENCODER, **shapes}, heads)
    assert found["cls/predictions/output_weights"] == {"masked_lm/embedding_table"}
    assert ("masked_lm", "embedding_table") not in layout("pretrainer", CONFIG, {**ENCODER, **shapes}, heads).aliases


def test_the_next_sentence_head_has_the_pooler_as_its_own():
    """TensorFlow restores one Python object a node of the graph, and the head's inner layer is not the pooler."""
    found = targets("pretrainer", EVERYTHING)
    assert found["bert/pooler/dense/kernel"] == {
        "encoder/layer_with_weights-6/kernel",
        "model/classification_heads/0/dense/kernel",
    }
    aliases = layout("pretrainer", CONFIG, EVERYTHING, ALL_HEADS).aliases
    assert aliases["next_sentence.pooler_dense",] == ("model", "classification_heads", "0", "dense")


def test_names_keep_every_head_and_every_shape():
    taken = layout("keras-names", CONFIG, EVERYTHING, ALL_HEADS)
    assert taken.heads == ALL_HEADS
    assert {place.name for place in taken.places} >= {*MASKED_LM, *NEXT_SENTENCE, *CLASSIFIER, *SPAN}
    assert all(place.shape == place.source_shape and place.change == "as it is" for place in taken.places)
    assert not taken.object_based


def test_what_is_left_out_is_left_out_for_its_own_reason():
    shapes = {**EVERYTHING, "bert/encoder/extra": (1,)}
    reasons = left_out(layout("encoder", CONFIG, shapes), shapes)
    assert reasons["global_step"] == "counter of the training"
    assert reasons["beta1_power"] == "optimizer slot beta1_power"
    assert reasons["bert/pooler/dense/kernel/adam_m"] == "optimizer slot adam_m"
    assert {reasons[name] for name in (*MASKED_LM, *NEXT_SENTENCE, *CLASSIFIER, *SPAN)} == {"head"}
    assert reasons["bert/encoder/extra"] == "no variable of a BERT"
