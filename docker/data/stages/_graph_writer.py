"""A TensorFlow graph written operator by operator, as a converter likes it: every shape computed once.

Hidden states are matrices [B·S, H], as in google-research/bert's modeling.py, and get their three axes back where
something reads them so. Names are those of its graphs.
"""

import math

import numpy as np

from bertbuild.families import bert
from bertbuild.model.node_names import Names, scope_of, scope_of_two
from bertbuild.model.operators import Operators
from stages import _graphdef
from stages._graphdef import Node

FLOAT, INT = "float32", "int32"
ENCODER, POOLER = bert.ENCODER.rstrip("/"), bert.POOLER_SCOPE.rstrip("/")
TYPED = {"T": _graphdef.dtype(FLOAT)}


class Value(object):
    """A tensor of the graph.

    Attributes:
        scope: of what made it.
        full: the name of the node that has all its axes, None where there is none yet.
        matrix: the same of the node that has its last axis and one for all others, None likewise.
        leading: sizes before the last axis, of what can be either: "batch", "length" or a number; None of others.
        width: of the last axis.
        rank: of `full`.
    """

    def __init__(self, scope, full=None, matrix=None, leading=None, width=None, rank=None):
        self.scope = scope
        self.full = full
        self.matrix = matrix
        self.leading = leading
        self.width = width
        self.rank = rank or len(leading) + 1

    @property
    def shape(self):
        """Of an output: sizes, -1 for one that is free."""
        sizes = [-1 if isinstance(size, str) else size for size in self.leading]
        return sizes if self.width is None else [*sizes, self.width]


