"""ir-direct: a checkpoint → an OpenVINO IR with named inputs and outputs, written operator by operator.

Reads bert_config.json and the checkpoint, whose variables are mapped into memory and not copied; writes model.xml,
model.bin and signature.json. What it writes is bertbuild/model's description of the model. The parity gate compares it
with the source's own graph, or modeling.py's.
"""

import described_model
import guarded
from stage import Stage, step

STAGE = Stage("ir-direct", __doc__.splitlines()[0])
described_model.declare(STAGE)
STAGE.param("batch", "fixed batch size; 0 leaves it free (default)", type=int, default=0)
STAGE.param("seq-len", "fixed sequence length; 0 leaves it free (default)", type=int, default=0)
STAGE.param("precision", "of the stored weights (default: fp32)", choices=("fp32", "fp16"), default="fp32")
guarded.declare(STAGE)
STAGE.param("model", "the source model's name, written into the IR", default="")


def run(args, report):
    """Describe, write, save."""
    step("loading OpenVINO")
    from ir_file import packages, write_ir

    from bertbuild.model.model import ROLES
    from stages._folding import fold_constants
    from stages._writer import Writer

    batch, seq_len = args.batch or None, args.seq_len or None
    writer, tensors, gelu = described_model.describe(
        args, report, lambda tensor: Writer(tensor, ROLES, batch, seq_len, args.guard), args.seq_len
    )
    model = writer.model(tensors, args.model or "bert")
    if batch or seq_len:
        fold_constants(model)
    step("writing model.xml and model.bin")
    report.packages = packages("openvino", "numpy")
    write_ir(model, args, report, "direct", gelu, **guarded.facts(args))


if __name__ == "__main__":
    STAGE.main(run)
