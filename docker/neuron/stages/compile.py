"""compile: a SavedModel that was made ready for Neuron, or exported → one whose encoder runs on AWS Inferentia.

--neuron-ready compiles the device part of what the stage neuron-ready made, as one subgraph; the result takes any
batch. --saved-model compiles an exported SavedModel of modeling.py's graph as it is (the standard way), encoder and
pooler forced onto the device; the batch is fixed unless the compiler can free it. Neither needs a device; both take
much memory (about 32 GB for BERT-Large) and time.
"""

import os
import shlex
import shutil

from stage import Stage, StageInputError, read_json, step, write_json

STAGE = Stage("compile", __doc__.splitlines()[0])
STAGE.input("neuron-ready", "folder of the stage neuron-ready", required=False)
STAGE.input("saved-model", "folder of a SavedModel, to be compiled the standard way", required=False)
STAGE.param("batch-size", "rows that one run on the device takes (default: 4)", type=int, default=4)
STAGE.param("neuroncore-pipeline-cores", "cores that share the model as a pipeline (default: 1)", type=int, default=1)
STAGE.param("compiler-args", "more arguments for neuron-cc, in one string", default="")
STAGE.param("timeout", "seconds the compilation may take (default: 36000)", type=int, default=36000)
STAGE.param(
    "min-on-neuron", "share of the operators that must be on the device, 0 to 1 (default: 0.5)", type=float, default=0.5
)
STAGE.param(
    "min-memory",
    "GB of free memory to ask for; 0 asks for none (default: 32 for BERT-Large, others in proportion)",
    type=float,
)

FUSED, STANDARD = "fused", "standard"
LOG = "compile.log"
MARGIN_SECONDS = 60
"""tensorflow-neuron's own time limit comes this much after ours, which says why it ends."""


def run(args, report):
    """Compile, judge what came out, write it with its signature."""
    check(args)
    from stages import _may_run

    given = "neuron_ready" if args.neuron_ready else "saved_model"
    with _may_run.checked(getattr(args, given)) as folder:
        setattr(args, given, folder)
        compile_checked(args, report)