class Writer(Operators):
    """Writes with TensorFlow 1.15's operators.

    Attributes:
        inputs: placeholders of int32 [batch, length] by their names.
    """

    def __init__(self, tensor, roles):
        """Args: function of a variable's name → array; names of the inputs."""
        self._tensor = tensor
        self._nodes = {}
        self._names = Names()
        self._constants = {}
        self._sizes = {}
        self._variables = {}
        self.inputs = {}
        for role in roles:
            kept = {"dtype": _graphdef.dtype(INT), "shape": _graphdef.shape([None, None])}
            self.inputs[role] = Value("", self._keep(Node(role, "Placeholder", (), kept)), rank=2)

    def ends(self, outputs):
        """The names of the nodes that give these outputs; each is read by no other, as converters want it.

        Args:
            outputs: dict of name → Value.

        Returns:
            dict of name → name of its node.
        """
        full = {name: self._full(value) for name, value in outputs.items()}
        read = {name for node in self._nodes.values() for name in node.inputs}
        several = [node for node in full.values() if list(full.values()).count(node) > 1]
        return {
            name: self._keep(Node(name, "Identity", (node,), TYPED)) if node in read or node in several else node
            for name, node in full.items()
        }

    def nodes(self, ends):
        """The nodes that these need, and the inputs, each behind those that it reads; `ends` are names."""
        needed, waiting = set(self.inputs), list(ends)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += [read.partition(":")[0] for read in self._nodes[name].inputs]
        return [node for name, node in self._nodes.items() if name in needed]

    def variable(self, name):
        if name not in self._variables:
            array = self._tensor(name)
            self._keep(Node(name, "Const", array=array))
            self._variables[name] = Value(scope_of(name), name, width=array.shape[-1], rank=array.ndim)
        return self._variables[name]

    def rows(self, table, ids):
        types = {"Tindices": INT, "Tparams": FLOAT, "Taxis": INT}
        kept = {name: _graphdef.dtype(kind) for name, kind in types.items()}
        kept["batch_dims"] = _graphdef.number(0)
        found = self._add(table.scope, "GatherV2", [table.full, ids.full, self._constant(0)], kept)
        return Value(table.scope, found, leading=("batch", "length"), width=table.width)

    def rows_or_zero(self, table, ids):
        flat = self._reshaped(table.scope, ids.full, self._constant([-1]), INT)
        depth = self._nodes[table.full].array.shape[0]
        kept = {"T": _graphdef.dtype(FLOAT), "TI": _graphdef.dtype(INT), "axis": _graphdef.number(-1)}
        inputs = [flat, self._constant(depth), self._constant(1.0), self._constant(0.0)]
        one_hot = self._add(table.scope, "one_hot", inputs, kept, "OneHot")
        found = self._matmul(table.scope, one_hot, table.full, False)
        return Value(table.scope, matrix=found, leading=("batch", "length"), width=table.width)

    def first_rows(self, table, like):  # noqa: ARG002 - all inputs have one length
        size = self._packed(table.scope, [self._size("length"), self._constant(-1)])
        kept = {"T": _graphdef.dtype(FLOAT), "Index": _graphdef.dtype(INT)}
        found = self._add(table.scope, "Slice", [table.full, self._constant([0, 0]), size], kept)
        return Value(table.scope, found, width=table.width, rank=2)

    def first_position(self, values):
        inputs = [self._full(values), *(self._constant(place) for place in ([0, 0, 0], [0, 1, 0], [1, 1, 1]))]
        found = self._add(values.scope, "strided_slice", inputs, _slicing(begin=0b101, end=0b101), "StridedSlice")
        return Value(values.scope, found, leading=("batch", 1), width=values.width)

    def without_position(self, values):
        if values.matrix is None:
            kept = {**TYPED, "squeeze_dims": _graphdef.numbers([1])}
            values.matrix = self._add(POOLER, "Squeeze", [values.full], kept)
        return Value(values.scope, values.matrix, values.matrix, ("batch",), values.width)

    def column(self, values, index):
        last = len(values.leading)
        ends = [[0] * last + [index], [0] * last + [index + 1], [1] * (last + 1)]
        inputs = [self._full(values), *(self._constant(end) for end in ends)]
        others = (1 << last) - 1
        kept = _slicing(begin=others, end=others, shrunk=1 << last)
        found = self._add(values.scope, "strided_slice", inputs, kept, "StridedSlice")
        return Value(values.scope, found, leading=values.leading, rank=last)

    def mask_bias(self, mask, masked_out):
        scope = ENCODER
        sizes = [self._size("batch"), self._constant(1), self._constant(1), self._size("length")]
        shaped = self._reshaped(scope, mask.full, self._packed(scope, sizes), INT)
        kept = {"SrcT": _graphdef.dtype(INT), "DstT": _graphdef.dtype(FLOAT), "Truncate": _graphdef.truth(False)}
        read = self._add(scope, "Cast", [shaped], kept)
        left_out = self._add(scope, "sub", [self._constant(1.0), read], TYPED, "Sub")
        return Value("", self._add(scope, "mul", [left_out, self._constant(masked_out)], TYPED, "Mul"), rank=4)

    def split_heads(self, values, heads, size):
        shape = self._shape(ENCODER, (*values.leading, heads, size))
        parted = self._reshaped(values.scope, self._matrix(values), shape)
        return Value(values.scope, self._transposed(values.scope, parted), width=size, leading=values.leading, rank=4)

    def merge_heads(self, values, width):
        joined = self._transposed(values.scope, values.full)
        found = self._reshaped(values.scope, joined, self._constant([-1, width]))
        return Value(values.scope, matrix=found, leading=values.leading, width=width)

    def product(self, left, right, transposed=False):
        if right.full in self._variables:
            tied = right.scope == bert.EMBEDDINGS  # the word embeddings, which the masked-LM head multiplies with
            scope = scope_of(left.scope) if tied else right.scope
            found = self._matmul(scope, self._matrix(left), right.full, transposed)
            width = self._nodes[right.full].array.shape[0 if transposed else 1]
            return Value(scope, matrix=found, leading=left.leading, width=width)
        scope = scope_of_two(left.scope, right.scope)
        kept = {**TYPED, "adj_x": _graphdef.truth(False), "adj_y": _graphdef.truth(transposed)}
        found = self._add(scope, "MatMul", [left.full, right.full], kept, "BatchMatMulV2")
        return _of_heads(scope, found, left, right.width)

    def add(self, left, right):
        if right.rank == 1:
            kept = {**TYPED, "data_format": _graphdef.text("NHWC")}
            found = self._add(right.scope, "BiasAdd", [self._matrix(left), right.full], kept)
            return Value(right.scope, matrix=found, leading=left.leading, width=left.width)
        scope = scope_of_two(left.scope, right.scope)
        if left.rank == 3 and right.rank == 3:
            return self._like(left, scope, "add", "AddV2", self._matrix(left), self._matrix(right))
        found = self._add(scope, "add", [self._full(left), self._full(right)], TYPED, "AddV2")
        return Value(scope, found, leading=left.leading, width=left.width, rank=left.rank)

    def scale(self, values, factor):
        found = self._add(values.scope, "Mul", [values.full, self._constant(factor)], TYPED)
        return _of_heads(values.scope, found, values, values.width)

    def layer_norm(self, values, gamma, beta, epsilon):
        """As tf.contrib.layers.layer_norm computes it (moments, batch_normalization), in that order."""
        scope, given = gamma.scope, self._matrix(values)

        def write(name, op, *inputs):
            return self._add(scope, name, inputs, TYPED, op)

        mean = self._mean(scope, given)
        variance = self._mean(scope, write("moments/SquaredDifference", "SquaredDifference", given, mean))
        factor = write("batchnorm/Rsqrt", "Rsqrt", write("batchnorm/add", "AddV2", variance, self._constant(epsilon)))
        factor = write("batchnorm/mul", "Mul", factor, gamma.full)
        scaled = write("batchnorm/mul", "Mul", given, factor)
        shift = write("batchnorm/sub", "Sub", beta.full, write("batchnorm/mul", "Mul", mean, factor))
        found = write("batchnorm/add", "AddV2", scaled, shift)
        return Value(scope, matrix=found, leading=values.leading, width=values.width)

    def activation(self, values, name):
        given, scope = self._matrix(values), values.scope
        single = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
        if name in single:
            return self._like(values, scope, single[name], single[name], given)
        if name == "linear":
            return values
        found = {"erf": self._gelu_by_erf, "tanh-gelu": self._gelu_by_tanh}[name](scope, given)
        return Value(scope, matrix=found, leading=values.leading, width=values.width)

    def softmax(self, values):
        if values.rank == 4:
            return _of_heads(
                values.scope, self._add(values.scope, "Softmax", [values.full], TYPED), values, values.width
            )
        return self._like(values, values.scope, "Softmax", "Softmax", self._matrix(values))

    def _gelu_by_erf(self, scope, given):
        """As modeling.py of 2018: x · ½(1 + erf(x/√2)), in the order that OpenVINO's GeluFusion recognises."""
        root = self._add(scope, "Sqrt", [self._constant(2.0)], TYPED)
        inner = self._add(scope, "Erf", [self._add(scope, "truediv", [given, root], TYPED, "RealDiv")], TYPED)
        return self._half_of_one_more(scope, given, inner)

    def _gelu_by_tanh(self, scope, given):
        """½x · (1 + tanh(√(2/π) · (x + 0.044715·x³))), as modeling.py computes it."""
        cube = self._add(scope, "Pow", [given, self._constant(3.0)], TYPED)
        scaled = self._add(scope, "mul", [self._constant(0.044715), cube], TYPED, "Mul")
        total = self._add(scope, "add", [given, scaled], TYPED, "AddV2")
        inner = self._add(scope, "mul", [self._constant(math.sqrt(2 / math.pi)), total], TYPED, "Mul")
        return self._half_of_one_more(scope, given, self._add(scope, "Tanh", [inner], TYPED))

    def _half_of_one_more(self, scope, given, inner):
        more = self._add(scope, "add", [self._constant(1.0), inner], TYPED, "AddV2")
        half = self._add(scope, "mul", [self._constant(0.5), more], TYPED, "Mul")
        return self._add(scope, "mul", [given, half], TYPED, "Mul")

    def _mean(self, scope, given):
        kept = {**TYPED, "Tidx": _graphdef.dtype(INT), "keep_dims": _graphdef.truth(True)}
        return self._add(scope, "moments/Mean", [given, self._constant([-1])], kept, "Mean")

    def _matmul(self, scope, left, right, transposed):
        kept = {**TYPED, "transpose_a": _graphdef.truth(False), "transpose_b": _graphdef.truth(transposed)}
        return self._add(scope, "MatMul", [left, right], kept)

    def _like(self, values, scope, name, op, *inputs):
        """What an operator gives that keeps the shape of a matrix."""
        found = self._add(scope, name, inputs, TYPED, op)
        return Value(scope, matrix=found, leading=values.leading, width=values.width)

    def _matrix(self, values):
        if values.matrix is None:
            shape = self._constant([-1, values.width])
            values.matrix = self._reshaped(values.scope, values.full, shape)
        return values.matrix

    def _full(self, values):
        if values.full is None:
            values.full = values.matrix
            if len(values.leading) > 1:
                shape = self._shape("bert", (*values.leading, values.width))
                values.full = self._reshaped(values.scope, values.matrix, shape)
        return values.full

    def _size(self, name):
        """The node that has the size of the batch, or of the sequence."""
        if not self._sizes:
            kept = {"T": _graphdef.dtype(INT), "out_type": _graphdef.dtype(INT)}
            shape = self._add(bert.EMBEDDINGS, "Shape", [self.inputs["input_ids"].full], kept)
            kept = {"T": _graphdef.dtype(INT), "num": _graphdef.number(2), "axis": _graphdef.number(0)}
            sizes = self._add(bert.EMBEDDINGS, "unstack", [shape], kept, "Unpack")
            self._sizes.update(batch=sizes, length=sizes + ":1")
        return self._sizes[name]

    def _shape(self, scope, sizes):
        """The node that has a shape; of each there is one."""
        if sizes not in self._sizes:
            self._sizes[sizes] = self._packed(
                scope, [self._size(size) if isinstance(size, str) else self._constant(size) for size in sizes]
            )
        return self._sizes[sizes]

    def _packed(self, scope, inputs):
        kept = {"T": _graphdef.dtype(INT), "N": _graphdef.number(len(inputs)), "axis": _graphdef.number(0)}
        return self._add(scope, "stack", inputs, kept, "Pack")

    def _reshaped(self, scope, given, shape, kind=FLOAT):
        kept = {"T": _graphdef.dtype(kind), "Tshape": _graphdef.dtype(INT)}
        return self._add(scope, "Reshape", [given, shape], kept)

    def _transposed(self, scope, given):
        kept = {**TYPED, "Tperm": _graphdef.dtype(INT)}
        return self._add(scope, "transpose", [given, self._constant([0, 2, 1, 3])], kept, "Transpose")

    def _constant(self, value):
        """The node of a small constant; of each there is one."""
        array = np.array(value, np.float32 if isinstance(value, float) else np.int32)
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._keep(Node(self._names.new("", "Const"), "Const", array=array))
        return self._constants[key]

    def _add(self, scope, name, inputs, attributes, op=None):
        return self._keep(Node(self._names.new(scope, name), op or name, tuple(inputs), attributes))

    def _keep(self, node):
        self._nodes[node.name] = node
        return node.name


def _slicing(begin, end, shrunk=0):
    """The attributes of a StridedSlice; the masks have a bit for each axis."""
    masks = {"begin_mask": begin, "end_mask": end, "shrink_axis_mask": shrunk, "ellipsis_mask": 0, "new_axis_mask": 0}
    kept = {name: _graphdef.number(mask) for name, mask in masks.items()}
    return {"T": _graphdef.dtype(FLOAT), "Index": _graphdef.dtype(INT), **kept}


def _of_heads(scope, node, like, width):
    """A value [B, heads, S, width] that came of one of the same leading sizes."""
    return Value(scope, node, leading=like.leading, width=width, rank=4)
