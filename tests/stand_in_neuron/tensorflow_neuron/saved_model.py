"""`tensorflow.neuron.saved_model` of the stand-in: part of a SavedModel becomes one NeuronOp."""

import os
import signal
import subprocess
import tempfile

from tensorflow.core.framework import graph_pb2
from tensorflow.python.client import session
from tensorflow.python.framework import graph_util, ops
from tensorflow.python.platform import tf_logging
from tensorflow.python.saved_model import loader, signature_constants, tag_constants
from tensorflow.python.saved_model.builder import SavedModelBuilder

from tensorflow_neuron import compiler
from tensorflow_neuron.folding import folded, graph_of, with_input_shapes
from tensorflow_neuron.neuron_op import NEURON_OP
from tensorflow_neuron.partition import Fused, largest_segment

TIMEOUT = 18000
LOG = "graph_def.neuron-cc.log"
FEW = 5
"""How many operators are placed on the device for `--stand-in few`."""


def compile(  # noqa: A001 - the real package's name
    model_dir,
    new_model_dir,
    batch_size=1,
    model_shape_feed_dict=None,
    model_feed_dict=None,
    tags=None,
    signature_def_key=None,
    strip_default_attrs=False,
    config_proto=None,
    constant_size_to_exclude=1024,  # noqa: ARG001 - taken as by the real package
    convert_constants_to_variables=False,  # noqa: ARG001 - the same
    compiler_workdir=None,
    dynamic_batch_size=False,
    **kwargs,
):
    """Write a SavedModel part of which is compiled; gives {"OnNeuronRatio": share of its operators}.

    `kwargs` are those of `_device_graph`; any other is a `TypeError`, as in the real package.

    Raises:
        AssertionError: `new_model_dir` exists.
        ValueError: the batch size does not make the shape of an input static; or, without `compiler_recovery`, the
            compiler failed.
    """
    if os.path.exists(new_model_dir):
        raise AssertionError("Export directory already exists: %s" % new_model_dir)
    tags = tags.split(",") if isinstance(tags, str) else tags or [tag_constants.SERVING]
    with session.Session(graph=ops.Graph(), config=config_proto) as sess:
        signatures = loader.load(sess, tags, model_dir).signature_def
        key = signature_def_key or signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        if key not in signatures:
            key = min(signatures)
        signature = signatures[key]
        inputs = {name: sess.graph.get_tensor_by_name(info.name) for name, info in signature.inputs.items()}
        outputs = [info.name for info in signature.outputs.values()]
        ends = sorted({name.split(":")[0] for name in outputs} | {tensor.op.name for tensor in inputs.values()})
        frozen = graph_util.convert_variables_to_constants(sess, sess.graph.as_graph_def(), ends)
    if model_feed_dict is not None:
        model_shape_feed_dict = {name: value.shape for name, value in model_feed_dict.items()}
    shapes = _static_shapes(inputs, batch_size, model_shape_feed_dict or {})
    fixed = with_input_shapes(frozen, shapes)
    if not dynamic_batch_size:
        fixed = folded(fixed)
    unfused = frozen if dynamic_batch_size else fixed
    described = graph_of(unfused)
    for info in [*signature.inputs.values(), *signature.outputs.values()]:
        info.tensor_shape.CopyFrom(described.get_tensor_by_name(info.name).shape.as_proto())
    made = _device_graph(fixed, unfused, outputs, compiler_workdir, **kwargs)
    made = graph_util.extract_sub_graph(made, ends)
    with session.Session(graph=graph_of(made), config=config_proto) as sess:
        builder = SavedModelBuilder(new_model_dir)
        builder.add_meta_graph_and_variables(
            sess, tags, signature_def_map={key: signature}, strip_default_attrs=strip_default_attrs
        )
        builder.save()
    ratio = _on_neuron_ratio(made)
    tf_logging.warning("the stand-in for tensorflow-neuron converted %s; ratio %.3f", model_dir, ratio)
    return {"OnNeuronRatio": ratio}


