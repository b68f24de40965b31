"""A head that is not part of bertbuild, declared as one would be: a toy, for tests alone."""

from __future__ import annotations

from bertbuild.heads import head

WEIGHTS = "cls/toy/output_weights"
BIAS = "cls/toy/output_bias"

HEAD = head.Head(
    name="toy",
    reads=head.POOLED,
    part="toy",
    what="toy head",
    scopes=("cls/toy/",),
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=lambda hidden, _vocab, _labels: {WEIGHTS: (2, hidden), BIAS: (2,)},
    metric="laughs",
    answers=(
        head.Answer(
            output="smiles",
            tensor="toy_smiles",
            words="smiles",
            shape="[B, 2]",
            tolerance="probabilities",
            usual=True,
        ),
    ),
)
