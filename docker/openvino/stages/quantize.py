"""quantize: an fp32 IR → an int8 IR, by post-training quantization calibrated on examples (NNCF).

Weights and activations of matrix products become int8; how large activations get is found by running --examples. With
--max-drop the metric of the model's head (a classifier's accuracy) is kept on --validation: operators that cost most
are put back into float32 until it falls by no more. Writes model.xml, model.bin and signature.json. The shapes stay as
they are in --ir.
"""

import os

import guarded
import int8_flags
from stage import Stage, StageInputError, read_json, step

from stages._weights import origin, out_of_the_way, readers_of_weights, stored_in, weight_of

IN_FLOAT = {"tokens": ("logits", "probabilities"), "span": ("start_logits", "end_logits")}
"""Heads whose last layer stays float32: its answers, which it computes for each position."""

STAGE = Stage("quantize", __doc__.splitlines()[0])
STAGE.input("ir", "folder with model.xml, model.bin and signature.json, fp32")
int8_flags.declare(STAGE)


def run(args, report):
    """Read, check, quantize, check, save."""
    int8_flags.check(args)
    step("loading OpenVINO")
    import openvino
    from calibration import check_fit, read_calibration
    from ir_file import packages, per_position, write_ir

    model = openvino.Core().read_model(os.path.join(args.ir, "model.xml"))
    shape = fixed_shape(model)
    examples = read_calibration(args.examples, args.examples_used)
    check_fit(examples, vocab_size(model), shape[1])
    if len(examples) < args.examples_used:
        report.note("calibrated on %d examples; %d were asked for" % (len(examples), args.examples_used))
    if not examples.features["segment_ids"].any():
        report.note("no example has a second segment; inputs that have one will be answered less well")
    accuracy = read_accuracy(args, model, shape)
    step("running the longest example")
    check_runs(model, examples, shape)

    step("loading NNCF")
    with out_of_the_way():
        quantized = quantize(model, examples, shape, accuracy, args)
    check_runs(quantized, examples, shape)

    step("writing model.xml and model.bin")
    report.packages = packages("nncf", "openvino", "numpy")
    args.precision = "int8"
    signature = read_json(args.ir, "signature.json")
    marked, more = per_position(signature), {"int8_for": args.int8_for, **guarded.kept(signature)}
    write_ir(quantized, args, report, origin(model), signature["gelu"], marked, **more)
    report.facts.update(facts(quantized), calibrated_on=len(examples))
    counts = ", ".join("%d %s" % (count, kind) for kind, count in sorted(report.facts["quantized"].items()))
    report.note("int8: %s, calibrated on %d examples" % (counts, len(examples)))
    if accuracy is not None:
        judge_accuracy(args.max_drop, accuracy, model, quantized, report)


def fixed_shape(model):
    """Batch size and sequence length of a model, each None where it is free."""
    sizes = model.input("input_ids").get_partial_shape()
    return tuple(None if size.is_dynamic else size.get_length() for size in sizes)


def vocab_size(model):
    """How many words the model knows: rows of the table that input_ids picks from; None where that is not found."""
    ports = [model.input("input_ids")]
    while ports:
        for reader in ports.pop().get_target_inputs():
            node = reader.get_node()
            kind = node.get_type_name()
            if kind == "Gather" and reader.get_index() == 1:
                return node.input(0).get_partial_shape()[0].get_length()
            if kind in ("Convert", "Reshape", "Unsqueeze", "Squeeze"):
                ports.append(node.output(0))
    return None


def read_accuracy(args, model, shape):
    """What measures the metric, or None where no bound was given."""
    if args.validation is None:
        return None
    from calibration import check_fit, read_validation

    from stages._accuracy import Accuracy

    examples = read_validation(args.validation, args.head)
    check_fit(examples, vocab_size(model), shape[1])
    return Accuracy(args.head, model, examples, shape)


