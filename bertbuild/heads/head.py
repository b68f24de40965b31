"""What a head declares. A new one is a module beside this one, a row in `rows.py`, and the stages that compute it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Tuple  # noqa: UP035  (evaluated by Python 3.7)

Shape = Tuple[int, ...]  # noqa: UP006

POOLED = "pooled"
SEQUENCE = "sequence"
LAYERS = "layers"
"""What of the encoder a head reads: the pooled output [B, H], the last hidden states [B, S, H], those of each layer."""

POOLER = "pooler"
"""What the pooler is called among the parts of a source: what reads the pooled output needs it."""


class Answer(NamedTuple):
    """What a model gives for each input."""

    output: str
    """What --output calls it: "pooled"."""
    tensor: str
    """Its name in signature.json and among a model's outputs: "pooled_output"; "{}" stands for the number of a layer,
    where there is one for each."""
    words: str
    """It in words, for messages: "pooled output"."""
    shape: str
    """"[B, H]": B batch, S sequence length, H hidden size, C classes."""
    tolerance: str
    """The column of the kinds' tolerances that it is held to; "hidden" is that of all hidden states."""
    usual: bool = False
    """Whether a model with this head gives it where nothing else is asked for."""
    exported: bool = True
    """Whether a SavedModel can give it."""
    published: str = ""
    """The tensor that gives it in the graphs of the repository the head comes from; empty where that is not told."""
    also: tuple[str, ...] = ()
    """What other programs call it."""


class Head(NamedTuple):
    """A head, or what the encoder itself gives.

    Names of variables are those of google-research/bert.
    """

    name: str
    reads: str
    """What of the encoder: one of those above."""
    answers: tuple[Answer, ...]
    of_encoder: bool = False
    """Whether it is the encoder's own, which no task has to be learnt for."""
    part: str = ""
    """What its variables are called among the parts of a source; empty where it has none of its own."""
    what: str = ""
    """Those in words."""
    scopes: tuple[str, ...] = ()
    """How the names of its variables begin."""
    mark: str = ""
    """The variable, or scope, that messages name."""
    last: tuple[str, str] = ("", "")
    """The weights and the bias of its last layer, among its variables or the encoder's."""
    own_table: str = ""
    """The weights of that layer where they are not the encoder's but the head's own."""
    variables: Callable[[int, int, int], dict[str, Shape]] = lambda _hidden, _vocab, _labels: {}
    """Hidden size, vocabulary size and labels → name → shape of its variables."""
    instead: str = ""
    """What to do where a model lacks it; empty: to use an output that needs none of it."""
    operators: Mapping[str, str] = {}
    """How it is recognised in a foreign graph: operator behind its dense layer → what that gives."""
    metric: str = ""
    """What it is judged by on a task's data."""

    family: str = ""
    """The family whose models alone have it; empty where a BERT may."""

    @property
    def parts(self) -> frozenset[str]:
        """The parts of a source that its answers are made of, besides the encoder."""
        return frozenset(filter(None, (self.part, POOLER if self.reads == POOLED else "")))

    @property
    def of_task(self) -> bool:
        """Whether it is what a model was trained for: its answers are what such a model gives."""
        return not self.of_encoder and any(answer.usual for answer in self.answers)
