"""An ONNX graph written operator by operator, so that onnxruntime's optimizers know it as a BERT.

They fuse attention where the mask comes through two Unsqueezes and the scores through a Div; with one Unsqueeze, or a
Mul, they find none. Names are those of google-research/bert's graphs; constants are the checkpoint's variables.
"""

import numpy as np
from onnx import TensorProto, helper

from bertbuild.families import bert
from bertbuild.model.node_names import Names, scope_of, scope_of_two
from bertbuild.model.operators import Operators

BATCH, LENGTH = "batch", "sequence"
"""What the free axes are called."""


class Value(object):
    """A tensor of the graph: its name, the scope of what made it, and its sizes, a name for a free one."""

    def __init__(self, scope, name, shape):
        self.scope = scope
        self.name = name
        self.shape = shape


class Writer(Operators):
    """Writes ONNX operators.

    Attributes:
        inputs: int32 [batch, sequence] by their names.
        nodes: onnx.NodeProtos, in the order in which they compute.
        arrays: name of a constant → array; those of variables are views of the mapped checkpoint.
    """

    whole_attention = True

    def __init__(self, tensor, roles, batch, seq_len, half, unknown=None):
        """Begin a graph.

        Args:
            tensor: function of a variable's name → float32 array.
            roles: names of the inputs.
            batch: their first size, 0 where it is free.
            seq_len: their second one, likewise.
            half: whether variables are stored as float16, which is cast to float32 before they are used.
            unknown: the id that one outside the vocabulary is taken for, None where ids are taken as they are.
        """
        self._tensor = tensor
        self._unknown = unknown
        self._half = half
        self._names = Names()
        self._variables = {}
        self._constants = {}
        self._transposed = {}
        self.sizes = (batch or BATCH, seq_len or LENGTH)
        self.inputs = {role: Value("", role, self.sizes) for role in roles}
        self.nodes = []
        self.arrays = {}

    def graph(self, outputs, name):
        """The onnx.GraphProto that gives these tensors (dict of name → Value), without the values of its constants.

        A tensor under several names is given by an Identity under each.
        """
        for output, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value.name], [output], name=output))
        self._drop_unused(list(outputs))
        inputs = [self._port(role, TensorProto.INT32, value.shape) for role, value in self.inputs.items()]
        ends = [self._port(output, TensorProto.FLOAT, value.shape) for output, value in outputs.items()]
        return helper.make_graph(self.nodes, name, inputs, ends)

    def _port(self, name, dtype, shape):
        return helper.make_tensor_value_info(name, dtype, list(shape))

    def _drop_unused(self, outputs):
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                needed.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.arrays = {name: array for name, array in self.arrays.items() if name in needed}

    def variable(self, name):
        if name not in self._variables:
            array = self._tensor(name)
            scope = scope_of(name)
            read = name
            if self._half:
                self.arrays[name] = array.astype(np.float16)
                read = self._node(scope, "Cast", [name], array.shape, to=TensorProto.FLOAT).name
            else:
                self.arrays[name] = array
            self._variables[name] = Value(scope, read, array.shape)
        return self._variables[name]

    def rows(self, table, ids):
        ids = self._within(ids, table.shape[0], self._unknown)
        return self._node(table.scope, "Gather", [table.name, ids.name], (*ids.shape, table.shape[1]), axis=0)

    def rows_or_zero(self, table, ids):
        depth, width = table.shape
        ids = self._within(ids, depth, 0)
        inputs = [ids.name, self._constant([depth], np.int32), self._constant([0, 1], np.float32)]
        one_hot = self._node(table.scope, "OneHot", inputs, (*ids.shape, depth), axis=-1)
        return self._node(table.scope, "MatMul", [one_hot.name, table.name], (*ids.shape, width))

    def first_rows(self, table, like):
        length = self._node(table.scope, "Shape", [like.name], (1,), start=1, end=2)
        zero = self._constant([0])
        inputs = [table.name, zero, length.name, zero]
        return self._node(table.scope, "Slice", inputs, (like.shape[1], table.shape[1]))

    def first_position(self, values):
        inputs = [values.name, self._constant([0]), self._constant([1]), self._constant([1])]
        return self._node(values.scope, "Slice", inputs, (values.shape[0], 1, values.shape[2]))

    def without_position(self, values):
        shape = (values.shape[0], values.shape[2])
        return self._node(values.scope, "Squeeze", [values.name, self._constant([1])], shape)

    def column(self, values, index):
        inputs = [values.name, self._constant(index)]
        return self._node(values.scope, "Gather", inputs, values.shape[:-1], axis=-1)

    def mask_bias(self, mask, masked_out):
        scope, (batch, length) = bert.ENCODER.rstrip("/"), mask.shape
        read = self._node(scope, "Unsqueeze", [mask.name, self._constant([1])], (batch, 1, length))
        read = self._node(scope, "Unsqueeze", [read.name, self._constant([2])], (batch, 1, 1, length))
        read = self._node(scope, "Cast", [read.name], read.shape, to=TensorProto.FLOAT)
        left_out = self._node(scope, "Sub", [self._constant(1, np.float32), read.name], read.shape)
        bias = self._node(scope, "Mul", [left_out.name, self._constant(masked_out, np.float32)], read.shape)
        return Value("", bias.name, bias.shape)

    def split_heads(self, values, heads, size):
        batch, length, _ = values.shape
        inputs = [values.name, self._constant([0, 0, heads, size])]
        parted = self._node(values.scope, "Reshape", inputs, (batch, length, heads, size))
        return self._swapped(parted, (batch, heads, length, size))

    def merge_heads(self, values, width):
        batch, heads, length, size = values.shape
        swapped = self._swapped(values, (batch, length, heads, size))
        inputs = [swapped.name, self._constant([0, 0, width])]
        return self._node(values.scope, "Reshape", inputs, (batch, length, width))

    def product(self, left, right, transposed=False):
        is_variable = len(right.shape) == 2
        scope = right.scope if is_variable else scope_of_two(left.scope, right.scope)
        if is_variable and right.scope == bert.EMBEDDINGS:  # tied: the masked-LM head multiplies with them
            scope = scope_of(left.scope)
        if transposed:
            right = self._turned(right)
        return self._node(scope, "MatMul", [left.name, right.name], (*left.shape[:-1], right.shape[-1]))

    def add(self, left, right):
        scope = scope_of_two(left.scope, right.scope)
        if len(right.shape) == 1:  # a bias: behind the product, as the optimizers of the runtime look for it
            scope = right.scope
        return self._node(scope, "Add", [left.name, right.name], left.shape)

    def scale(self, values, factor):
        divisor = self._constant(np.float32(1 / factor), np.float32)
        return self._node(values.scope, "Div", [values.name, divisor], values.shape)

    def layer_norm(self, values, gamma, beta, epsilon):
        inputs = [values.name, gamma.name, beta.name]
        return self._node(gamma.scope, "LayerNormalization", inputs, values.shape, axis=-1, epsilon=epsilon)

    def activation(self, values, name):
        if name == "linear":
            return values
        kept = {"erf": {"approximate": "none"}, "tanh-gelu": {"approximate": "tanh"}}
        operator = "Gelu" if name in kept else {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[name]
        return self._node(values.scope, operator, [values.name], values.shape, **kept.get(name, {}))

    def softmax(self, values):
        return self._node(values.scope, "Softmax", [values.name], values.shape, axis=-1)

    def _within(self, ids, size, otherwise):
        """The ids, where the model is guarded with another in the place of each that a table of this size has not."""
        if self._unknown is None:
            return ids
        least = self._node("", "GreaterOrEqual", [ids.name, self._constant(0, np.int32)], ids.shape)
        most = self._node("", "Less", [ids.name, self._constant(size, np.int32)], ids.shape)
        is_row = self._node("", "And", [least.name, most.name], ids.shape)
        return self._node("", "Where", [is_row.name, ids.name, self._constant(otherwise, np.int32)], ids.shape)

    def _turned(self, value):
        """The value with its last two axes swapped; of a variable there is one."""
        if value.name not in self._transposed:
            order = [*range(len(value.shape) - 2), len(value.shape) - 1, len(value.shape) - 2]
            shape = tuple(value.shape[axis] for axis in order)
            turned = self._node(value.scope, "Transpose", [value.name], shape, perm=order)
            self._transposed[value.name] = turned
        return self._transposed[value.name]

    def _swapped(self, values, shape):
        return self._node(values.scope, "Transpose", [values.name], shape, perm=[0, 2, 1, 3])

    def _node(self, scope, operator, inputs, shape, **attributes):
        name = self._names.new(scope, operator)
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return Value(scope, name, tuple(shape))

    def _constant(self, value, dtype=np.int64):
        """The name of a small constant; of each there is one."""
        array = np.array(value, dtype)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._names.new("", "constant")
            self.arrays[self._constants[key]] = array
        return self._constants[key]
