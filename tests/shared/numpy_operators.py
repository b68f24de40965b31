"""The description of a model computed by NumPy in float64, as it is written: a writer that writes nothing."""

from __future__ import annotations

import numpy as np
from numpy_bert import ACTIVATIONS, softmax

from bertbuild.model.operators import Operators


class NumpyOperators(Operators):
    """Values are arrays; `used` are the variables that were asked for."""

    def __init__(self, tensors):
        self._tensors = tensors
        self.used = set()

    def variable(self, name):
        self.used.add(name)
        return np.asarray(self._tensors[name], np.float64)

    def rows(self, table, ids):
        return table[ids]

    def rows_or_zero(self, table, ids):
        return (
            np.eye(len(table))[np.clip(ids, 0, len(table) - 1)] * ((ids >= 0) & (ids < len(table)))[..., None] @ table
        )

    def first_rows(self, table, like):
        return table[: like.shape[1]]

    def first_position(self, values):
        return values[:, :1]

    def without_position(self, values):
        assert values.shape[1] == 1
        return values[:, 0]

    def column(self, values, index):
        return values[..., index]

    def mask_bias(self, mask, masked_out):
        return (1.0 - mask[:, None, None, :]) * masked_out

    def split_heads(self, values, heads, size):
        return values.reshape(*values.shape[:2], heads, size).transpose(0, 2, 1, 3)

    def merge_heads(self, values, width):
        merged = values.transpose(0, 2, 1, 3)
        return merged.reshape(*merged.shape[:2], width)

    def product(self, left, right, transposed=False):
        return left @ (right.swapaxes(-1, -2) if transposed else right)

    def add(self, left, right):
        return left + right

    def scale(self, values, factor):
        return values * factor

    def layer_norm(self, values, gamma, beta, epsilon):
        centred = values - values.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * gamma + beta

    def activation(self, values, name):
        others = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "linear": lambda x: x}
        return {**others, "erf": ACTIVATIONS["erf"], "tanh-gelu": ACTIVATIONS["tanh"], "relu": ACTIVATIONS["relu"]}[
            name
        ](values)

    def softmax(self, values):
        return softmax(values)