def _static_shapes(inputs, batch_size, given):
    """Placeholder name → shape."""
    shapes = {}
    for name, tensor in inputs.items():
        shape = list(given[name]) if name in given else tensor.shape.as_list()
        if shape and shape[0] is None:
            shape[0] = batch_size
        if None in shape:
            raise ValueError("batch_size is not sufficient to determine the shape of input tensor %s" % tensor)
        shapes[tensor.op.name] = shape
    return shapes


def _device_graph(
    fixed,
    unfused,
    outputs,
    workdir,
    no_fuse_ops=None,
    force_fuse_ops=None,
    minimum_segment_size=2,
    op_whitelist=None,
    supported_op_types=None,
    compiler_args=None,
    compiler_timeout=None,
    compiler_recovery=True,
    compiler_verbose=None,
    max_num_compilers=None,  # noqa: ARG001 - taken as by the real package
    grappler=False,  # noqa: ARG001 - the same
    amp_pass=False,  # noqa: ARG001 - the same
):
    """A graph with a NeuronOp in it; without one where neuron-cc is missing or, `compiler_recovery`, fails.

    `fixed` is the graph with static shapes, where the segment is chosen; `unfused`, the one to put the NeuronOp in, may
    be the same, or the same with a free batch.
    """
    if compiler.find_neuron_cc() is None:
        tf_logging.warning("neuron-cc is not found.")
        return unfused
    supported = op_whitelist or supported_op_types or _supported()
    graph = graph_of(fixed)
    segment = largest_segment(graph, set(supported), set(no_fuse_ops or ()), set(force_fuse_ops or ()))
    compiler_args = list(compiler_args or [])
    if "few" in compiler_args and compiler_args[compiler_args.index("few") - 1] == "--stand-in":
        segment = segment[:FEW]
    if len(segment) < (minimum_segment_size or 1):
        return unfused
    fused = Fused(graph, unfused, segment, outputs)
    executable = _compiled(fused, workdir, compiler_args, compiler_timeout or TIMEOUT, compiler_verbose)
    if not executable and compiler_recovery:
        return unfused
    if not executable:
        raise ValueError("The following subgraphs failed to compile: %s" % [fused.operator_name()])
    return fused.spliced(executable, dynamic=unfused is not fixed)


def _supported():
    words = [compiler.find_neuron_cc(), "list-operators", "--framework", "TENSORFLOW"]
    names = set(subprocess.check_output(words).decode().split())
    return (names | {"SquaredDifference"}) - {"Placeholder", "IdentityN"}


def _compiled(fused, workdir, compiler_args, timeout, verbose):
    """The executable; empty when the compiler failed or was late."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.join(os.path.abspath(workdir or temporary), fused.operator_name())
        os.makedirs(folder, exist_ok=True)
        source, executable = (os.path.join(folder, name) for name in (compiler.SOURCE, compiler.EXECUTABLE))
        with open(source, "wb") as file:
            file.write(fused.subgraph_def.SerializeToString())
        config = compiler.io_config(fused.inputs, fused.outputs)
        words = compiler.command(source, executable, config, compiler_args, verbose)
        log = None if verbose else open(os.path.join(folder, LOG), "w")  # noqa: SIM115 - closed below
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
        try:
            code = process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            code = process.wait() or 1
        if log:
            log.close()
        if code != 0:
            tf_logging.warning("Failed to fuse subgraph %s with '%s'", fused.operator_name(), " ".join(words))
            return b""
        with open(executable, "rb") as file:
            return file.read()


def _on_neuron_ratio(graph_def):
    """Share of the operators that are inside a NeuronOp; counted as the real package counts."""
    total, fused = len(graph_def.node), 0
    for node in graph_def.node:
        if node.op == NEURON_OP:
            subgraph = graph_pb2.GraphDef.FromString(node.attr["graph_def"].s)
            inside = len(subgraph.node) - len(node.attr["input_names"].list.s)
            total += inside - 1
            fused += inside
    return fused / total if total else 0.0
