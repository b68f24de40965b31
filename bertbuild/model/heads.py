"""What heads answer, by their kinds: the arithmetic of run_classifier.py, run_squad.py and run_pretraining.py (of
google-research/electra too).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bertbuild.heads import masked_lm, replaced_token
from bertbuild.heads.found import BY_COLUMN, FoundHead
from bertbuild.model import encoder
from bertbuild.model.operators import Operators, Value

OF_SEQUENCE = ("tokens", "span", "masked-lm", "replaced-token")
"""The kinds that read the hidden states of all positions; the others read the pooled output."""


def _as_it_is(_ops: Operators, logits: Value) -> Value:
    return logits


def _softmax(ops: Operators, logits: Value) -> Value:
    return ops.softmax(logits)


def _sigmoid(ops: Operators, logits: Value) -> Value:
    return ops.activation(logits, "sigmoid")


def _column(index: int) -> Callable[[Operators, Value], Value]:
    return lambda ops, logits: ops.column(logits, index)


ANSWERS: Mapping[str, Mapping[str, Callable[[Operators, Value], Value]]] = {
    "classifier": {"logits": _as_it_is, "probabilities": _softmax},
    "multi-label": {"logits": _as_it_is, "probabilities": _sigmoid},
    "regression": {"score": _column(0)},
    "tokens": {"logits": _as_it_is, "probabilities": _softmax},
    "span": {"start_logits": _column(0), "end_logits": _column(1)},
    "masked-lm": {"masked-lm-logits": _as_it_is},
    "next-sentence": {"next-sentence-logits": _as_it_is},
    "replaced-token": {"replaced-token-logits": _column(0)},
}
"""Kind → output → what makes it of the last layer's logits, [B, C] or [B, S, C]."""


def logits(ops: Operators, sizes: encoder.Sizes, head: FoundHead, values: Value) -> Value:
    """What the last layer of a head gives.

    Args:
        ops: the writer.
        sizes: of the model.
        head: its weights are [C, H], of `BY_COLUMN` [H, C].
        values: the pooled output [B, H], or the sequence output [B, S, H] where the kind is one of `OF_SEQUENCE`.

    Returns:
        [B, C] or [B, S, C].
    """
    if head.kind == "masked-lm":
        grown = ops.activation(encoder.dense(ops, masked_lm.DENSE, values), sizes.activation)
        values = encoder.layer_norm(ops, masked_lm.LAYER_NORM, grown, sizes.epsilon)
    if head.kind == "replaced-token":
        values = ops.activation(encoder.dense(ops, replaced_token.DENSE, values), sizes.activation)
    turned = head.kind not in BY_COLUMN
    return ops.add(ops.product(values, ops.variable(head.weights), transposed=turned), ops.variable(head.bias))
