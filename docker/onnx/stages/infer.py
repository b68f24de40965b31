"""infer: run probes or examples through an ONNX model with ONNX Runtime, on the CPU, and keep the answers."""

import os

import questions
from stage import Stage, StageInputError, read_json, step

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("onnx", "folder with model.onnx and signature.json")
questions.declare(STAGE)


def run(args, report):
    """Load, answer, write answers.npz."""
    step("loading ONNX Runtime")
    import answers
    import numpy as np
    import onnxruntime

    step("loading the model")
    path = os.path.join(args.onnx, "model.onnx")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise StageInputError(
            "ONNX Runtime %s does not load %s: %s" % (onnxruntime.__version__, path, error)
        ) from error
    names = [output.name for output in session.get_outputs()]
    signature = read_json(args.onnx, "signature.json")
    sizes = signature["inputs"]["input_ids"]["shape"]
    batch, seq_len = (None if size < 0 else size for size in sizes)

    def run_model(feeds):
        return {name: np.array(value, np.float32) for name, value in zip(names, session.run(names, feeds))}

    found = questions.read(args, report).answer(run_model, batch=batch, seq_len=seq_len)
    answers.write_answers(args.out, found)
    report.packages = {"numpy": np.__version__, "onnxruntime": onnxruntime.__version__}
    report.inputs, report.outputs = signature["inputs"], signature["outputs"]


if __name__ == "__main__":
    STAGE.main(run)