def compile_checked(args, report):
    """The same of a SavedModel that may be loaded."""
    from stages import _memory, _packages

    step("loading TensorFlow")
    tensorflow_neuron, compiler = _packages.tensorflow_neuron(), _packages.neuron_cc()
    report.packages = _packages.versions("tensorflow", "tensorflow-neuron", "neuron-cc", "numpy", "protobuf")

    from stages import _compilers, _operators, _saved_model, _watch

    source = _saved_model.read(args.neuron_ready or args.saved_model)
    work = (fused if args.neuron_ready else standard)(args, source, tensorflow_neuron, _operators.known_to(compiler))
    _memory.require(_saved_model.parameters(args.neuron_ready or args.saved_model), args.min_memory)

    # Not in /tmp, which a container keeps in memory: the compiler lays down several copies of the weights.
    folder = os.path.abspath(os.path.join(args.out, ".neuron-cc"))
    os.mkdir(folder)
    os.environ["TMPDIR"] = folder
    step("compiling")
    try:
        with _compilers.Compilers(os.path.join(args.out, LOG), folder) as compilers:
            _watch.watched(lambda: work(folder), compilers, args.timeout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what the compiler had left when it was killed
    judge(args, report, source, compilers.commands)


def check(args):
    """Refuse invalid parameters."""
    if (args.neuron_ready is None) == (args.saved_model is None):
        raise StageInputError("give either --neuron-ready or --saved-model")
    for name in ("batch_size", "neuroncore_pipeline_cores", "timeout"):
        if getattr(args, name) < 1:
            raise StageInputError("--%s must be at least 1 (got %d)" % (name.replace("_", "-"), getattr(args, name)))
    if not 0 <= args.min_on_neuron <= 1:
        raise StageInputError("--min-on-neuron must be in [0, 1] (got %s)" % args.min_on_neuron)
    try:
        shlex.split(args.compiler_args)
    except ValueError as error:
        raise StageInputError("--compiler-args=%s: %s" % (args.compiler_args, error)) from error


def compiler_args(args):
    """The arguments for neuron-cc. Who gives --fp32-cast replaces ours, which is the one of AWS's BERT demo."""
    given = shlex.split(args.compiler_args)
    words = ["--neuroncore-pipeline-cores", str(args.neuroncore_pipeline_cores)]
    if args.neuron_ready and not any(word.split("=")[0] == "--fp32-cast" for word in given):
        words += ["--fp32-cast", "matmult"]
    return words + given


def fused(args, source, tensorflow_neuron, known):
    """Prepare the fused way; returns a function of a folder to work in that does it."""
    from stages import _fused, _operators, _saved_model

    device = read_json(args.neuron_ready, "signature.json").get("device")
    if device is None:
        raise StageInputError("%s says nothing of a device part; the stage neuron-ready makes one" % args.neuron_ready)
    signature = source.signature_def[_saved_model.SIGNATURE]
    outputs = [_saved_model.node_of(info.name) for info in signature.outputs.values()]
    wanted = outputs + [_saved_model.node_of(info.name) for info in signature.inputs.values()]
    frozen = _saved_model.freeze(args.neuron_ready, source, wanted)
    part = _fused.device_part(frozen, device)
    _operators.require_known({node.op for node in part.node}, known)

    def work(folder):
        fuse = tensorflow_neuron.fuse(
            compiler_args=compiler_args(args), timeout=args.timeout + MARGIN_SECONDS, workdir=folder
        )
        compiled = _fused.compile_part(fuse, part, device, args.batch_size)
        _saved_model.write(args.out, _fused.assemble(frozen, device, compiled, wanted), signature)

    return work


def standard(args, source, tensorflow_neuron, known):
    """Prepare the standard way; returns a function of a folder to work in that does it."""
    from stages import _operators, _saved_model, _standard

    seq_len(source)
    names, forced = _standard.placement(source.graph_def)
    signature = source.signature_def[_saved_model.SIGNATURE]
    outputs = [_saved_model.node_of(info.name) for info in signature.outputs.values()]
    _operators.require_known(_standard.work_of(source.graph_def, outputs, forced), known)

    def work(folder):
        made = os.path.join(folder, "saved_model")
        tensorflow_neuron.saved_model.compile(
            args.saved_model,
            made,
            batch_size=args.batch_size,
            no_fuse_ops=names,
            force_fuse_ops=forced,
            compiler_args=compiler_args(args),
            compiler_timeout=args.timeout + MARGIN_SECONDS,
            compiler_workdir=os.path.join(folder, "neuron-cc"),
        )
        _saved_model.rewrite(args.out, _saved_model.read(made))
        if os.path.isdir(os.path.join(made, "variables")) and os.listdir(os.path.join(made, "variables")):
            shutil.move(os.path.join(made, "variables"), args.out)

    return work


def judge(args, report, source, commands):
    """Count, compare, and write what was found; refuse a model that the device would do too little of."""
    from stages import _compiled, _saved_model

    result = _saved_model.read(args.out)
    before, after = (graph.signature_def[_saved_model.SIGNATURE] for graph in (source, result))
    _compiled.require_same_signature(before, after, args.batch_size)
    placed = _compiled.placement(result)
    on_neuron, on_cpu, share = sum(placed.on_neuron.values()), sum(placed.on_cpu.values()), _compiled.share(placed)
    found = "%d of %d operators are on the Neuron device (%.1f %%), %d on the CPU" % (
        on_neuron,
        on_neuron + on_cpu,
        100 * share,
        on_cpu,
    )
    if share < args.min_on_neuron:
        raise StageInputError("only %s; --min-on-neuron=%s asks for more" % (found, args.min_on_neuron))
    report.note(found)
    report.inputs, report.outputs = _saved_model.ports(after.inputs), _saved_model.ports(after.outputs)
    report.operators = dict(placed.on_neuron + placed.on_cpu)
    report.facts = {
        "way": FUSED if args.neuron_ready else STANDARD,
        "operators_on_neuron": on_neuron,
        "operators_on_cpu": on_cpu,
        "share_on_neuron": round(share, 4),
        "executable_bytes": placed.executable_bytes,
        "compiler_commands": commands,
    }
    write_json(args.out, "signature.json", described(args, source, report))


def described(args, source, report):
    """What signature.json says of the compiled model."""
    known = origin(args)
    return {
        "inputs": report.inputs,
        "outputs": report.outputs,
        "gelu": known["gelu"],
        "dtype": known["dtype"],
        "seq_len": seq_len(source),
        "batch_size": args.batch_size,
        "dynamic_batch": all(port["shape"][0] == -1 for port in report.inputs.values()),
        "way": report.facts["way"],
    }


def origin(args):
    """Form of gelu and dtype of the source."""
    if args.neuron_ready:
        return read_json(args.neuron_ready, "signature.json")
    from bertbuild.graph.gelu import gelu_form
    from bertbuild.graph.node import GraphFormatError
    from bertbuild.graph.saved_model import read_saved_model

    try:
        return {"gelu": gelu_form(read_saved_model(args.saved_model).graph), "dtype": "float32"}
    except GraphFormatError as error:
        raise StageInputError("%s" % error) from error


def seq_len(source):
    """The one sequence length that a SavedModel's inputs have.

    Raises:
        StageInputError: they have none.
    """
    from stages import _saved_model

    ports = _saved_model.ports(source.signature_def[_saved_model.SIGNATURE].inputs)
    lengths = {port["shape"][1] for port in ports.values() if port["shape"] is not None and len(port["shape"]) == 2}
    if len(lengths) != 1 or -1 in lengths:
        raise StageInputError(
            "the SavedModel's inputs have no fixed sequence length, which the compiler needs; export it with --seq-len"
        )
    return lengths.pop()


if __name__ == "__main__":
    STAGE.main(run)
