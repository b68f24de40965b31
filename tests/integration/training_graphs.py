"""The training graphs that CI makes by google-research/bert's own programs and by forks' lines."""

from __future__ import annotations

from tiny_models import CONFIG

HEAD_CONFIG = {
    **CONFIG,
    "hidden_size": 16,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "initializer_range": 0.25,
}
KINDS = {
    "run-classifier": [("classifier",)],
    "run-squad": [("span",)],
    "run-pretraining": [("masked-lm",), ("next-sentence",)],
    "tokens": [("tokens",)],
    "multi-label": [("multi-label",)],
    "regression": [("regression",)],
}
UNKNOWN = {
    "crf": "a CRF behind it (transitions)",
    "multiple-choice": "a softmax over several rows, as BertForMultipleChoice has it",
}
HEAD_GRAPHS = [*KINDS, *UNKNOWN]
