"""quantize: an fp32 ONNX model → an int8 one, by ONNX Runtime's own static quantization, calibrated on examples.

Tables of words and weights of matrix products are stored in 8 bits, and products are computed in them; how large
activations get is found by running --examples. What is quantized stands between QuantizeLinear and DequantizeLinear
(QDQ), of ONNX's own operators. With --max-drop the metric of the model's head is measured on --validation, and a model
that loses more is refused. Writes model.onnx and signature.json.
"""

import logging
import os

import guarded
import int8_flags
from stage import Stage, StageInputError, read_json, step, write_json

QUANTIZED = ("MatMul", "Gather")
IN_FRONT = ("OneHot", "Gelu", "Relu")
"""Operators that a product behind them stays float32 for."""

STAGE = Stage("quantize", __doc__.splitlines()[0])
STAGE.input("onnx", "folder with model.onnx and signature.json, fp32")
int8_flags.declare(STAGE)


def run(args, report):
    """Read, check, quantize, check, save."""
    int8_flags.check(args)
    step("loading ONNX Runtime")
    from calibration import check_fit, read_calibration

    from stages._onnx_package import load_onnx

    onnx = load_onnx()

    path, out = (os.path.join(folder, "model.onnx") for folder in (args.onnx, args.out))
    signature = read_json(args.onnx, "signature.json")
    shape = tuple(None if size < 0 else size for size in signature["inputs"]["input_ids"]["shape"])
    graph = onnx.load(path, load_external_data=False).graph
    examples = read_calibration(args.examples, args.examples_used)
    check_fit(examples, vocab_size(graph), shape[1])
    if len(examples) < args.examples_used:
        report.note("calibrated on %d examples; %d were asked for" % (len(examples), args.examples_used))
    metric = read_metric(args, signature, shape, vocab_size(graph))

    step("quantizing")
    quantize(path, out, examples, shape, left_out(graph, args.int8_for), args)
    report.packages = packages()
    operators = finish(out, args, report)
    report.inputs, report.outputs, report.operators = signature["inputs"], signature["outputs"], operators
    more = {"int8_for": args.int8_for, **guarded.kept(signature)}
    report.facts.update(more, precision="int8", gelu=signature["gelu"], calibrated_on=len(examples))
    write_json(args.out, "signature.json", dict(signature, **more))
    counts = ", ".join("%d %s" % (count, kind) for kind, count in sorted(report.facts["quantized"].items()))
    report.note("int8: %s, calibrated on %d examples" % (counts, len(examples)))
    if metric is not None:
        judge(metric, path, out, args.max_drop, report)


def vocab_size(graph):
    """Rows of the table of words: what the first Gather over a constant reads; None where there is none."""
    sizes = {constant.name: list(constant.dims) for constant in graph.initializer}
    tables = (sizes[node.input[0]] for node in graph.node if node.op_type == "Gather" and node.input[0] in sizes)
    return next(tables, [None])[0]


def read_metric(args, signature, shape, words):
    """What measures the metric, or None where no bound was given."""
    if args.validation is None:
        return None
    from calibration import check_fit, read_validation
    from metric import Metric

    examples = read_validation(args.validation, args.head)
    check_fit(examples, words, shape[1])
    sizes = {name: port["shape"][-1] for name, port in signature["outputs"].items()}
    return Metric(args.head, {name: size if size >= 0 else None for name, size in sizes.items()}, examples, shape)


def left_out(graph, int8_for):
    """The names of operators that stay float32.

    These are products with a one-hot matrix, which pick rows of a small table; products that read what an activation
    function gives: few of its values are so large that 8 bits for all of them leave nothing of the others (MiniLM's
    smallest cosine of the pooled output is 0.90 with them in int8, 0.98 without); the last layers of heads, whose
    weights are turned first; and, made for any processor, products of two activations.
    """
    constants = {constant.name for constant in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}

    def stays(product):
        left, right = product.input
        if left in makers and makers[left].op_type in IN_FRONT:
            return True
        if right in constants:
            return False
        return int8_for == int8_flags.ANY or (
            makers[right].op_type == "Transpose" and makers[right].input[0] in constants
        )

    return sorted(node.name for node in graph.node if node.op_type == "MatMul" and stays(node))


def quantize(path, out, examples, shape, left, args):
    """Write the int8 model."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        """The examples, one after the other."""

        feeds = examples.feeds(*shape)

        def get_next(self):
            return next(self.feeds, None)

    logging.disable(logging.WARNING)  # it advises to optimise the graph first, whose operators are single ones here
    quantization.quantize_static(
        path,
        out,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=list(QUANTIZED),
        nodes_to_exclude=left,
        per_channel=True,
        reduce_range=args.int8_for == int8_flags.ANY,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    logging.disable(logging.NOTSET)


def finish(out, args, report):
    """Say in the model what it is, as of every ONNX model here; gives its operators by type."""
    import onnx

    model = onnx.load(out)
    told = {entry.key: entry.value for entry in model.metadata_props if entry.key.startswith("bertbuild.")}
    told.update({"bertbuild." + name: version for name, version in report.packages.items()})
    told.update({"bertbuild.key": report.key or "", "bertbuild.precision": "int8"})
    told["bertbuild.int8_for"] = args.int8_for
    if args.model:
        told["bertbuild.model"] = args.model
    del model.metadata_props[:]
    for name, value in sorted(told.items()):
        model.metadata_props.add(key=name, value=value)
    model.producer_name, model.producer_version = "bertbuild", ""
    counts = {}
    for node in model.graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    with open(out, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))
    in_bytes = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    stored = {constant.name for constant in model.graph.initializer if constant.data_type in in_bytes}
    from_int8 = {
        node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in stored
    }
    quantized, left = {}, []
    for node in model.graph.node:
        if node.op_type in QUANTIZED and from_int8 & set(node.input):
            quantized[node.op_type] = quantized.get(node.op_type, 0) + 1
        elif node.op_type == "MatMul":
            left.append(node.name)
    report.facts.update(quantized=quantized, left_in_float32=sorted(left))
    return counts


def judge(metric, path, out, max_drop, report):
    """Say what the metric was and is.

    Raises:
        StageInputError: it falls by more than `max_drop`.
    """
    from metric import ROUNDING, told

    step("comparing the %s" % metric.metric)
    before, after = (metric.of_run(runner(file)) for file in (path, out))
    report.facts["accuracy"] = told(metric, before, after, max_drop)
    words = "%s on %d examples: %.4f in fp32, %.4f in int8" % (metric.metric, len(metric.examples), before, after)
    report.note(words)
    if before - after > max_drop + ROUNDING:
        raise StageInputError(
            "%s; it falls by more than %g, and ONNX Runtime's quantizer puts nothing back" % (words, max_drop)
        )


def runner(path):
    """A function that runs a model: feeds → answers by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(names, feeds)))


def packages():
    """Versions of what quantizes."""
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "onnx", "onnxruntime")}


if __name__ == "__main__":
    STAGE.main(run)
