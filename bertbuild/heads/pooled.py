"""The pooler: a dense layer with tanh over the hidden state of the first token."""

from __future__ import annotations

from bertbuild.heads import head

PART = head.POOLER
OUTPUT = "pooled"
TENSOR = "pooled_output"
DENSE = "bert/pooler/dense"
KERNEL, BIAS = DENSE + "/kernel", DENSE + "/bias"

HEAD = head.Head(
    name="pooled",
    reads=head.SEQUENCE,
    of_encoder=True,
    part=PART,
    what="pooler",
    scopes=("bert/pooler/",),
    mark=DENSE,
    variables=lambda hidden, _vocab, _labels: {KERNEL: (hidden, hidden), BIAS: (hidden,)},
    answers=(
        head.Answer(
            output=OUTPUT,
            tensor=TENSOR,
            words="pooled output",
            shape="[B, H]",
            tolerance=TENSOR,
            usual=True,
            published="bert/pooler/dense/Tanh:0",
            also=("pooled", "pooler_output"),
        ),
    ),
)
