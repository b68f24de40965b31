"""A class for each token: softmax over a dense layer of each hidden state, as BERT-NER has it."""

from __future__ import annotations

from bertbuild.heads import classifier, head

HEAD = head.Head(
    name="tokens",
    reads=head.SEQUENCE,
    part="tokens",
    what="token head",
    scopes=classifier.SCOPES,
    mark=classifier.WEIGHTS,
    last=(classifier.WEIGHTS, classifier.BIAS),
    variables=classifier.variables,
    metric="entity_f1",
    answers=(
        classifier.LOGITS._replace(shape="[B, S, C]"),
        classifier.PROBABILITIES._replace(shape="[B, S, C]", published=""),
    ),
)
