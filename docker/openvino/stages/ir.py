"""ir: a frozen graph, or a checkpoint's own .meta, → an OpenVINO IR with named inputs and outputs.

Reads either --frozen (a folder with inference_graph.pb and signature.json: batch and sequence length as free as the
graph leaves them, or fixed with --batch and --seq-len), or --checkpoint (a folder; shapes as published in its .meta, or
in the one of --metagraph). Writes model.xml, model.bin and signature.json. TensorFlow is not needed.
"""

import ctypes
import os
import tempfile

from stage import Stage, StageInputError, read_json, step, write_json

STAGE = Stage("ir", __doc__.splitlines()[0])
STAGE.input("frozen", "folder with inference_graph.pb and signature.json", required=False)
STAGE.input("checkpoint", "folder with a checkpoint whose .meta is of the published form", required=False)
STAGE.input("metagraph", "folder with a .meta to use in place of the checkpoint's own", required=False)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("batch", "fixed batch size; 0 leaves it free (default)", type=int, default=0)
STAGE.param("seq-len", "fixed sequence length; 0 leaves it free (default)", type=int, default=0)
STAGE.param("precision", "of the stored weights (default: fp32)", choices=("fp32", "fp16"), default="fp32")
STAGE.param("model", "the source model's name, written into the IR", default="")


def run(args, report):
    """Convert, name, fix shapes, save."""
    if (args.frozen is None) == (args.checkpoint is None):
        raise StageInputError("give either --frozen or --checkpoint")

    step("loading OpenVINO")
    keep_freed_memory()
    from ir_file import describe, name_ports, operators, packages, write_ir

    step("converting")
    if args.frozen:
        model, inputs, outputs, gelu = from_frozen(args.frozen)
        route = "reshapeable"
    else:
        model, inputs, outputs, gelu = from_metagraph(args.checkpoint, args.prefix, args.metagraph)
        route = "static"
    name_ports(model, inputs, outputs)
    if args.batch or args.seq_len:
        fix_shapes(model, args.batch, args.seq_len)

    step("writing model.xml and model.bin")
    report.packages = packages("openvino")
    info = dict(report.packages, model=args.model, key=report.key or "", route=route, gelu=gelu or "none")
    info["precision"] = args.precision
    write_ir(model, args.out, args.precision, {name.replace("-", "_"): value for name, value in info.items()})

    report.inputs = describe(model.inputs)
    report.outputs = describe(model.outputs)
    report.operators = operators(model)
    report.facts = {"route": route, "precision": args.precision, "gelu": gelu}
    write_json(args.out, "signature.json", {"inputs": report.inputs, "outputs": report.outputs, "gelu": gelu})


def keep_freed_memory():
    """Have glibc reuse large freed blocks instead of giving each back and asking for it anew (mallopt(3)).

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
    from openvino._offline_transformations import apply_moc_transformations
    from openvino.frontend import FrontEndManager

    signature = read_json(folder, "signature.json")
    inputs = {role: port["tensor"] for role, port in signature["inputs"].items()}
    outputs = {name: port["tensor"] for name, port in signature["outputs"].items()}
    frontend = FrontEndManager().load_by_framework("tf")
    model = frontend.convert(frontend.load(os.path.join(folder, "inference_graph.pb")))
    apply_moc_transformations(model, cf=False)
    return model, inputs, outputs, signature.get("gelu")


def from_metagraph(checkpoint, prefix, metagraph):
    """The model of a .meta and the checkpoint beside it, cut at the pooler; roles found by tracing the graph."""
    import openvino
    from checkpoint_files import gather_checkpoint

    from bertbuild.graph.gelu import gelu_form
    from bertbuild.graph.graphdef import read_meta_graph
    from bertbuild.graph.published import published_form

    with tempfile.TemporaryDirectory() as folder:
        meta = gather_checkpoint(checkpoint, prefix, metagraph, folder)
        graph = read_meta_graph(meta)
        form = published_form(graph)
        if form is None:
            raise StageInputError(
                "the .meta is not of the published form (three int32 placeholders of a fixed shape that alone feed "
                "bert/pooler/dense/Tanh); make one with the stage metagraph of the tf1 image"
            )
        outputs = {"pooled_output": "bert/pooler/dense/Tanh:0"}
        model = openvino.convert_model(meta, output=list(outputs.values()))
        return model, dict(form.roles), outputs, gelu_form(graph)


def fix_shapes(model, batch, seq_len):
    """Fix the batch size and the sequence length where they are not 0, and fold what becomes constant by that."""
    from openvino.runtime import passes

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
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


if __name__ == "__main__":
    STAGE.main(run)
