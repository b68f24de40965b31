"""Which variables are the BERT that is meant: scopes, heads, moving averages."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import tiny_tensors

from bertbuild.checkpoint.inspection import inspect_checkpoint, require_sound
from bertbuild.checkpoint.reading import Choice, read_names
from bertbuild.errors import CheckpointError

ENCODER = tiny_tensors()
HEAD = {"output_weights": np.ones((3, 8), np.float32), "output_bias": np.ones(3, np.float32)}
EMA = "/ExponentialMovingAverage"


def scoped(scope, tensors=ENCODER):
    """The encoder under another scope; "" is none at all."""
    start = f"{scope}/" if scope else ""
    return {start + name.removeprefix("bert/"): value for name, value in tensors.items()}


def averages(tensors=ENCODER, scope=""):
    return {f"{scope}{name}{EMA}": value * 2 for name, value in tensors.items()}


def only(sentences):
    assert len(sentences) == 1, sentences
    return sentences[0]


def test_googles_own_names_are_plain_and_nothing_is_said():
    reading = read_names(ENCODER | HEAD, Choice())
    assert (reading.scope, reading.plain, reading.told, reading.problems) == ("bert", True, (), ())
    assert reading.names == {name: name for name in ENCODER | HEAD}


@pytest.mark.parametrize("scope", ["module/bert", "model/bert", "encoder", "a/b/bert", ""])
def test_the_only_scope_is_taken_and_said(make, scope):
    inspection = inspect_checkpoint(make(scoped(scope) | HEAD))
    assert inspection.sound
    assert inspection.reading.scope == scope
    assert not inspection.plain
    assert "taken for bert/" in only(inspection.told)
    assert inspection.encoder.layers == 2
    assert inspection.heads.classifier_labels == 3
    assert inspection.encoder_parameters == sum(value.size for value in ENCODER.values())


def test_a_head_inside_the_scope_goes_with_it():
    inside = {f"model/{name}": value for name, value in HEAD.items()}
    reading = read_names(scoped("model/bert") | inside | HEAD, Choice())
    assert reading.names["output_weights"] == "model/output_weights"
    assert reading.left_out == tuple(HEAD)


@pytest.mark.parametrize("scopes", [("query/bert", "doc/bert"), ("bert", "teacher/bert"), ("bert", "")])
def test_two_encoders_are_listed_and_one_is_chosen(make, scopes):
    folder = make(scoped(scopes[0]) | scoped(scopes[1]) | HEAD)
    problem = only(inspect_checkpoint(folder).problems)
    assert problem.startswith("The checkpoint holds 2 encoders (")
    for scope in scopes:
        shown = scope or "."
        assert shown in problem
        inspection = require_sound(folder, choice=Choice(scope=shown))
        assert inspection.reading.scope == scope
        assert "Of 2 encoders the one of the scope" in inspection.warnings[0]
        assert inspection.encoder_parameters == sum(value.size for value in ENCODER.values())
    assert "--scope" in problem
    with pytest.raises(CheckpointError, match="2 encoders") as raised:
        require_sound(folder)
    assert "bertbuild inspect" in raised.value.next_step


def test_a_table_of_words_without_layers_is_no_encoder(make):
    other = {"entities/embeddings/word_embeddings": np.ones((9, 8), np.float32)}
    assert require_sound(make(ENCODER | other)).plain
    table = {"module/bert/embeddings/word_embeddings": ENCODER["bert/embeddings/word_embeddings"]}
    assert "are missing: " in only(inspect_checkpoint(make(table, name="cut")).problems)


def test_of_two_encoders_none_takes_the_head_that_stands_outside_both(make):
    folder = make(scoped("query/bert") | scoped("doc/bert") | HEAD)
    assert inspect_checkpoint(folder, choice=Choice(scope="query/bert")).heads.classifier_labels is None


def test_the_beginning_of_a_scope_names_it_where_it_names_one_alone():
    names = scoped("query/bert") | scoped("doc/bert") | scoped("doc/old/bert")
    assert read_names(names, Choice(scope="query")).scope == "query/bert"
    assert read_names(names, Choice(scope="query/bert/")).scope == "query/bert"
    for wrong in ("doc", "answer", "."):
        assert "holds no encoder of the scope" in only(read_names(names, Choice(scope=wrong)).problems)


def test_averages_alone_need_the_flag(make):
    folder = make(averages())
    assert "only as moving averages" in (problem := only(inspect_checkpoint(folder).problems))
    assert "--ema" in problem
    inspection = require_sound(folder, choice=Choice(ema=True))
    assert inspection.reading.averaged == 39
    assert inspection.parameters == sum(value.size for value in ENCODER.values())
    assert only(inspection.told) == "39 variables are taken from their moving averages."


def test_averages_beside_the_variables_are_said_and_taken_when_asked(make):
    folder = make(ENCODER | averages() | HEAD)
    plain = require_sound(folder)
    assert plain.plain
    assert only(plain.told) == "39 variables have a moving average too, which is not taken; --ema takes it."
    taken = require_sound(folder, choice=Choice(ema=True))
    assert only(taken.told).endswith("moving averages; 2 have none and are taken unchanged.")
    assert taken.reading.names["bert/pooler/dense/bias"] == f"bert/pooler/dense/bias{EMA}"
    assert taken.reading.names["output_bias"] == "output_bias"
    assert taken.parameters == plain.parameters


def test_averages_made_inside_a_scope_are_those_of_the_variables():
    reading = read_names(ENCODER | averages(scope="training/"), Choice(ema=True))
    assert reading.scope == "bert"
    assert reading.names["bert/pooler/dense/bias"] == f"training/bert/pooler/dense/bias{EMA}"


def test_averages_that_are_not_there_cannot_be_taken(tiny):
    problem = only(inspect_checkpoint(tiny, choice=Choice(ema=True)).problems)
    assert problem == "The checkpoint holds no moving averages (…/ExponentialMovingAverage); leave --ema out."


def test_buffers_that_hugging_faces_script_writes_are_no_variables(make):
    ids = {"bert/embeddings/position_ids": np.arange(12)[None]}
    inspection = inspect_checkpoint(make(ENCODER | ids))
    assert inspection.sound
    assert inspection.plain


def test_a_model_without_a_pooler_is_sound_and_told(make):
    inspection = inspect_checkpoint(make({name: value for name, value in ENCODER.items() if "pooler" not in name}))
    assert inspection.sound
    assert inspection.plain
    assert not inspection.pooler
    assert "no pooler" in only(inspection.warnings)
