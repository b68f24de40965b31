"""A classifier whose classes do not exclude each other: a sigmoid of each of its logits."""

from __future__ import annotations

from bertbuild.heads import classifier, head

HEAD = head.Head(
    name="multi-label",
    reads=head.POOLED,
    part="multi-label",
    what="multi-label head",
    scopes=classifier.SCOPES,
    mark=classifier.WEIGHTS,
    last=(classifier.WEIGHTS, classifier.BIAS),
    variables=classifier.variables,
    metric="macro_average_precision",
    answers=(classifier.LOGITS, classifier.PROBABILITIES._replace(published="loss/Sigmoid:0")),
)
