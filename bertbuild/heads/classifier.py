"""The classifier of run_classifier.py: softmax over a dense layer of the pooled output."""

from __future__ import annotations

from bertbuild.heads import head, pooled
from bertbuild.heads.found import FoundHead

PART = "classifier"
OUTPUT = "probabilities"
TENSOR = "probabilities"
WEIGHTS = "output_weights"
"""[C, H]"""
BIAS = "output_bias"
"""[C]"""

HEAD = head.Head(
    name="classifier",
    reads=head.POOLED,
    part=PART,
    what="classifier head",
    scopes=(WEIGHTS, BIAS),
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=lambda hidden, _vocab, labels: {WEIGHTS: (labels, hidden), BIAS: (labels,)},
    needs=(pooled.PART,),
    instead=f"Use --output {pooled.OUTPUT}, or a fine-tuned checkpoint.",
    operators={
        "Softmax": TENSOR,
        "Sigmoid": TENSOR,
        "LogSoftmax": "log_probabilities",
        "ArgMax": "classes",
    },
    metric="accuracy",
    answers=(
        head.Answer(
            output=OUTPUT,
            tensor=TENSOR,
            words="probabilities",
            shape="[B, C]",
            activation="Softmax",
            tolerance=TENSOR,
            published="loss/Softmax:0",
        ),
    ),
)


def found(labels: int, why: str = "", *, assumed: bool = False) -> FoundHead:
    """The classifier with so many classes, under run_classifier.py's names."""
    return FoundHead(kind=HEAD.name, weights=WEIGHTS, bias=BIAS, labels=labels, why=why, assumed=assumed)
