"""An OpenVINO model written operator by operator; its constants share the memory of the arrays they are made of."""

import importlib

import numpy as np
import openvino

from bertbuild.model.operators import Operators


def _opset():
    try:
        return importlib.import_module("openvino.opset13")
    except ImportError:  # 2024
        return importlib.import_module("openvino.runtime.opset13")


op = _opset()


class Writer(Operators):
    """Writes with OpenVINO's opset 13.

    Attributes:
        inputs: Parameters of int32 [batch, seq_len] by their names.
    """

    def __init__(self, tensor, roles, batch, seq_len, unknown=None):
        """Begin a model.

        Args:
            tensor: function of a variable's name → array.
            roles: names of the inputs.
            batch: their first size, None where it is free.
            seq_len: their second one, likewise.
            unknown: the id that one outside the vocabulary is taken for, None where ids are taken as they are.
        """
        self._tensor = tensor
        self._unknown = unknown
        self._variables = {}
        shape = openvino.PartialShape([-1 if size is None else size for size in (batch, seq_len)])
        self.inputs = {role: op.parameter(shape, np.int32, name=role) for role in roles}
        for role, port in self.inputs.items():
            port.output(0).get_tensor().set_names({role})

    def model(self, outputs, name):
        """The model that gives these tensors: dict of name → Value."""
        results = []
        for output, value in outputs.items():
            named = value.output(0).get_tensor()
            if named.get_names():  # one tensor under two names: the last of all layers is the sequence output
                named.add_names({output})
                continue
            value.set_friendly_name(output)
            named.set_names({output})
            results.append(op.result(value))
        return openvino.Model(results, list(self.inputs.values()), name)

    def variable(self, name):
        if name not in self._variables:
            # Shared: the constant is a view of the mapped file until it is written.
            self._variables[name] = op.constant(self._tensor(name), shared_memory=True, name=name)
        return self._variables[name]

    def rows(self, table, ids):
        ids = self._within(ids, table.get_output_shape(0)[0], self._unknown)
        return op.gather(table, ids, np.int32(0))

    def rows_or_zero(self, table, ids):
        depth = table.get_output_shape(0)[0]
        ids = self._within(ids, depth, 0)
        one_hot = op.one_hot(ids, np.int32(depth), np.float32(1), np.float32(0), -1)
        return op.matmul(one_hot, table, False, False)

    def first_rows(self, table, like):
        length = op.gather(op.shape_of(like, "i32"), np.array([1], np.int32), np.int32(0))
        return op.slice(table, *(np.array([0], np.int32), length), np.array([1], np.int32), np.array([0], np.int32))

    def first_position(self, values):
        zero, one = np.array([0], np.int32), np.array([1], np.int32)
        return op.slice(values, zero, one, one, one)

    def without_position(self, values):
        return op.squeeze(values, np.int32(1))

    def column(self, values, index):
        return op.gather(values, np.int32(index), np.int32(-1))

    def mask_bias(self, mask, masked_out):
        read = op.convert(op.unsqueeze(mask, np.array([1, 2], np.int32)), "f32")
        return op.multiply(op.subtract(np.float32(1), read), np.float32(masked_out))

    def split_heads(self, values, heads, size):
        parted = op.reshape(values, np.array([0, 0, heads, size], np.int32), True)
        return op.transpose(parted, np.array([0, 2, 1, 3], np.int32))

    def merge_heads(self, values, width):
        return op.reshape(
            op.transpose(values, np.array([0, 2, 1, 3], np.int32)), np.array([0, 0, width], np.int32), True
        )

    def product(self, left, right, transposed=False):
        return op.matmul(left, right, False, transposed)

    def add(self, left, right):
        return op.add(left, right)

    def scale(self, values, factor):
        return op.multiply(values, np.float32(factor))

    def layer_norm(self, values, gamma, beta, epsilon):
        normed = op.mvn(values, np.array([-1], np.int32), True, epsilon, "inside_sqrt")
        return op.add(op.multiply(normed, gamma), beta)

    def activation(self, values, name):
        return {
            "erf": lambda: op.gelu(values, "erf"),
            "tanh-gelu": lambda: op.gelu(values, "tanh"),
            "relu": lambda: op.relu(values),
            "tanh": lambda: op.tanh(values),
            "sigmoid": lambda: op.sigmoid(values),
            "linear": lambda: values,
        }[name]()

    def softmax(self, values):
        return op.softmax(values, -1)

    def _within(self, ids, size, otherwise):
        """The ids, where the model is guarded with another in the place of each that a table of this size has not."""
        if self._unknown is None:
            return ids
        is_row = op.logical_and(op.greater_equal(ids, np.int32(0)), op.less(ids, np.int32(size)))
        return op.select(is_row, ids, np.int32(otherwise))
