"""Names of BERT that stages know which compute nothing of it: a module of its own, so that an edit of the encoder's
variables (`bert.py`) does not change what those stages are made of.
"""

from __future__ import annotations

CONFIG_FILE = "bert_config.json"
OTHER_CONFIGS = ("albert_config*.json", "electra_config.json")
"""What other families call their configuration; stages read it as `CONFIG_FILE`."""
VOCAB_FILE = "vocab.txt"
OTHER_VOCAB = "vocab_chinese.txt"
"""What the archives of the Chinese ALBERTs call theirs."""
SCOPE = "bert/"
POOLER = ("bert/pooler/dense/kernel", "bert/pooler/dense/bias")
"""What pooled output and the classifier need; a model trained on words alone has none."""
POOLER_OUTPUT = "bert/pooler/dense/Tanh"
"""The node of modeling.py's graph that gives the pooled output."""
