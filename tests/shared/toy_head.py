"""A head that is not part of bertbuild, declared as one would be: a toy, for tests alone."""

from __future__ import annotations

from bertbuild.heads import head

WEIGHTS = "cls/toy/output_weights"

HEAD = head.Head(
    name="toy",
    reads=head.POOLED,
    part="toy",
    what="toy head",
    scopes=("cls/toy/",),
    mark=WEIGHTS,
    variables=lambda hidden, _vocab, _labels: {WEIGHTS: (2, hidden)},
    metric="laughs",
    answers=(
        head.Answer(
            output="smiles",
            tensor="toy_smiles",
            words="smiles",
            shape="[B, 2]",
            activation="Sigmoid",
            tolerance="probabilities",
            usual=True,
        ),
    ),
)
