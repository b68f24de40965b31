"""infer: run probes or examples through a checkpoint's TensorFlow 1 graph, a frozen graph, or a SavedModel.

A checkpoint's own graph, in its .meta, answers where it computes what is asked for, also one that was saved while
training; else google-research/bert's code does, with the checkpoint's variables. reference.json says who answered what.
A graph is run only by operators of a stated list (bertbuild/graph/operators.py).
"""

import answered
import asked_outputs
import questions
from stage import Stage, StageInputError, step

from bertbuild.heads.found import tensor_name

SCORE = "score"

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files", required=False)
STAGE.input("frozen", "a frozen graph (.pb), or the folder of the stage freeze", required=False)
STAGE.input("saved-model", "a SavedModel, of export, of neuron-ready or of run_classifier", required=False)
questions.declare(STAGE)
STAGE.param("outputs", "of a frozen graph that is not freeze's or extract's, and of a SavedModel: as in extract")
asked_outputs.declare(STAGE, "of a checkpoint pooled, of a SavedModel all it gives")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("reference", "of a checkpoint: its own graph alone, for what that is asked", choices=("own-graph",))
STAGE.param("gelu", "as in freeze (default: auto)", choices=("auto", "erf", "tanh"), default="auto")


def run(args, report):
    """Answer, write answers.npz and reference.json."""
    if sum(source is not None for source in (args.checkpoint, args.frozen, args.saved_model)) != 1:
        raise StageInputError("give one of --checkpoint, --frozen and --saved-model")
    step("loading TensorFlow")
    import answers

    from stages import _reference, _signature, _source

    asked = questions.read(args, report)
    if args.frozen:
        found = from_frozen(args.frozen, args.outputs, asked)
        rows = answered.rows(_reference.GIVEN_GRAPH, found)
    elif args.saved_model:
        found = from_saved_model(args.saved_model, args.outputs, args.output, asked)
        rows = answered.rows(_reference.SAVED_MODEL, found)
    else:
        wanted, heads = asked_outputs.read(args)
        source = _source.Source(args.checkpoint, args.prefix, heads)
        gelu = source.gelu(args.gelu, report)
        ask = _reference.own_graph if args.reference else _reference.answer
        found, rows = ask(source, gelu, wanted, asked)
        report.facts["gelu"] = gelu
    answers.write_answers(args.out, found)
    answered.write(args.out, rows)
    report.packages = _signature.packages()


def from_frozen(path, wanted, asked):
    """Answers of a frozen graph: of all its outputs, or the `wanted` ones, as extract takes them; floats as float32."""
    import answers
    import numpy as np

    from stages import _cut_graph, _given_graph, _reference
    from stages._tensorflow import tf

    given = _given_graph.read(path, wanted)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        _cut_graph.load(given.content, path, session)
        feeds = {role: graph.get_tensor_by_name(given.inputs[role]) for role in answers.ROLES}
        tensors = {name: graph.get_tensor_by_name(tensor) for name, tensor in given.outputs.items()}
        run_session = _reference.runner(session, feeds, tensors)

        def run_graph(values):
            found = run_session(values)
            return {name: np.asarray(value, whole(value.dtype) or np.float32) for name, value in found.items()}

        batch, seq_len = given.sizes
        return asked.answer(run_graph, batch=batch, seq_len=seq_len, per_position=given.per_position)


def whole(dtype):
    """A type of whole numbers (classes) itself, else None."""
    return dtype if dtype.kind in "iu" else None


def from_saved_model(folder, named, wanted, asked):
    """Answers of a SavedModel: all it gives, or of that what is `wanted` ("pooled,sequence").

    What else its signature asks for is fed nothing. `named` says which tensors it gives under which names, where those
    of its signature are other ones than ours.
    """
    from bertbuild.graph.node import GraphFormatError
    from bertbuild.graph.saved_model import read_saved_model
    from stages import _reference, _saved_model
    from stages._tensorflow import tf

    try:
        model = read_saved_model(folder)
        outputs, sizes = model.given(named or ""), (model.fixed_size(0), model.fixed_size(1))
    except GraphFormatError as error:
        raise StageInputError(str(error)) from error
    names = [tensor_name(output) for output in wanted.split(",")] if wanted else outputs
    chosen = {name: tensor for name, tensor in outputs.items() if name in names}
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        feeds = _saved_model.load(folder, model, chosen.values(), session)
        tensors = {name: graph.get_tensor_by_name(tensor) for name, tensor in chosen.items()}
        if SCORE in tensors and tensors[SCORE].shape.rank == 2:
            tensors[SCORE] = tf.squeeze(tensors[SCORE], [-1])  # as some export it: [B, 1]
        return asked.answer(_reference.runner(session, feeds, tensors), batch=sizes[0], seq_len=sizes[1])


if __name__ == "__main__":
    STAGE.main(run)
