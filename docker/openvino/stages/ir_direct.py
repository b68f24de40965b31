"""ir-direct: a checkpoint → an OpenVINO IR with named inputs and outputs, written operator by operator.

Reads bert_config.json and the checkpoint, whose variables are mapped into memory and not copied; writes model.xml,
model.bin and signature.json. What it writes is bertbuild/model's description of the model. The parity gate compares it
with the source's own graph, or modeling.py's.
"""

from pathlib import Path

import asked_outputs
from stage import Stage, StageInputError, step

STAGE = Stage("ir-direct", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
asked_outputs.declare(STAGE)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("gelu", "form of gelu, where the model has one (default: erf)", choices=("erf", "tanh"), default="erf")
STAGE.param("batch", "fixed batch size; 0 leaves it free (default)", type=int, default=0)
STAGE.param("seq-len", "fixed sequence length; 0 leaves it free (default)", type=int, default=0)
STAGE.param("precision", "of the stored weights (default: fp32)", choices=("fp32", "fp16"), default="fp32")
STAGE.param("model", "the source model's name, written into the IR", default="")

ACTIVATIONS = {"erf": "erf", "tanh": "tanh-gelu"}


def run(args, report):
    """Describe, write, save."""
    step("loading OpenVINO")
    from checkpoint_files import find_prefix
    from ir_file import packages, write_ir

    from bertbuild.errors import BertbuildError

    try:
        model, gelu = write(args, Path(find_prefix(args.checkpoint, args.prefix)))
    except BertbuildError as error:
        raise StageInputError(str(error)) from error
    step("writing model.xml and model.bin")
    report.packages = packages("openvino", "numpy")
    write_ir(model, args, report, "direct", gelu)


def write(args, prefix):
    """The openvino.Model, and its form of gelu, None where it has none.

    Raises:
        BertbuildError: the checkpoint or its configuration cannot be read.
        StageInputError: there is no such output or head.
    """
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.config import read_config
    from bertbuild.checkpoint.graph_facts import graph_facts
    from bertbuild.families.bert_names import CONFIG_FILE
    from bertbuild.model.encoder import Sizes
    from bertbuild.model.model import ROLES, describe
    from stages._folding import fold_constants
    from stages._writer import Writer

    config = read_config(Path(args.checkpoint) / CONFIG_FILE)
    gelu = args.gelu if config.hidden_act == "gelu" else None
    meta = prefix.with_name(prefix.name + ".meta")
    computed = graph_facts(meta).epsilon if config.layer_norm_eps is None and meta.exists() else None
    sizes = Sizes(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        hidden=config.hidden_size,
        activation=ACTIVATIONS[gelu] if gelu else config.hidden_act,
        epsilon=config.epsilon(computed),
    )
    if args.seq_len > config.max_position_embeddings:
        raise StageInputError(
            "--seq-len=%d is longer than the model's %d positions" % (args.seq_len, config.max_position_embeddings)
        )
    step("writing the graph")
    writer = Writer(CheckpointReader(prefix).mapped, ROLES, args.batch or None, args.seq_len or None)
    outputs, heads = asked_outputs.read(args)
    try:
        tensors = describe(writer, sizes, writer.inputs, heads, outputs)
    except LookupError as error:
        raise StageInputError("none of --heads gives --output %s" % error) from error
    model = writer.model(tensors, args.model or "bert")
    if args.batch or args.seq_len:
        fold_constants(model)
    return model, gelu


if __name__ == "__main__":
    STAGE.main(run)
