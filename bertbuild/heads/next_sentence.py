"""The next-sentence head of run_pretraining.py. No model gives it unless it is asked for."""

from __future__ import annotations

from bertbuild.heads import head

PART = "next-sentence"
SCOPE = "cls/seq_relationship/"
WEIGHTS = "cls/seq_relationship/output_weights"
"""[2, H]"""
BIAS = "cls/seq_relationship/output_bias"
"""[2]"""

HEAD = head.Head(
    name="next-sentence",
    reads=head.POOLED,
    part=PART,
    what="next-sentence head",
    scopes=(SCOPE,),
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=lambda hidden, _vocab, _labels: {WEIGHTS: (2, hidden), BIAS: (2,)},
    metric="accuracy",
    answers=(
        head.Answer(
            output="next-sentence-logits",
            tensor="next_sentence_logits",
            words="next-sentence logits",
            shape="[B, 2]",
            tolerance="logits",
        ),
    ),
)