def check_runs(model, examples, shape):
    """Raise StageInputError where a model cannot run the longest of the examples, or its answer is not a number."""
    import numpy as np
    import openvino

    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    feeds = max(examples.feeds(*shape), key=lambda feeds: feeds["input_ids"].shape[1])
    length = feeds["input_ids"].shape[1]
    try:
        results = compiled(feeds)
    except RuntimeError as error:
        raise StageInputError(
            "the model cannot run an example of %d tokens; is that more than it has positions? (%s)"
            % (length, str(error).strip().splitlines()[-1])
        ) from error
    for port in compiled.outputs:
        if not np.isfinite(results[port]).all():
            raise StageInputError(
                "%s is not finite (NaN or infinity) for an example of %d tokens" % (port.get_any_name(), length)
            )


def quantize(model, examples, shape, accuracy, args):
    """The int8 model; `model` is left as it is, but for what is folded.

    Without VNNI two products of 8-bit numbers are added up in 16 bits, and what is beyond is cut off. NNCF's remedy,
    half the range for weights, is on only if told so: its default is meant for first convolutions and does nothing
    here. It leaves products of two activations (queries and keys) as they are, so these stay float32.
    """
    import nncf

    from stages._folding import fold_constants

    # The shape of a table is a constant. Left as an operator, it would keep the table in float32 beside its int8 form.
    fold_constants(model)
    feeds = list(examples.feeds(*shape))
    options = {"model_type": nncf.ModelType.TRANSFORMER, "subset_size": len(feeds)}
    fix = nncf.OverflowFix.DISABLE
    left = last_products(model, IN_FLOAT.get(args.head, ()))
    if args.int8_for == int8_flags.ANY:
        fix = nncf.OverflowFix.ENABLE
        left += products_of_activations(model)
    if left:
        options["ignored_scope"] = nncf.IgnoredScope(names=left)
    advanced = nncf.AdvancedQuantizationParameters(overflow_fix=fix)
    if accuracy is None:
        return nncf.quantize(model, nncf.Dataset(feeds), advanced_parameters=advanced, **options)
    return accuracy.quantize(model, nncf.Dataset(feeds), args.max_drop, advanced, **options)


def facts(model):
    """How many operators read int8 weights, by type, those left in float32, and how many activations become int8."""
    quantized, left = {}, []
    for node, weight in readers_of_weights(model):
        if stored_in(weight) in ("i8", "u8"):
            quantized[node.get_type_name()] = quantized.get(node.get_type_name(), 0) + 1
        else:
            left.append(node.get_friendly_name())
    activations = sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops())
    return {"quantized": quantized, "quantized_activations": activations, "left_in_float32": sorted(left)}


def products_of_activations(model):
    """The names of matrix products that read no weights."""
    products = (node for node in model.get_ops() if node.get_type_name() == "MatMul")
    return [node.get_friendly_name() for node in products if weight_of(node) is None]


def last_products(model, names):
    """The names of the matrix products, with weights, that are the last before some outputs."""
    found = {}
    nodes = [port.get_node() for port in model.outputs if port.get_names() & set(names)]
    while nodes:
        node = nodes.pop()
        if node.get_type_name() == "MatMul" and weight_of(node) is not None:
            found[node.get_friendly_name()] = node
        else:
            nodes += [port.get_source_output().get_node() for port in node.inputs()]
    return sorted(found)


def judge_accuracy(max_drop, accuracy, model, quantized, report):
    """Say what the metric was and is, and what was put back for it.

    Raises:
        StageInputError: it falls by more than `max_drop`, or nothing stayed int8.
    """
    from metric import ROUNDING, told

    step("comparing the %s" % accuracy.metric)
    before, after = accuracy.of(model), accuracy.of(quantized)
    put_back = report.facts["left_in_float32"]
    report.facts["accuracy"] = told(accuracy, before, after, max_drop)
    words = "%s on %d examples: %.4f in fp32, %.4f in int8" % (accuracy.metric, len(accuracy.examples), before, after)
    report.note("%s; put back into float32: %s" % (words, ", ".join(put_back) or "nothing"))
    if before - after > max_drop + ROUNDING:
        raise StageInputError("%s; it falls by more than %g, with all that NNCF put back" % (words, max_drop))
    if not report.facts["quantized"]:
        raise StageInputError("nothing stays int8 if the %s may fall by no more than %g" % (accuracy.metric, max_drop))


if __name__ == "__main__":
    STAGE.main(run)
