"""The activations of the intermediate layers, in the forms that take the compiler the fewest operators."""

import math

import tensorflow as tf


class Activation(object):
    """A function of any shape and float type, and the factor by which its argument is multiplied beforehand."""

    def __init__(self, function, factor):
        self.function = function
        self.factor = factor


TANH_OUTER = math.sqrt(2 / math.pi)
TANH_CUBIC = 0.044715


def gelu_erf(half):
    """The exact gelu of x = 2 · half: ½x · (1 + erf(x/√2)), https://arxiv.org/abs/1606.08415."""
    return half + half * tf.math.erf(half * math.sqrt(2.0))


def gelu_tanh(half):
    """Gelu by tanh of x = 2 · half: ½x · (1 + tanh(√(2/π) · (x + 0.044715·x³))), as modeling.py computes it."""
    inner = half * (tf.square(half) * (8 * TANH_OUTER * TANH_CUBIC) + 2 * TANH_OUTER)
    return half + half * tf.tanh(inner)


def gelu_sigmoid(x):
    """The crude gelu: x · sigmoid(1.702·x), up to 0.0207 from the exact one."""
    return x * tf.sigmoid(x * 1.702)


GELU = {
    "erf": Activation(gelu_erf, 0.5),
    "tanh": Activation(gelu_tanh, 0.5),
    "sigmoid": Activation(gelu_sigmoid, 1.0),
}


def activation(config, gelu):
    """The activation of a `_source.Config`; `gelu` is the form where it is a gelu."""
    if config.has_gelu:
        return GELU[gelu]
    return Activation(config.activation(None) or (lambda x: x), 1.0)
