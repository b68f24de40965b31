"""The operators that the description of a model is made of. A writer implements each with its framework's own."""

from __future__ import annotations

from typing import Any

Value = Any
"""A tensor of the graph that is written; its type is the writer's own. B is the batch, S the sequence length."""


class Operators:
    """What a writer gives. All numbers are float32 but for ids; axes are counted from 0.

    Attributes:
        whole_attention: whether attention is written over all positions even where the first alone is read behind it,
            for programs that look for it in that form.
    """

    whole_attention = False

    def variable(self, name: str) -> Value:
        """A variable of the checkpoint by its name, as a constant; the same constant each time it is asked for."""
        raise NotImplementedError

    def rows(self, table: Value, ids: Value) -> Value:
        """Rows of a table: [N, H], ids [B, S] → [B, S, H]."""
        raise NotImplementedError

    def rows_or_zero(self, table: Value, ids: Value) -> Value:
        """As `rows`, and zeros for an id that the table has no row for, as modeling.py's one-hot product gives."""
        raise NotImplementedError

    def first_rows(self, table: Value, like: Value) -> Value:
        """As many rows of a table as `like` [B, S, …] has positions: [N, H] → [S, H]."""
        raise NotImplementedError

    def first_position(self, values: Value) -> Value:
        """[B, S, H] → [B, 1, H]: the first position alone."""
        raise NotImplementedError

    def without_position(self, values: Value) -> Value:
        """[B, 1, H] → [B, H]."""
        raise NotImplementedError

    def column(self, values: Value, index: int) -> Value:
        """One column of the last axis: […, C] → […]."""
        raise NotImplementedError

    def mask_bias(self, mask: Value, masked_out: float) -> Value:
        """Mask [B, S] (1: read, 0: not) → what is added to scores: (1 - mask) · masked_out, [B, 1, 1, S]."""
        raise NotImplementedError

    def split_heads(self, values: Value, heads: int, size: int) -> Value:
        """[B, S, heads · size] → [B, heads, S, size]."""
        raise NotImplementedError

    def merge_heads(self, values: Value, width: int) -> Value:
        """[B, heads, S, size] → [B, S, heads · size]; `width` is heads · size."""
        raise NotImplementedError

    def product(self, left: Value, right: Value, transposed: bool = False) -> Value:
        """The matrix product over the last two axes; `transposed` swaps those of `right` first."""
        raise NotImplementedError

    def add(self, left: Value, right: Value) -> Value:
        """The sum, one broadcast to the other."""
        raise NotImplementedError

    def scale(self, values: Value, factor: float) -> Value:
        """The values times a number."""
        raise NotImplementedError

    def layer_norm(self, values: Value, gamma: Value, beta: Value, epsilon: float) -> Value:
        """Over the last axis: (x - mean) / √(variance + epsilon) · gamma + beta."""
        raise NotImplementedError

    def activation(self, values: Value, name: str) -> Value:
        """One of "erf" and "tanh-gelu" (the two forms of gelu), "relu", "tanh", "sigmoid", "linear"."""
        raise NotImplementedError

    def softmax(self, values: Value) -> Value:
        """Over the last axis."""
        raise NotImplementedError
