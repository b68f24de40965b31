"""The head of run_squad.py: a dense layer over each hidden state. Recognised; no output takes it."""

from __future__ import annotations

from bertbuild.heads import head

PART = "span"
SCOPE = "cls/squad/"
WEIGHTS = "cls/squad/output_weights"
"""[2, H]: start and end."""
BIAS = "cls/squad/output_bias"
"""[2]"""

HEAD = head.Head(
    name="span",
    reads=head.SEQUENCE,
    part=PART,
    what="span head",
    scopes=(SCOPE,),
    mark=WEIGHTS,
    last=(WEIGHTS, BIAS),
    variables=lambda hidden, _vocab, _labels: {WEIGHTS: (2, hidden), BIAS: (2,)},
)
