import pytest

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import disagreements

CONFIG = config_from({"vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2}, name="bert_config.json")
KIN = {
    "ALBERT": "bert/encoder/transformer/group_0/inner_group_0/attention_1/self/query/kernel",
    "ELECTRA": "electra/encoder/layer_0/attention/self/query/kernel",
    "RoBERTa": "roberta/encoder/layer_0/attention/self/query/kernel",
    "XLNet": "model/transformer/layer_0/rel_attn/q/kernel",
}


@pytest.mark.parametrize("kin", KIN)
def test_a_model_of_berts_kin_is_named(kin):
    shapes = {"bert/embeddings/word_embeddings": (30, 8), KIN[kin]: (8, 8)}
    (problem,) = disagreements(CONFIG, shapes, dict.fromkeys(shapes, "float32"))
    assert problem == f"The checkpoint is of {kin}, a model of another build than BERT."


def test_a_bert_is_no_kin():
    shapes = {"bert/encoder/layer_0/attention/self/query/kernel": (8, 8)}
    assert all("of another build" not in problem for problem in disagreements(CONFIG, shapes, {}.fromkeys(shapes, "")))
