"""A head that a checkpoint was found to have, and how stages are told of it and of what it answers.

Python 3.7 of the standard library, and no import of the table: a stage that is told of heads by `--heads` carries this
module alone, so that a new row in the table changes no key.

`--heads` is `KIND:WEIGHTS:BIAS`, several with commas: `classifier:output_weights:output_bias`. KIND says what is
computed, WEIGHTS and BIAS are the names of its last layer's variables in the checkpoint. How many classes there are the
stage reads from the shape of the weights. The host gives only the heads that `--output` needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Tuple  # noqa: UP035  (evaluated by Python 3.7)

OF_ENCODER = {"pooled": "pooled_output", "sequence": "sequence_output", "all-layers": "layer_%d_output"}
"""What the encoder gives: what --output calls it → the name of its tensor; of all layers, one for each number."""

COLUMNS = {"regression": 1, "span": 2, "next-sentence": 2, "replaced-token": 1}
"""How many columns the last layers of heads of these kinds have; others have one for each class."""
BY_COLUMN = ("replaced-token",)
"""The kinds whose last layer's weights lie as [H, C]."""


class FoundHead(NamedTuple):
    """A head of a checkpoint, of a known kind."""

    kind: str
    """The name of a row of the table of heads: "classifier"."""
    weights: str
    """google-research/bert's name of its last layer's weights [C, H] (of `BY_COLUMN` [H, C]): "output_weights"."""
    bias: str
    """The same of its bias [C]."""
    labels: int
    """C: classes of a classifier, columns of others; the vocabulary of a masked LM."""
    why: str = ""
    """What tells the kind, for people: "the graph in the .meta gives a softmax of the pooled output"."""
    assumed: bool = False
    """Whether nothing tells the kind, and it is the usual one of these variables."""


def tensor_name(output: str) -> str:
    """The name of the tensor of what --output calls so: of a head its own name, with underscores."""
    return OF_ENCODER.get(output, output.replace("-", "_"))


def as_parameter(heads: Iterable[FoundHead]) -> str:
    """Heads as the value of `--heads`."""
    return ",".join(f"{head.kind}:{head.weights}:{head.bias}" for head in heads)


def from_parameter(text: str) -> Tuple[FoundHead, ...]:  # noqa: UP006
    """The heads that a value of `--heads` names; `labels` is 0, which the checkpoint knows.

    Raises:
        ValueError: it has another form.
    """
    found = []
    for part in filter(None, (text or "").split(",")):
        words = part.split(":")
        if len(words) != 3 or not all(words):
            raise ValueError(f"must be KIND:WEIGHTS:BIAS, several with commas (got {part})")
        found.append(FoundHead(kind=words[0], weights=words[1], bias=words[2], labels=0))
    return tuple(found)
