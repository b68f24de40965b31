"""mo: the Model Optimizer itself, with the flags of OpenVINO's page on BERT, for people who must match it.

Three ways in: --checkpoint (with --metagraph where its own .meta is not of the published form) runs
`mo --input_meta_graph … --output bert/pooler/dense/Tanh --input Placeholder{i32},…`; --graph (a frozen graph as
somebody froze it) and --frozen (one of ours, with its signature) run
`mo --input_model … --input "IteratorGetNext:0{i32}[1 128],…"`. The page's --disable_nhwc_to_nchw is gone since
release 2023.0: the frontend no longer swaps axes, so there is nothing to disable.
"""

import contextlib
import os
import sys
import tempfile

from stage import Stage, StageInputError, step

STAGE = Stage("mo", __doc__.splitlines()[0])
STAGE.input("frozen", "folder with inference_graph.pb and signature.json", required=False)
STAGE.input("graph", "a frozen graph (.pb) as it was given", required=False)
STAGE.input("checkpoint", "folder with a checkpoint whose .meta is of the published form", required=False)
STAGE.input("metagraph", "folder with a .meta to use in place of the checkpoint's own", required=False)
STAGE.param("outputs", "of --graph: NODE[:port][:name] with commas (default: those that the graph tells)")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("batch", "batch size of the frozen route (default: 1)", type=int, default=1)
STAGE.param("seq-len", "sequence length of the frozen route (default: 128)", type=int, default=128)
STAGE.param("precision", "of the stored weights (default: fp32)", choices=("fp32", "fp16"), default="fp32")
STAGE.param("model", "the source model's name, written into the IR", default="")


def run(args, report):
    """Find the inputs, run mo, name the ports of what it made."""
    if sum(source is not None for source in (args.frozen, args.graph, args.checkpoint)) != 1:
        raise StageInputError("give one of --frozen, --graph and --checkpoint")
    step("loading OpenVINO")
    import openvino
    from ir_file import name_ports, packages, write_ir

    with tempfile.TemporaryDirectory() as folder:
        command, inputs, outputs, per_position, gelu = command_line(args, folder)
        command += ["--compress_to_fp16=%s" % (args.precision == "fp16"), "--output_dir", folder, "--model_name", "mo"]
        step("running mo")
        report.note("mo " + " ".join(os.path.basename(word) if os.path.isabs(word) else word for word in command))
        # stdout is for events only; the log keeps mo's own words.
        code = run_mo(command)
        if code:
            raise StageInputError("mo failed with exit code %d; its own words are above" % code)
        # Read without memory-mapping: the files are about to go.
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": False})
        model = core.read_model(os.path.join(folder, "mo.xml"))

    name_ports(model, inputs, outputs)
    report.packages = packages("openvino-dev", "openvino", "tensorflow-cpu")
    write_ir(model, args, report, "mo", gelu, per_position)
    report.facts["command"] = command


def run_mo(command):
    """Run mo inside this process: the processes that its own program starts would outlive a kill of the host."""
    from openvino.tools.mo.main import main
    from openvino.tools.mo.utils.cli_parser import get_all_cli_parser

    sys.argv = ["mo", *command]
    with contextlib.redirect_stdout(sys.stderr):
        return main(get_all_cli_parser(), None)


def command_line(args, folder):
    """The arguments that say what to convert, and role → tensor, output name → tensor, outputs per position, gelu."""
    from checkpoint_files import gather_published
    from ir_file import read_signature

    from bertbuild.families.bert_names import POOLER_OUTPUT

    if args.checkpoint:
        meta, roles, outputs, gelu = gather_published(args.checkpoint, args.prefix, args.metagraph, folder)
        meta = checked(meta, roles, {"pooled_output": POOLER_OUTPUT + ":0"}, folder)
        names = ",".join("%s{i32}" % tensor.split(":")[0] for tensor in sorted(roles.values()))
        flags = ["--input_meta_graph", meta, "--output", POOLER_OUTPUT, "--input", names]
        return flags, roles, outputs, [], gelu

    if args.frozen:
        path = os.path.join(args.frozen, "inference_graph.pb")
        roles, outputs, per_position, gelu = read_signature(args.frozen)
    else:
        path = args.graph
        roles, outputs, per_position, gelu = traced(path, args.outputs or "")
    path = checked(path, roles, outputs, folder)
    shape = "{i32}[%d %d]" % (args.batch, args.seq_len)
    flags = ["--input_model", path, "--input", ",".join(tensor + shape for tensor in sorted(roles.values()))]
    flags += ["--output", ",".join(mo_output(tensor) for tensor in outputs.values())]
    return flags, roles, outputs, per_position, gelu


def checked(path, roles, outputs, folder):
    """Make sure that mo is given no operators that may not run: it freezes variables by running the graph.

    Returns:
        the path of the graph for mo: the given one, or, where it has such operators that the outputs do not need, one
        in `folder` without them.

    Raises:
        StageInputError: what the outputs are computed by, or what restores the variables, holds such.
    """
    from bertbuild.graph.graphdef import read_graph, read_meta_graph
    from bertbuild.graph.loading import check_outputs, check_saver
    from bertbuild.graph.node import GraphFormatError
    from bertbuild.graph.pruning import pruned, pruned_meta

    meta = path.endswith(".meta")
    ends = outputs.values(), roles.values()
    try:
        graph = (read_meta_graph if meta else read_graph)(path)
        check_outputs(graph, *ends)
        check_saver(graph)
        content = (pruned_meta if meta else pruned)(graph, path, *ends)
    except GraphFormatError as error:
        raise StageInputError("mo is not run: %s" % str(error).rstrip(".")) from error
    if content is None:
        return path
    kept = os.path.join(folder, os.path.basename(path))  # beside the links to the checkpoint, where there is one
    if os.path.islink(kept):
        os.unlink(kept)
    with open(kept, "wb") as file:
        file.write(content)
    return kept


def traced(path, wanted):
    """As `ir_file.read_signature`, of a frozen graph without a signature."""
    from bertbuild.graph.gelu import gelu_form
    from bertbuild.graph.graphdef import read_graph
    from bertbuild.graph.node import GraphFormatError
    from bertbuild.graph.outputs import find_outputs
    from bertbuild.graph.roles import input_roles

    try:
        graph = read_graph(path)
        roles, gelu = input_roles(graph), gelu_form(graph)
        taken = find_outputs(graph, roles, wanted).taken
    except GraphFormatError as error:
        raise StageInputError(str(error)) from error
    outputs = {output.name: str(output.tensor) for output in taken}
    return roles, outputs, [output.name for output in taken if output.per_position], gelu


def mo_output(tensor):
    """A tensor as mo's --output takes it: a node, or "node:port"."""
    node, _, port = tensor.rpartition(":")
    return node if port == "0" else tensor


if __name__ == "__main__":
    STAGE.main(run)
