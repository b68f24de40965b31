"""The program `neuron-cc` of the stand-in."""

import argparse
import json
import os

from neuron_cc import __version__
from neuron_cc.graph import BadGraphError, read_nodes
from neuron_cc.misbehaviour import ACTS, misbehave
from neuron_cc.operators import OPERATORS

FP32_CASTS = ("all", "all-fp16", "matmult", "matmult-bf16", "matmult-fp16")
MAX_CORES = 64
"""An inf1.24xlarge has 16 devices of 4 cores."""


class RefusedError(Exception):
    """The graph or its io-config cannot be compiled; the message says why."""


def main(words=None):
    """Run the program; ends by SystemExit when it refuses."""
    args, other = _parser().parse_known_args(words)
    if args.command == "list-operators":
        print("\n".join(sorted(OPERATORS)))
        return
    if args.command != "compile":
        raise SystemExit("neuron-cc stand-in: say compile or list-operators; see --help")
    misbehave(args.stand_in)
    try:
        operators = _check(args)
    except (RefusedError, BadGraphError, OSError) as error:
        raise SystemExit("[neuron-cc stand-in]: ERROR: %s" % error) from error
    with open(args.output, "w") as file:
        if args.stand_in != "empty":
            json.dump(_neff(args, other, operators), file, sort_keys=True)
    print("[neuron-cc stand-in]: INFO: Compiler status PASS")


def _parser():
    parser = argparse.ArgumentParser(
        prog="neuron-cc",
        description="A STAND-IN for AWS's neuron-cc: it checks and compiles nothing. Its output runs on no device.",
    )
    parser.add_argument("--version", action="version", version="neuron-cc %s (a stand-in)" % __version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    listing = commands.add_parser("list-operators", help="the operators of a framework, one a line")
    listing.add_argument("--framework", choices=["TENSORFLOW"], required=True)
    command = commands.add_parser("compile", help="check a frozen GraphDef and write a stand-in for a NEFF")
    command.add_argument("file", help="a GraphDef")
    command.add_argument("--framework", choices=["TENSORFLOW"], required=True)
    command.add_argument("--io-config", required=True, help='{"inputs": {name: [shape, dtype]}, "outputs": [name]}')
    command.add_argument("--output", default="out.neff")
    command.add_argument("--pipeline", nargs="+", help="accepted as tensorflow-neuron says it")
    command.add_argument("--verbose")
    command.add_argument("--neuroncore-pipeline-cores", type=int, choices=range(1, MAX_CORES + 1), metavar="N")
    command.add_argument("--fp32-cast", choices=FP32_CASTS)
    command.add_argument("--stand-in", choices=ACTS, help="misbehave; for tests")
    return parser


def _check(args):
    """Refuse what the compiler would refuse at once; gives the number of operators."""
    config = _io_config(args.io_config)
    nodes = read_nodes(args.file)
    names = {node.name for node in nodes}
    for tensor in [*config["inputs"], *config["outputs"]]:
        if tensor.split(":")[0] not in names:
            raise RefusedError("--io-config names %s, which the graph does not have" % tensor)
    for tensor, (shape, _) in config["inputs"].items():
        if not all(isinstance(size, int) and size > 0 for size in shape):
            raise RefusedError("the shape of %s is not static: %s" % (tensor, json.dumps(shape)))
    strange = sorted({node.op for node in nodes} - OPERATORS)
    if strange:
        raise RefusedError("unsupported operators: %s" % ", ".join(strange))
    fed = {tensor.split(":")[0] for tensor in config["inputs"]}
    unfed = sorted(node.name for node in nodes if node.op == "Placeholder" and node.name not in fed)
    if unfed:
        raise RefusedError("--io-config leaves out the placeholders %s" % ", ".join(unfed))
    return sum(node.op not in ("Const", "Placeholder") for node in nodes)


def _io_config(text):
    """The io-config, given as JSON or as the name of a file that holds it."""
    try:
        if os.path.isfile(text):
            with open(text) as file:
                text = file.read()
        config = json.loads(text)
        inputs = {name: (list(shape), str(dtype)) for name, (shape, dtype) in config["inputs"].items()}
        outputs = [str(name) for name in config["outputs"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError("--io-config cannot be read: %r" % error) from error
    if not inputs or not outputs:
        raise RefusedError("--io-config has no inputs or no outputs")
    return {"inputs": inputs, "outputs": outputs}


def _neff(args, other, operators):
    """What stands in for a NEFF: what was asked for."""
    return {
        "stand-in": "neuron-cc %s: this is not a NEFF and runs on no device" % __version__,
        "fp32_cast": args.fp32_cast,
        "neuroncore_pipeline_cores": args.neuroncore_pipeline_cores or 1,
        "io_config": json.loads(args.io_config) if not os.path.isfile(args.io_config) else args.io_config,
        "operators": operators,
        "other": other,
    }


if __name__ == "__main__":
    main()
