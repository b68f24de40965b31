"""Weights of an openvino.Model: which constants its operators read, and what they are stored in."""

import contextlib
import os
import sys
import tempfile

FLOATS = ("f32", "f16")


@contextlib.contextmanager
def out_of_the_way():
    """Let NNCF talk to stderr, and matplotlib, which it may load, keep its list of fonts where it may write."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.environ["MPLCONFIGDIR"] = folder
        yield


def origin(model):
    """How the fp32 IR was made, as it says of itself."""
    return str(model.get_rt_info(["bertbuild", "route"]).value)


def weight_of(node):
    """The constant matrix that an operator reads, through what scales it; None where it reads none."""
    for port in node.inputs()[:2]:
        source = port.get_source_output().get_node()
        while source.get_type_name() in ("Convert", "Subtract", "Multiply", "Reshape", "Transpose"):
            source = source.input_value(0).get_node()
        if source.get_type_name() == "Constant" and len(source.get_output_shape(0)) > 1:
            return source
    return None


def readers_of_weights(model):
    """Each matrix product and lookup that reads weights, with them."""
    for node in model.get_ops():
        weight = weight_of(node) if node.get_type_name() in ("MatMul", "Gather") else None
        if weight is not None:
            yield node, weight


def stored_in(weight):
    """The type of a constant's numbers, as OpenVINO spells it: "f32", "i8", "u4" …"""
    return weight.get_element_type().get_type_name()
