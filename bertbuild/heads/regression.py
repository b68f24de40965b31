"""A score: a dense layer of the pooled output with one column, and no activation."""

from __future__ import annotations

from bertbuild.heads import classifier, head

TENSOR = "score"

HEAD = head.Head(
    name="regression",
    reads=head.POOLED,
    part="regression",
    what="regression head",
    scopes=classifier.SCOPES,
    mark=classifier.WEIGHTS,
    last=(classifier.WEIGHTS, classifier.BIAS),
    variables=classifier.variables,
    metric="pearson",
    answers=(
        head.Answer(
            output="score",
            tensor=TENSOR,
            words="score",
            shape="[B]",
            tolerance="score",
            usual=True,
        ),
    ),
)
