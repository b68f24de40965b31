"""The pooler: a dense layer with tanh over the hidden state of the first token."""

from __future__ import annotations

from bertbuild.families.bert import POOLER, POOLER_DENSE, POOLER_OUTPUT, POOLER_SCOPE
from bertbuild.heads import head

PART = "pooler"
OUTPUT = "pooled"
TENSOR = "pooled_output"

HEAD = head.Head(
    name="pooled",
    reads=head.SEQUENCE,
    of_encoder=True,
    part=PART,
    what="pooler",
    scopes=(POOLER_SCOPE,),
    mark=POOLER_DENSE,
    variables=lambda hidden, _vocab, _labels: dict(zip(POOLER, ((hidden, hidden), (hidden,)))),  # noqa: B905  (3.7)
    answers=(
        head.Answer(
            output=OUTPUT,
            tensor=TENSOR,
            words="pooled output",
            shape="[B, H]",
            activation="Tanh",
            tolerance=TENSOR,
            published=POOLER_OUTPUT + ":0",
            also=("pooled", "pooler_output"),
        ),
    ),
)
