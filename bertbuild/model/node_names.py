"""Names of nodes: below the scopes of variables, as the graphs of google-research/bert have them.

`bert/encoder/layer_0/attention/self/query/MatMul`, `bert/pooler/dense/Tanh`: a node is called by its operator, below
the scope of what it computes with.
"""

from __future__ import annotations

BARE = "loss"
"""The scope of what is computed with a variable that has none, as run_classifier.py has it for its head."""


class Names:
    """Names, each given once."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def new(self, scope: str, operator: str) -> str:
        """A name for a node of an operator, in a scope; a second one has the number 1 behind it."""
        name = f"{scope}/{operator}" if scope else operator
        count = self._given.get(name, 0)
        self._given[name] = count + 1
        return f"{name}_{count}" if count else name


def scope_of(variable: str) -> str:
    """The scope of a variable."""
    return variable.rpartition("/")[0] or BARE


def scope_of_two(left: str, right: str) -> str:
    """The scope of what is computed with two values: that of the left where the right has none or lies in it too.

    Two of different scopes belong to what has both: queries and keys to their attention.
    """
    return left if not right or right == left or right.startswith(left + "/") else left.rpartition("/")[0]
