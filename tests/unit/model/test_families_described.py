"""ALBERT and ELECTRA described and computed by NumPy, against the papers' models with every layer spelt out."""

from __future__ import annotations

import family_models
import numpy as np
import pytest
from family_models import HEADS, LAYERS, H, NumpyFamily, values
from numpy_operators import NumpyOperators

from bertbuild.families.table import FAMILIES, family_of
from bertbuild.heads.found import FoundHead
from bertbuild.model import encoder, model

SHAPES = {
    "albert": family_models.albert_shapes() | family_models.masked_lm_shapes(),
    "albert-zh": family_models.albert_zh_shapes(),
    "electra": {name.replace("electra/", "bert/"): shape for name, shape in family_models.electra_shapes().items()},
}


@pytest.fixture(scope="module")
def inputs():
    random = np.random.default_rng(3)
    mask = np.ones((3, 6), np.int32)
    mask[1, 4:] = 0
    return {
        "input_ids": random.integers(0, family_models.V, (3, 6)),
        "input_mask": mask,
        "segment_ids": random.integers(0, 2, (3, 6)),
    }


def described(name, tensors, inputs, outputs, found=()):
    family = family_of(tensors, {})
    assert family is FAMILIES[name]
    sizes = encoder.Sizes(
        layers=LAYERS,
        heads=HEADS,
        hidden=H,
        activation="tanh-gelu",
        epsilon=1e-12,
        scopes=family.scopes,
        projected=bool(family.scopes.projection),
    )
    ops = NumpyOperators(tensors)
    return model.describe(ops, sizes, inputs, found, outputs), ops


@pytest.mark.parametrize("name", SHAPES)
def test_every_layer_is_what_the_papers_say(inputs, name):
    tensors = values(SHAPES[name])
    pooled = ("pooled",) if FAMILIES[name].scopes.pooler else ()
    answers, _ = described(name, tensors, inputs, (*pooled, "sequence", "all-layers"))
    reference = NumpyFamily(tensors, activation="tanh")
    layers = reference.layers(**inputs)
    np.testing.assert_allclose(answers["sequence_output"], layers[-1], atol=1e-11)
    for number, layer in enumerate(layers):
        np.testing.assert_allclose(answers[f"layer_{number}_output"], layer, atol=1e-11)
    if pooled:
        expected = np.tanh(reference.dense(layers[-1][:, 0], "bert/pooler/dense"))
        np.testing.assert_allclose(answers["pooled_output"], expected, atol=1e-11)


def test_pooled_alone_reads_every_variable_of_the_encoder(inputs):
    tensors = values(family_models.albert_shapes())
    _, ops = described("albert", tensors, inputs, ("pooled",))
    assert ops.used == set(tensors)


def test_the_masked_lm_of_an_albert_is_as_narrow_as_its_words(inputs):
    tensors = values(SHAPES["albert"])
    head = FoundHead("masked-lm", "bert/embeddings/word_embeddings", "cls/predictions/output_bias", 0)
    answers, _ = described("albert", tensors, inputs, ("masked-lm-logits",), (head,))
    reference = NumpyFamily(tensors, activation="tanh")
    expected = reference.of_head("masked-lm", None, reference.layers(**inputs)[-1])
    np.testing.assert_allclose(answers["masked_lm_logits"], expected["masked_lm_logits"], atol=1e-11)
