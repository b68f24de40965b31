"""direct: a checkpoint → an ONNX model with named inputs and outputs, written operator by operator.

Reads bert_config.json and the checkpoint, whose variables are mapped into memory and not copied; writes model.onnx, for
large models with model.onnx.data beside it, and signature.json. What it writes is bertbuild/model's description of the
model. The parity gate compares it with the source's own graph, or modeling.py's.
"""

import os

import described_model
import guarded
from stage import Stage, StageInputError, step, write_json

LOWEST_OPSET = 20
"""The first opset that has Gelu; LayerNormalization it has since 17."""

STAGE = Stage("direct", __doc__.splitlines()[0])
described_model.declare(STAGE)
STAGE.param("batch", "fixed batch size; 0 leaves it free (default)", type=int, default=0)
STAGE.param("seq-len", "fixed sequence length; 0 leaves it free (default)", type=int, default=0)
STAGE.param("precision", "of the stored weights (default: fp32)", choices=("fp32", "fp16"), default="fp32")
STAGE.param("opset", "version of ONNX's operators (default: %d)" % LOWEST_OPSET, type=int, default=LOWEST_OPSET)
STAGE.param(
    "ir-version", "version of ONNX's file format; 0: the first that has the opset (default)", type=int, default=0
)
guarded.declare(STAGE)
STAGE.param("model", "the source model's name, written into the model", default="")


def run(args, report):
    """Describe, write, save."""
    step("loading onnx")
    from bertbuild.model.model import ROLES
    from stages import _model_file, _onnx_package, _writer

    onnx = _onnx_package.load_onnx()

    ir_version = check_versions(args, onnx)
    writer, tensors, gelu = described_model.describe(
        args,
        report,
        lambda tensor: _writer.Writer(tensor, ROLES, args.batch, args.seq_len, args.precision == "fp16", args.guard),
        args.seq_len,
    )
    graph = writer.graph(tensors, args.model or "bert")

    step("writing model.onnx")
    report.packages = packages()
    model = onnx.ModelProto(ir_version=ir_version, producer_name="bertbuild")
    model.opset_import.add(domain="", version=args.opset)
    info = {name.replace("-", "_"): version for name, version in report.packages.items()}
    info.update(model=args.model, key=report.key or "", route="direct", gelu=gelu or "none", precision=args.precision)
    info.update(guarded.facts(args))
    for name, value in sorted(info.items()):
        model.metadata_props.add(key="bertbuild." + name, value=value)
    head, body = (message.SerializeToString(deterministic=True) for message in (model, graph))
    files = _model_file.write_model(os.path.join(args.out, "model.onnx"), head, body, writer.arrays)

    report.inputs = {role: port("int32", value.shape) for role, value in writer.inputs.items()}
    report.outputs = {name: port("float32", value.shape) for name, value in tensors.items()}
    counts = {}
    for node in graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    report.operators = counts
    report.facts = {
        "route": "direct",
        "precision": args.precision,
        "gelu": gelu,
        "opset": args.opset,
        "ir_version": ir_version,
        "files": files,
    }
    signature = {"inputs": report.inputs, "outputs": report.outputs, "gelu": gelu, **guarded.facts(args)}
    write_json(args.out, "signature.json", signature)


def check_versions(args, onnx):
    """The version of the file format to write.

    Raises:
        StageInputError: an opset or a version that this model cannot be written in, or that the package does not know.
    """
    newest = onnx.defs.onnx_opset_version()
    if not LOWEST_OPSET <= args.opset <= newest:
        raise StageInputError(
            "--opset must be from %d, the first that has Gelu, to %d, the newest of onnx %s (got %d)"
            % (LOWEST_OPSET, newest, onnx.__version__, args.opset)
        )
    lowest = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", args.opset)])
    if args.ir_version and not lowest <= args.ir_version <= onnx.IR_VERSION:
        raise StageInputError(
            "--ir-version must be from %d, the first that has opset %d, to %d, the newest of onnx %s (got %d)"
            % (lowest, args.opset, onnx.IR_VERSION, onnx.__version__, args.ir_version)
        )
    return args.ir_version or lowest


def port(dtype, shape):
    """An end of the model as signature.json has it; -1 is a free size."""
    return {"dtype": dtype, "shape": [-1 if isinstance(size, str) else size for size in shape]}


def packages():
    """Versions of what writes the model."""
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "onnx")}


if __name__ == "__main__":
    STAGE.main(run)
