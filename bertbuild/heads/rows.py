"""The table of heads. What follows from it is in `answers.py`."""

from __future__ import annotations

from bertbuild.heads import (
    all_layers,
    classifier,
    masked_lm,
    next_sentence,
    pooled,
    sequence,
    span,
)
from bertbuild.heads.head import Head

HEADS: dict[str, Head] = {
    module.HEAD.name: module.HEAD
    for module in (pooled, sequence, all_layers, classifier, span, masked_lm, next_sentence)
}
