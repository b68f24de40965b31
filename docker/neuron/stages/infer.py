"""infer: run probes or examples through a model that was compiled for a Neuron device, on such a device.

Inputs that only training needs (label_ids, is_real_example) are fed zeros.
"""

import questions
from stage import Stage, StageInputError, read_json, step

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("compiled", "folder of the stage compile")
questions.declare(STAGE)


def run(args, report):
    """Answer, write answers.npz."""
    from stages import _may_run

    with _may_run.checked(args.compiled) as args.compiled:
        answer(args, report)


def answer(args, report):
    """The same of a model that may be loaded."""
    from bertbuild.graph.node import GraphFormatError
    from bertbuild.graph.saved_model import read_saved_model

    signature = read_json(args.compiled, "signature.json")
    try:
        saved_model = read_saved_model(args.compiled)
        roles, outputs = saved_model.roles(), saved_model.given()
    except GraphFormatError as error:
        raise StageInputError("%s" % error) from error

    step("loading TensorFlow")
    import answers
    import tensorflow as tf

    from stages import _packages, _saved_model

    _packages.tensorflow_neuron()
    others = [port for port in saved_model.inputs.values() if port.tensor not in roles.values()]
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, [_saved_model.TAG], args.compiled)
        feeds = {role: graph.get_tensor_by_name(tensor) for role, tensor in roles.items()}
        unused = [graph.get_tensor_by_name(port.tensor) for port in others]
        wanted = {name: graph.get_tensor_by_name(tensor) for name, tensor in outputs.items()}
        found = questions.read(args, report).answer(
            runner(session, feeds, unused, wanted),
            batch=None if signature["dynamic_batch"] else signature["batch_size"],
            seq_len=signature["seq_len"],
        )
    answers.write_answers(args.out, found)
    report.packages = _packages.versions("tensorflow", "tensorflow-neuron", "numpy", "protobuf")


def runner(session, feeds, unused, wanted):
    """A function of role → int32 array [B, S] that runs the session and gives output name → float32 array [B, …]."""
    import numpy as np

    def run_session(values):
        fed = {feeds[role]: value for role, value in values.items()}
        rows = len(values["input_ids"])
        for tensor in unused:
            fed[tensor] = np.zeros([rows, *tensor.shape.as_list()[1:]], tensor.dtype.as_numpy_dtype)
        return {name: value.astype(np.float32) for name, value in session.run(wanted, fed).items()}

    return run_session


if __name__ == "__main__":
    STAGE.main(run)
