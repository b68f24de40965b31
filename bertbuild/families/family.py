"""What a family of models declares. A new one is a module beside this one and a row in `rows.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Tuple  # noqa: UP035  (evaluated by Python 3.7)

Shape = Tuple[int, ...]  # noqa: UP006


class Family(NamedTuple):
    """A family of models whose checkpoints have the same build.

    The names of variables are those of the repository that the family comes from.
    """

    name: str
    """In one word: "bert"."""
    config_file: str
    """The file with a model's sizes, beside its checkpoint."""
    vocab_file: str
    """The file with the words of its tokenizer."""
    tokenizer: str
    """The kind of tokenizer."""
    scope: str
    """How the names of the encoder's variables begin."""
    sizes: tuple[str, ...]
    """The keys of the configuration that shape variables."""
    variables: Callable[[Mapping[str, int]], dict[str, Shape]]
    """Sizes by their keys → name → shape of the encoder's variables, all float32."""
    optional: tuple[str, ...]
    """Variables that a checkpoint may lack."""
