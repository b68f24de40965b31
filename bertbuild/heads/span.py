"""The head of run_squad.py: a dense layer over each hidden state, whose two columns are start and end of an answer."""

from __future__ import annotations

from bertbuild.heads import head

PART = "span"
SCOPE = "cls/squad/"
WEIGHTS = "cls/squad/output_weights"
"""[2, H]: start and end."""
BIAS = "cls/squad/output_bias"
"""[2]"""
START, END = (
    head.Answer(
        output=f"{side}_logits",
        tensor=f"{side}_logits",
        words=f"{side} logits",
        shape="[B, S]",
        tolerance="logits",
        usual=True,
    )
    for side in ("start", "end")
)

HEAD = head.Head(
    name="span",
    reads=head.SEQUENCE,
    part=PART,
    what="span head",
    scopes=(SCOPE,),
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=lambda hidden, _vocab, _labels: {WEIGHTS: (2, hidden), BIAS: (2,)},
    instead="Use --output pooled, or a checkpoint that was fine-tuned on SQuAD.",
    metric="f1",
    answers=(START, END),
)
