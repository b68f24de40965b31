"""Models of BERT's kin are named, whoever's fork they are of."""

import numpy as np
import pytest

from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.kin import kin as of_kin

KIN = (
    ("ALBERT", "bert/encoder/transformer/group_0/inner_group_0/attention_1/self/query/kernel"),
    ("ALBERT", "bert/encoder/layer_shared/attention/self/query/kernel"),
    ("ALBERT", "bert/embeddings/word_embeddings_2"),
    ("ALBERT", "bert/encoder/embedding_hidden_mapping_in/kernel"),
    ("ELECTRA", "electra/encoder/layer_0/attention/self/query/kernel"),
    ("ELECTRA", "generator/encoder/layer_0/attention/self/query/kernel"),
    ("ELECTRA", "discriminator_predictions/dense/kernel"),
    ("ELECTRA", "model/electra/embeddings_project/kernel"),
    ("NEZHA", "bert/encoder/layer_0/attention/self/relative_positions_embeddings"),
    ("DistilBERT", "tf_distil_bert_model/distilbert/transformer/layer_0/attention/q_lin/kernel"),
    ("DistilBERT", "distilbert/transformer/layer_0/sa_layer_norm/gamma"),
    ("DistilBERT", "transformer/layer_0/attention/k_lin/kernel"),
    ("RoBERTa", "roberta/encoder/layer_0/attention/self/query/kernel"),
    ("RoBERTa", "tf_xlm_roberta/xlm_roberta/encoder/layer_0/attention/self/query/kernel"),
    ("XLNet", "model/transformer/layer_0/rel_attn/q/kernel"),
    ("DeBERTa", "deberta/encoder/layer_0/attention/self/query_proj/kernel"),
    ("MobileBERT", "bert/encoder/layer_0/bottleneck/input/dense/kernel"),
)


@pytest.mark.parametrize(("kin", "name"), KIN)
def test_a_model_of_berts_kin_is_named(kin, name):
    shapes = {"bert/embeddings/word_embeddings": (30, 8), name: (8, 8)}
    assert of_kin(shapes) == kin


@pytest.mark.parametrize(
    ("kin", "positions", "types"), [("NEZHA", None, 2), ("RoBERTa", 514, 1), (None, 512, 1), (None, 514, 2)]
)
def test_kin_under_berts_own_names_is_told_by_its_tables(kin, positions, types):
    shapes = {
        "bert/embeddings/word_embeddings": (30, 8),
        "bert/embeddings/token_type_embeddings": (types, 8),
        "bert/encoder/layer_0/attention/self/query/kernel": (8, 8),
    }
    if positions:
        shapes["bert/embeddings/position_embeddings"] = (positions, 8)
    assert of_kin(shapes) == kin


def test_a_bert_is_no_kin():
    shapes = {"bert/encoder/layer_0/attention/self/query/kernel": (8, 8)}
    assert of_kin(shapes) is None


def test_an_albert_that_lacks_variables_is_judged_as_an_albert(make, tensors):
    shared = {name: value for name, value in tensors.items() if "/layer_" not in name}
    shared |= {"bert/encoder/layer_shared/output/dense/bias": np.zeros(8, np.float32)}
    (problem,) = inspect_checkpoint(make(shared)).problems
    assert problem.endswith("has no key embedding_size, the width of an ALBERT's table of words.")


def test_a_model_of_no_family_is_refused_by_its_name(make, tensors):
    extra = {"bert/encoder/layer_0/bottleneck/input/dense/kernel": np.zeros((8, 8), np.float32)}
    problems = inspect_checkpoint(make(tensors | extra)).problems
    assert problems == ("The checkpoint is of MobileBERT, a model of another build than BERT.",)
