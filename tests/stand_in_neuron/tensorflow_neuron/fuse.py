"""`tensorflow.neuron.fuse` of the stand-in: a Python function becomes one NeuronOp."""

import functools
import multiprocessing
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.client import session
from tensorflow.python.framework import ops
from tensorflow.python.ops import array_ops
from tensorflow.python.util import nest

from tensorflow_neuron import compiler
from tensorflow_neuron.neuron_op import add_to_graph, neuron_node

_waiting = {}
"""Graph → compilations that the next run of a session on it starts."""

VARIABLES = ("Variable", "VariableV2", "VarHandleOp")


def fuse(
    func=None,
    *,
    compiler_args=None,
    name=None,
    asynchronous=True,
    timeout=None,
    verbose=0,
    workdir=None,
    input_shapes=None,
    output_shapes=None,
    batch_size=None,
    dynamic_batch_size=False,
    executable=b"",
    grad_func=None,
):
    """Make a function that builds one NeuronOp where `func` would build its operators.

    `func` is called in a graph of its own, with placeholders of its arguments' types and static shapes. neuron-cc is
    started at once, or, `asynchronous`, when a session of the graph is run next; its failure is a
    `subprocess.CalledProcessError`, its being late a `subprocess.TimeoutExpired`.

    Raises:
        NotImplementedError: for a function with variables, or for `grad_func`, which the real package takes.
    """
    if grad_func is not None:
        raise NotImplementedError("this stand-in for tensorflow-neuron has no gradients")
    if func is None:
        settings = dict(locals())
        settings.pop("func")
        return functools.partial(fuse, **settings)

    @functools.wraps(func)
    def wrapper(*args, **kwargs):
        graph, tensors, placeholders, structure = _built(func, args, kwargs)
        outputs = [value for value in nest.flatten(structure) if isinstance(value, ops.Tensor)]
        axes = _batch_axes(placeholders, outputs, dynamic_batch_size)
        _make_static(placeholders, input_shapes, batch_size)
        _make_static(outputs, output_shapes, batch_size)
        fed = {placeholder.op for placeholder in placeholders}
        scope = name
        if scope is None:
            scope = compiler.most_popular_scope([op.name for op in graph.get_operations() if op not in fed])
        graph_def = graph.as_graph_def()
        config = compiler.io_config(placeholders, outputs)
        job = _Compilation(graph_def, config, compiler_args, verbose, timeout, workdir)
        content = executable
        if not content and not asynchronous:
            job.run()
            content = job.executable()
        small = compiler.without_large_constants(graph_def).SerializeToString()
        sources = ["input_%d" % index for index in range(len(tensors))]
        node, functions = neuron_node(
            "NeuronOp", graph, placeholders, outputs, sources, small, executable=content, batch_axes=axes
        )
        node.attr["model_config"].list.i.extend(compiler.model_config(content))
        operation = add_to_graph(node, functions, tensors, scope)
        if not content:
            _waiting.setdefault(operation.graph, []).append((operation, job))
            _decorate_run()
        made = dict(zip(outputs, operation.outputs))
        return nest.map_structure(
            lambda value: made.get(value, value) if isinstance(value, ops.Tensor) else value, structure
        )

    return wrapper


def _built(func, args, kwargs):
    """Call a function in a new graph: (graph, outer tensors, their placeholders, what the function returned)."""
    flat = nest.flatten((args, kwargs))
    tensors = []
    for value in flat:
        if isinstance(value, ops.Tensor) and value not in tensors:
            tensors.append(value)
    graph = ops.Graph()
    with graph.as_default():
        placeholders = [array_ops.placeholder(tensor.dtype, tensor.shape, name=tensor.op.name) for tensor in tensors]
        inner = dict(zip(tensors, placeholders))
        flat = [inner.get(value, value) if isinstance(value, ops.Tensor) else value for value in flat]
        args, kwargs = nest.pack_sequence_as((args, kwargs), flat)
        structure = func(*args, **kwargs)
    if any(op.type in VARIABLES for op in graph.get_operations()):
        raise NotImplementedError("this stand-in for tensorflow-neuron fuses functions without variables only")
    return graph, tensors, placeholders, structure


def _batch_axes(inputs, outputs, dynamic):
    """(of the inputs, of the outputs): 0 where the first dimension is free and to stay so, else -1."""
    axes = [
        [0 if dynamic and tensor.shape.rank and tensor.shape.as_list()[0] is None else -1 for tensor in tensors]
        for tensors in (inputs, outputs)
    ]
    if dynamic == "force":
        axes[1] = [0] * len(outputs)
    return axes


def _make_static(tensors, shapes, batch_size):
    for tensor, shape in zip(tensors, shapes or []):
        tensor.set_shape(shape)
    for tensor in tensors:
        if batch_size is not None and tensor.shape.rank and tensor.shape.as_list()[0] is None:
            tensor.set_shape([batch_size, *tensor.shape.as_list()[1:]])


class _Compilation:
    """One run of neuron-cc, its folder prepared."""

    def __init__(self, graph_def, config, compiler_args, verbose, timeout, workdir):
        self._graph_def = graph_def
        self._words = (compiler.SOURCE, compiler.EXECUTABLE, config, compiler_args, verbose)
        self._verbose = verbose
        self._timeout = timeout
        self._workdir = workdir
        self._folder = None

    def run(self):
        """Compile; an exit code other than 0 is a `subprocess.CalledProcessError`."""
        if self._workdir is None:
            self._kept = tempfile.TemporaryDirectory()
            self._folder = self._kept.name
        else:
            os.makedirs(self._workdir, exist_ok=True)
            self._folder = tempfile.mkdtemp(prefix=os.path.join(os.path.abspath(self._workdir), "tmp"))
        with open(os.path.join(self._folder, compiler.SOURCE), "wb") as file:
            file.write(self._graph_def.SerializeToString())
        words = compiler.command(*self._words)
        if self._verbose:
            done = subprocess.run(words, cwd=self._folder, timeout=self._timeout, check=False)
        else:
            with open(os.path.join(self._folder, "log-fe.txt"), "w") as log:
                done = subprocess.run(
                    words, cwd=self._folder, timeout=self._timeout, stdout=log, stderr=log, check=False
                )
        done.check_returncode()

    def executable(self):
        """What the compiler wrote."""
        with open(os.path.join(self._folder, compiler.EXECUTABLE), "rb") as file:
            return file.read()


def _decorate_run():
    """Let every `Session.run` compile first what waits for it."""
    plain = session.Session.run
    if hasattr(plain, "compiles_first"):
        return

    @functools.wraps(plain)
    def run(sess, *args, **kwargs):
        jobs = _waiting.get(sess.graph)
        if jobs:
            with ThreadPoolExecutor(max_workers=multiprocessing.cpu_count()) as pool:
                for future in [pool.submit(job.run) for _, job in jobs]:
                    future.result()
            for operation, job in jobs:
                content = job.executable()
                config = attr_value_pb2.AttrValue.ListValue(i=compiler.model_config(content))
                operation._set_attr("executable", attr_value_pb2.AttrValue(s=content))
                operation._set_attr("model_config", attr_value_pb2.AttrValue(list=config))
            del _waiting[sess.graph]
        return plain(sess, *args, **kwargs)

    run.compiles_first = True
    session.Session.run = run
