"""The heads of a checkpoint, told by the names and shapes of its variables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Tuple  # noqa: UP035  (evaluated by Python 3.7)

from bertbuild.heads.found import FoundHead
from bertbuild.heads.head import Shape
from bertbuild.heads.rows import HEADS


def heads_named(shapes: Mapping[str, Shape]) -> Tuple[FoundHead, ...]:  # noqa: UP006
    """The heads whose variables are all there, each with as many axes as it should have, in the order of the table.

    Several kinds have the same variables: then it is the first of them in the table.

    Args:
        shapes: google-research/bert's name → shape of the variables of the encoder and heads.
    """
    found: dict[tuple[str, str], FoundHead] = {}
    for head in HEADS.values():
        expected = {} if head.of_encoder else head.variables(0, 0, 0)
        if expected and all(len(shapes.get(name, ())) == len(shape) for name, shape in expected.items()):
            weights, bias = head.last
            if head.own_table in shapes:
                weights = head.own_table
            labels = shapes[bias][0] if bias else 0
            why = f"its variables are called {head.mark}"
            found.setdefault(
                (weights, bias), FoundHead(kind=head.name, weights=weights, bias=bias, labels=labels, why=why)
            )
    return tuple(found.values())
