"""The heads of a tiny BERT for tests of TensorFlow 2's formats: their variables by name and shape, and their kinds."""

from __future__ import annotations

from conftest import TINY

from bertbuild.heads import classifier, masked_lm
from bertbuild.heads.found import FoundHead

HIDDEN, WORDS = TINY["hidden_size"], TINY["vocab_size"]
MASKED_LM = {
    "cls/predictions/transform/dense/kernel": (HIDDEN, HIDDEN),
    "cls/predictions/transform/dense/bias": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/beta": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/gamma": (HIDDEN,),
    "cls/predictions/output_bias": (WORDS,),
}
UNTIED = {**MASKED_LM, "cls/predictions/output_weights": (WORDS, HIDDEN)}
NEXT_SENTENCE = {"cls/seq_relationship/output_weights": (2, HIDDEN), "cls/seq_relationship/output_bias": (2,)}
SPAN = {"cls/squad/output_weights": (2, HIDDEN), "cls/squad/output_bias": (2,)}


def of_classifier(columns):
    """The variables that classifiers and their kin share."""
    return {"output_weights": (columns, HIDDEN), "output_bias": (columns,)}


def _of_classifier(kind, columns):
    return classifier.found(columns)._replace(kind=kind)


WORDS_HEAD = FoundHead("masked-lm", masked_lm.TIED_WEIGHTS, "cls/predictions/output_bias", WORDS)
UNTIED_HEAD = WORDS_HEAD._replace(weights="cls/predictions/output_weights")
SENTENCE_HEAD = FoundHead("next-sentence", "cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias", 2)
SPAN_HEAD = FoundHead("span", "cls/squad/output_weights", "cls/squad/output_bias", 2)

HEADS = {
    "no head": ({}, ()),
    "classifier": (of_classifier(3), (_of_classifier("classifier", 3),)),
    "multi-label": (of_classifier(4), (_of_classifier("multi-label", 4),)),
    "regression": (of_classifier(1), (_of_classifier("regression", 1),)),
    "tokens": (of_classifier(9), (_of_classifier("tokens", 9),)),
    "span": (SPAN, (SPAN_HEAD,)),
    "masked LM": (MASKED_LM, (WORDS_HEAD,)),
    "masked LM of its own table": (UNTIED, (UNTIED_HEAD,)),
    "next sentence": (NEXT_SENTENCE, (SENTENCE_HEAD,)),
    "both of pretraining": ({**MASKED_LM, **NEXT_SENTENCE}, (WORDS_HEAD, SENTENCE_HEAD)),
    "one of a task and both of pretraining": (
        {**of_classifier(3), **MASKED_LM, **NEXT_SENTENCE},
        (_of_classifier("classifier", 3), WORDS_HEAD, SENTENCE_HEAD),
    ),
}
"""Variables → shape, and the heads that they are."""
