"""ELECTRA, as google-research/electra builds it (model/modeling.py, 8a46635f): BERT's layers, and no pooler.

Its scopes are `electra` (the discriminator, and the embeddings) and `generator`. What is taken of a checkpoint is
written again under BERT's names (`checkpoint/reading.py`), so those are what stages see.
"""

from __future__ import annotations

from bertbuild.families.scopes import Scopes

SCOPES = Scopes(embeddings="bert/embeddings", projection="bert/embeddings_project", layer="bert/encoder/layer_%d")
DISCRIMINATOR = "electra"
GENERATOR = "generator"
"""The scopes of the two encoders; the generator has the discriminator's embeddings where it has none of its own."""
EMBEDDINGS = "embeddings/"
LAYERS = "encoder/layer_0/"
GENERATOR_HEAD = (
    ("generator_predictions/dense/", "cls/predictions/transform/dense/"),
    ("generator_predictions/LayerNorm/", "cls/predictions/transform/LayerNorm/"),
    ("generator_predictions/output_bias", "cls/predictions/output_bias"),
)
"""The beginnings of the names of its masked-LM head, and what BERT calls the same."""
