"""ALBERT, as google-research/albert builds and names it (modeling.py, c21d8a36), and as brightmart/albert_zh does.

All layers share one set of variables, and the table of words is narrower than the hidden states.
"""

from __future__ import annotations

from bertbuild.families.scopes import Scopes

SCOPES = Scopes(
    embeddings="bert/embeddings",
    projection="bert/encoder/embedding_hidden_mapping_in",
    layer="bert/encoder/transformer/group_0/inner_group_0",
    query="attention_1/self/query",
    key="attention_1/self/key",
    value="attention_1/self/value",
    attended="attention_1/output/dense",
    attended_norm="LayerNorm",
    grown="ffn_1/intermediate/dense",
    shrunk="ffn_1/intermediate/output/dense",
    shrunk_norm="LayerNorm_1",
    pooler="bert/pooler/dense",
)
ALBERT_ZH = Scopes(
    embeddings="bert/embeddings",
    projected_words="bert/embeddings/word_embeddings_2",
    layer="bert/encoder/layer_shared",
    pooler="bert/pooler/dense",
)
"""albert_zh's own (modeling.py, 70db3e36): words alone are projected, and positions and types are as wide as H."""
