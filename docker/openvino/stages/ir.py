"""ir: a frozen graph, or a checkpoint's own .meta, → an OpenVINO IR with named inputs and outputs.

Reads --frozen (a folder with inference_graph.pb and signature.json: batch and sequence length as free as the graph
leaves them, or fixed with --batch and --seq-len), or --checkpoint (a folder; shapes as published in its .meta, or in
the one of --metagraph), or --saved-model (of TensorFlow 2, as the stage saved-model makes it; shapes as for --frozen).
Writes model.xml, model.bin and signature.json. TensorFlow is not needed.
"""

import ctypes
import os
import tempfile

from stage import Stage, StageInputError, step

STAGE = Stage("ir", __doc__.splitlines()[0])
STAGE.input("frozen", "folder with inference_graph.pb and signature.json", required=False)
STAGE.input("checkpoint", "folder with a checkpoint whose .meta is of the published form", required=False)
STAGE.input("metagraph", "folder with a .meta to use in place of the checkpoint's own", required=False)
STAGE.input("saved-model", "folder of a TensorFlow 2 SavedModel with a signature.json", required=False)
STAGE.param("output", "of a SavedModel: pooled, sequence, logits, …; several with commas (default: all it has)")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("batch", "fixed batch size; 0 leaves it free (default)", type=int, default=0)
STAGE.param("seq-len", "fixed sequence length; 0 leaves it free (default)", type=int, default=0)
STAGE.param("precision", "of the stored weights (default: fp32)", choices=("fp32", "fp16"), default="fp32")
STAGE.param("model", "the source model's name, written into the IR", default="")


def run(args, report):
    """Convert, name, fix shapes, save."""
    if sum(source is not None for source in (args.frozen, args.checkpoint, args.saved_model)) != 1:
        raise StageInputError("give one of --frozen, --checkpoint and --saved-model")

    step("loading OpenVINO")
    keep_freed_memory()
    from ir_file import name_ports, packages, write_ir

    step("converting")
    per_position = []
    if args.frozen:
        model, inputs, outputs, per_position, gelu = from_frozen(args.frozen)
        route = "reshapeable"
    elif args.saved_model:
        model, inputs, outputs, gelu = from_saved_model(args.saved_model, args.output)
        route = "savedmodel"
    else:
        model, inputs, outputs, gelu = from_metagraph(args.checkpoint, args.prefix, args.metagraph)
        route = "static"
    name_ports(model, inputs, outputs)
    if args.batch or args.seq_len:
        fix_shapes(model, args.batch, args.seq_len)

    step("writing model.xml and model.bin")
    report.packages = packages("openvino")
    write_ir(model, args, report, route, gelu, per_position)


def keep_freed_memory():
    """Have glibc reuse large freed blocks instead of giving each back and asking for it again (mallopt(3)).

    Every weight is copied twice on its way into an IR; zeroing fresh pages for each copy is a fifth of the conversion.
    """
    trim_threshold, mmap_max = -1, -4
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)


def from_frozen(folder):
    """The model of a frozen graph, with the tensor names its signature gives.

    Does what `openvino.convert_model` does with a frozen graph, without the half second that its command-line machinery
    takes to load.
    """
    from ir_file import read_signature
    from openvino._offline_transformations import apply_moc_transformations
    from openvino.frontend import FrontEndManager

    signature = read_signature(folder)
    frontend = FrontEndManager().load_by_framework("tf")
    model = frontend.convert(frontend.load(os.path.join(folder, "inference_graph.pb")))
    apply_moc_transformations(model, cf=False)
    return (model, *signature)


def from_saved_model(folder, wanted):
    """The model of a TensorFlow 2 SavedModel whose ports are named by their roles, with no output but the wanted ones.

    Raises:
        StageInputError: it has no output of such a name.
    """
    import openvino
    from stage import read_json

    model = openvino.convert_model(folder)
    outputs = {name: name for port in model.outputs for name in port.get_names()}
    names = {"pooled": "pooled_output", "sequence": "sequence_output"}
    asked = [names.get(output, output.replace("-", "_")) for output in wanted.split(",")] if wanted else outputs
    missing = sorted(set(asked) - set(outputs))
    if missing:
        raise StageInputError("the SavedModel gives %s, not %s" % (", ".join(sorted(outputs)), missing[0]))
    for result in list(model.get_results()):
        if not result.output(0).get_names() & set(asked):
            model.remove_result(result)
    inputs = {name: name for port in model.inputs for name in port.get_names()}
    kept = {name: name for name in outputs if name in asked}
    return model, inputs, kept, read_json(folder, "signature.json")["gelu"]


def from_metagraph(checkpoint, prefix, metagraph):
    """The model of a .meta and the checkpoint beside it, cut at the pooler; roles found by tracing the graph."""
    import openvino
    from checkpoint_files import gather_published

    with tempfile.TemporaryDirectory() as folder:
        meta, inputs, outputs, gelu = gather_published(checkpoint, prefix, metagraph, folder)
        return openvino.convert_model(meta, output=list(outputs.values())), inputs, outputs, gelu


def fix_shapes(model, batch, seq_len):
    """Fix the batch size and the sequence length where they are not 0, and fold what becomes constant by that."""
    from stages._folding import fold_constants

    shapes = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        for axis, wanted in enumerate((batch, seq_len)):
            if wanted:
                if shape[axis].is_static and shape[axis].get_length() != wanted:
                    raise StageInputError(
                        "%s has %d at axis %d of its shape, built into the graph; %d cannot be had from it"
                        % (port.get_any_name(), shape[axis].get_length(), axis, wanted)
                    )
                shape[axis] = wanted
        shapes[port.get_any_name()] = shape
    model.reshape(shapes)
    fold_constants(model)


if __name__ == "__main__":
    STAGE.main(run)
