import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import disagreements

CONFIG = config_from({"vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2}, name="bert_config.json")
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
    (problem,) = disagreements(CONFIG, shapes, dict.fromkeys(shapes, "float32"))
    assert problem == f"The checkpoint is of {kin}, a model of another build than BERT."


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
    problems = disagreements(CONFIG, shapes, dict.fromkeys(shapes, "float32"))
    assert (problems == [f"The checkpoint is of {kin}, a model of another build than BERT."]) == (kin is not None)


def test_a_bert_is_no_kin():
    shapes = {"bert/encoder/layer_0/attention/self/query/kernel": (8, 8)}
    assert all("of another build" not in problem for problem in disagreements(CONFIG, shapes, {}.fromkeys(shapes, "")))
