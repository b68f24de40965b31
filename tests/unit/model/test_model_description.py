"""The description of a model, computed by NumPy, against a BERT written from the papers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_bert import NumpyBert
from numpy_operators import NumpyOperators

from bertbuild.families.bert import encoder_variables
from bertbuild.heads import masked_lm, replaced_token
from bertbuild.heads.found import BY_COLUMN, FoundHead
from bertbuild.heads.head import SEQUENCE
from bertbuild.heads.rows import HEADS
from bertbuild.model import encoder, heads, model

SIZES = {
    "hidden_size": 8,
    "intermediate_size": 12,
    "vocab_size": 30,
    "type_vocab_size": 2,
    "max_position_embeddings": 16,
    "num_hidden_layers": 2,
}
LABELS = {"classifier": 3, "multi-label": 4, "regression": 1, "tokens": 5, "span": 2, "next-sentence": 2}


@pytest.fixture(scope="module")
def tensors():
    random = np.random.default_rng(7)
    shapes = dict(encoder_variables(SIZES))
    for kind, labels in LABELS.items():
        shapes |= {f"{kind}/weights": (labels, 8), f"{kind}/bias": (labels,)}
    shapes |= {masked_lm.KERNEL: (8, 8), masked_lm.KERNEL_BIAS: (8,), "masked-lm/bias": (30,)}
    shapes |= {f"{replaced_token.DENSE}/kernel": (8, 8), f"{replaced_token.DENSE}/bias": (8,)}
    shapes |= {"replaced-token/weights": (8, 1), "replaced-token/bias": (1,)}
    shapes |= {masked_lm.GAMMA: (8,), masked_lm.BETA: (8,), "masked-lm/weights": (30, 8)}
    return {name: random.normal(0, 0.5, shape) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def inputs():
    random = np.random.default_rng(3)
    ids = random.integers(0, 30, (3, 6))
    mask = np.ones((3, 6))
    mask[1, 4:] = 0
    return {"input_ids": ids, "input_mask": mask, "segment_ids": random.integers(0, 2, (3, 6))}


def described(tensors, inputs, outputs, found=(), activation="erf"):
    ops = NumpyOperators(tensors)
    sizes = encoder.Sizes(layers=2, heads=2, hidden=8, activation=activation, epsilon=1e-12)
    return model.describe(ops, sizes, inputs, found, outputs), ops


def found(kind):
    return FoundHead(kind=kind, weights=f"{kind}/weights", bias=f"{kind}/bias", labels=0)


@pytest.mark.parametrize(("activation", "theirs"), [("erf", "erf"), ("tanh-gelu", "tanh"), ("relu", "relu")])
@pytest.mark.parametrize("outputs", [("pooled",), ("pooled", "sequence", "all-layers")])
def test_the_encoder_answers_as_the_papers_say(tensors, inputs, activation, theirs, outputs):
    answers, _ = described(tensors, inputs, outputs, activation=activation)
    expected = NumpyBert(tensors, heads=2, activation=theirs).answer(inputs)
    np.testing.assert_allclose(answers["pooled_output"], expected["pooled_output"], atol=1e-12)
    if "sequence" in outputs:
        np.testing.assert_allclose(answers["sequence_output"], expected["sequence_output"], atol=1e-12)
        for number in range(2):
            np.testing.assert_allclose(
                answers[f"layer_{number}_output"], expected[f"layer_{number}_output"], atol=1e-12
            )


@pytest.mark.parametrize("kind", heads.ANSWERS)
def test_a_head_answers_as_the_scripts_of_the_repository_do(tensors, inputs, kind):
    bert = NumpyBert(tensors, heads=2, activation="erf")
    expected = bert.answer(inputs)
    read = expected["sequence_output" if kind in heads.OF_SEQUENCE else "pooled_output"]
    if kind == "masked-lm":
        grown = bert.activation(bert.dense(read, masked_lm.DENSE))
        read = bert.norm(grown, masked_lm.LAYER_NORM.rpartition("/")[0])
    if kind == "replaced-token":
        read = bert.activation(bert.dense(read, replaced_token.DENSE))
    weights = tensors[f"{kind}/weights"]
    logits = read @ (weights if kind in BY_COLUMN else weights.T) + tensors[f"{kind}/bias"]
    powers = np.exp(logits)
    by_output = {
        "logits": logits,
        "probabilities": 1 / (1 + 1 / powers) if kind == "multi-label" else powers / powers.sum(-1, keepdims=True),
        "score": logits[..., 0],
        "start_logits": logits[..., 0],
        "end_logits": logits[..., -1],
        "masked-lm-logits": logits,
        "next-sentence-logits": logits,
        "replaced-token-logits": logits[..., 0],
    }
    outputs = tuple(heads.ANSWERS[kind])
    answers, _ = described(tensors, inputs, outputs, [found(kind)])
    assert tuple(answers) == tuple(name.replace("-", "_") for name in outputs)
    for name in outputs:
        np.testing.assert_allclose(answers[name.replace("-", "_")], by_output[name], atol=1e-12, err_msg=name)


def test_several_heads_are_one_model(tensors, inputs):
    outputs = ("start_logits", "score", "pooled")
    answers, _ = described(tensors, inputs, outputs, [found("regression"), found("span")])
    assert [answer.shape for answer in answers.values()] == [(3, 6), (3,), (3, 8)]


def test_only_what_is_needed_is_written(tensors, inputs):
    _, ops = described(tensors, inputs, ("sequence",), [found("regression")])
    assert not {name for name in ops.used if "pooler" in name or "regression" in name}
    _, ops = described(tensors, inputs, ("start_logits",), [found("span")])
    assert not {name for name in ops.used if "pooler" in name}


def test_an_output_of_no_head_is_an_error(tensors, inputs):
    with pytest.raises(LookupError, match="score"):
        described(tensors, inputs, ("score",), [found("span")])


def test_the_description_has_every_head_of_the_table_and_its_answers():
    of_heads = {row.name: row for row in HEADS.values() if not row.of_encoder}
    described = {kind: list(answers) for kind, answers in heads.ANSWERS.items()}
    assert described == {kind: [answer.output for answer in row.answers] for kind, row in of_heads.items()}
    assert set(heads.OF_SEQUENCE) == {kind for kind, row in of_heads.items() if row.reads == SEQUENCE}
