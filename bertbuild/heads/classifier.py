"""The classifier of run_classifier.py: softmax over a dense layer of the pooled output."""

from __future__ import annotations

from bertbuild.heads import head
from bertbuild.heads.found import FoundHead

PART = "classifier"
OUTPUT = "probabilities"
TENSOR = "probabilities"
WEIGHTS = "output_weights"
"""[C, H]"""
BIAS = "output_bias"
"""[C]"""
SCOPES = (WEIGHTS, BIAS)
LOGITS = head.Answer(
    output="logits",
    tensor="logits",
    words="logits",
    shape="[B, C]",
    tolerance="logits",
)
PROBABILITIES = head.Answer(
    output=OUTPUT,
    tensor=TENSOR,
    words="probabilities",
    shape="[B, C]",
    tolerance=TENSOR,
    usual=True,
    published="loss/Softmax:0",
)


def variables(hidden: int, _vocab: int, labels: int) -> dict[str, head.Shape]:
    """Those of run_classifier.py, which multi-label, regression and tokens have too."""
    return {WEIGHTS: (labels, hidden), BIAS: (labels,)}


HEAD = head.Head(
    name="classifier",
    reads=head.POOLED,
    part=PART,
    what="classifier head",
    scopes=SCOPES,
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=variables,
    instead="Use --output pooled, or a fine-tuned checkpoint.",
    operators={
        "Softmax": TENSOR,
        "Sigmoid": TENSOR,
        "LogSoftmax": "log_probabilities",
        "ArgMax": "classes",
    },
    metric="accuracy",
    answers=(LOGITS, PROBABILITIES),
)


def found(labels: int, why: str = "", *, assumed: bool = False) -> FoundHead:
    """The classifier with so many classes, under run_classifier.py's names."""
    return FoundHead(kind=HEAD.name, weights=WEIGHTS, bias=BIAS, labels=labels, why=why, assumed=assumed)
