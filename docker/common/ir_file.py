"""An OpenVINO model made ours: inputs and outputs named by their role, its origin written into it, saved."""

import errno
import math
import os

from stage import read_json, write_json

BESIDE_WEIGHTS = 1 << 20
"""Bytes: at most what model.xml and the smaller files take."""


def read_signature(folder):
    """What a frozen graph's signature.json says.

    Returns:
        role → tensor name, output name → tensor name, names of the outputs whose second axis is the sequence, form of
        gelu.
    """
    signature = read_json(folder, "signature.json")
    inputs = {role: port["tensor"] for role, port in signature["inputs"].items()}
    outputs = {name: port["tensor"] for name, port in signature["outputs"].items()}
    return inputs, outputs, per_position(signature), signature.get("gelu")


def per_position(signature):
    """The outputs that a signature.json marks as holding something for each position."""
    return [name for name, port in signature["outputs"].items() if port.get("per_position")]


def mark(ports, names):
    """Mark those of a signature's outputs that hold something for each position."""
    for name in names:
        ports[name]["per_position"] = True
    return ports


def name_ports(model, inputs, outputs):
    """Give the model's inputs and outputs their roles' names, in a fixed order.

    Args:
        model: openvino.Model.
        inputs: role → the tensor name the input has in the source ("Placeholder_1:0").
        outputs: output name ("pooled_output") → the tensor name in the source ("bert/pooler/dense/Tanh:0").

    Raises:
        KeyError: the model has no such tensor.
    """
    for role, tensor in inputs.items():
        port = _find(model.inputs, tensor)
        port.get_node().set_friendly_name(role)
        port.get_tensor().set_names({role})
    ports = {name: _find(model.outputs, tensor) for name, tensor in outputs.items()}
    named = set()
    for name, port in ports.items():
        # The last of all layers is the sequence output: one tensor, found under both its names.
        if port.get_node().get_name() in named:
            port.get_tensor().add_names({name})
        else:
            port.get_tensor().set_names({name})
            port.get_node().set_friendly_name(name)
        named.add(port.get_node().get_name())


def _find(ports, tensor):
    """The port of a tensor "name:0"; the Model Optimizer drops the ":0" of an input that is cut with its type."""
    for port in ports:
        if port.get_names() & {tensor, tensor.split(":")[0]}:
            return port
    raise KeyError("%s is not one of %s" % (tensor, [sorted(port.get_names()) for port in ports]))


def write_ir(model, args, report, route, gelu, per_position=(), **more):
    """Write model.xml, model.bin and signature.json, and fill in the report.

    Args:
        model: openvino.Model, its ports named.
        args: of the stage: out, model (the source's name) and precision; "fp32" keeps the weights as they are, "fp16"
            stores them in half the bytes.
        report: of the stage, its packages filled in; they, the key and the source go into the IR's rt_info.
        route: how the IR was made.
        gelu: its form, or None.
        per_position: names of the outputs whose second axis is the sequence, where the source tells.
        more: what else is to stand in the IR's rt_info, in signature.json and in the report: name → text.
    """
    import openvino

    info = {name.replace("-", "_"): version for name, version in report.packages.items()}
    info.update(model=args.model, key=report.key or "", route=route, gelu=gelu or "none", precision=args.precision)
    info.update(more)
    for name, value in sorted(info.items()):
        model.set_rt_info(value, ["bertbuild", name])
    in_half = args.precision == "fp16"
    try:
        openvino.save_model(model, os.path.join(args.out, "model.xml"), compress_to_fp16=in_half)
    except RuntimeError as error:
        # Of a full disk it says "iostream error" alone, and removes what it had written, so that there is room again.
        if _weights(model) // (2 if in_half else 1) + BESIDE_WEIGHTS > _free(args.out):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), args.out) from error
        raise

    report.inputs = describe(model.inputs)
    report.outputs = mark(describe(model.outputs), per_position)
    report.operators = operators(model)
    report.facts = dict(more, route=route, precision=args.precision, gelu=gelu)
    write_json(args.out, "signature.json", dict(more, inputs=report.inputs, outputs=report.outputs, gelu=gelu))


def _weights(model):
    """Bytes of the model's constants."""
    ports = [node.output(0) for node in model.get_ops() if node.get_type_name() == "Constant"]
    return sum(port.get_element_type().size * math.prod(port.get_shape()) for port in ports)


def _free(folder):
    """Bytes that can be written there."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def describe(ports):
    """Name, dtype and shape (-1: free) of each input or output."""
    return {
        name: {
            "dtype": port.get_element_type().get_type_name(),
            "shape": [-1 if size.is_dynamic else size.get_length() for size in port.get_partial_shape()],
        }
        for port in ports
        for name in sorted(port.get_names())
    }


def operators(model):
    """Operator name → how many, in the IR as written."""
    counts = {}
    for node in model.get_ops():
        counts[node.get_type_name()] = counts.get(node.get_type_name(), 0) + 1
    return counts


def packages(*names):
    """Versions of the packages that made the IR."""
    from importlib.metadata import version

    return {name: version(name) for name in names}
