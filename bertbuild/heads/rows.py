"""The table of heads. What follows from it is in `answers.py`."""

from __future__ import annotations

from bertbuild.heads import (
    all_layers,
    classifier,
    masked_lm,
    multi_label,
    next_sentence,
    pooled,
    regression,
    replaced_token,
    sequence,
    span,
    tokens,
)
from bertbuild.heads.head import Head

HEADS: dict[str, Head] = {
    module.HEAD.name: module.HEAD
    for module in (
        pooled,
        sequence,
        all_layers,
        classifier,
        multi_label,
        regression,
        tokens,
        span,
        masked_lm,
        next_sentence,
        replaced_token,
    )
}
