"""infer: run probes or examples through a checkpoint's TensorFlow 1 graph, a frozen graph, or a SavedModel.

For a checkpoint the variables are restored by TensorFlow's own Saver, so that neither our freezing nor our reading of
files stands between the source and its answers; and where the checkpoint's .meta is of the published form, that graph
answers too ("published/<probe>/pooled_output").
"""

import questions
from stage import Stage, StageInputError, step

from stages import _outputs

SCORE = "score"

STAGE = Stage("infer", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files", required=False)
STAGE.input("frozen", "a frozen graph (.pb), or the folder of the stage freeze", required=False)
STAGE.input("saved-model", "a SavedModel, of export, of neuron-ready or of run_classifier", required=False)
questions.declare(STAGE)
STAGE.param("outputs", "of a frozen graph that is not freeze's or extract's, and of a SavedModel: as in extract")
_outputs.declare(STAGE, "of a checkpoint pooled, of a SavedModel all it gives")
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("gelu", "as in freeze (default: auto)", choices=("auto", "erf", "tanh"), default="auto")


def run(args, report):
    """Answer, write answers.npz."""
    if sum(source is not None for source in (args.checkpoint, args.frozen, args.saved_model)) != 1:
        raise StageInputError("give one of --checkpoint, --frozen and --saved-model")
    step("loading TensorFlow")
    import answers

    from stages import _signature, _source

    asked = questions.read(args, report)
    if args.frozen:
        found = from_frozen(args.frozen, args.outputs, asked)
    elif args.saved_model:
        found = from_saved_model(args.saved_model, args.outputs, args.output, asked)
    else:
        wanted, heads = _outputs.asked(args)
        source = _source.Source(args.checkpoint, args.prefix, heads)
        gelu = source.gelu(args.gelu, report)
        found = from_checkpoint(source, gelu, wanted, asked)
        if _outputs.POOLED in wanted and args.probes:  # all that the published graphs compute
            found.update(from_published_graph(source, gelu, asked))
        report.facts["gelu"] = gelu
    answers.write_answers(args.out, found)
    report.packages = _signature.packages()


def from_checkpoint(source, gelu, outputs, asked):
    """Answers of google-research/bert's graph with the checkpoint restored into its variables."""
    import answers

    from stages import _bert, _signature
    from stages._tensorflow import tf

    with tf.Graph().as_default():
        inputs = _signature.placeholders(None, None)
        tensors = _bert.build(source, gelu, inputs, outputs)
        with tf.compat.v1.Session() as session:
            source.restore(session)
            return asked.answer(runner(session, dict(zip(answers.ROLES, inputs)), tensors))


def from_published_graph(source, gelu, probes):
    """Answers of the graph in the checkpoint's own .meta, or none where that is not of the published form.

    None too where another gelu than its own was asked for: then it is right that the two differ.
    """
    import answers

    from bertbuild.families.bert_names import POOLER_OUTPUT
    from bertbuild.graph.gelu import gelu_form
    from bertbuild.graph.graphdef import read_meta_graph
    from bertbuild.graph.published import published_form
    from stages._tensorflow import importing, tf

    if source.meta is None:
        return {}
    graph = read_meta_graph(source.meta)
    form = published_form(graph)
    if form is None or gelu_form(graph) != gelu:
        return {}
    with tf.Graph().as_default() as default, tf.compat.v1.Session() as session:
        with importing(source.meta):
            saver = tf.compat.v1.train.import_meta_graph(source.meta, clear_devices=True)
        saver.restore(session, source.prefix)
        feeds = {role: default.get_tensor_by_name(form.roles[role]) for role in answers.ROLES}
        tensors = {_outputs.tensor_name(_outputs.POOLED): default.get_tensor_by_name(POOLER_OUTPUT + ":0")}
        return probes.answer(
            runner(session, feeds, tensors), batch=form.batch, seq_len=form.seq_len, prefix="published/"
        )


def from_frozen(path, wanted, asked):
    """Answers of a frozen graph: of all its outputs, or the `wanted` ones, as extract takes them; floats as float32."""
    import answers
    import numpy as np

    from stages import _given_graph, _half_products
    from stages._tensorflow import importing, tf

    foreign = _given_graph.read(path, wanted)
    _half_products.accumulate_in_float32(foreign.graph_def)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        with importing(path):
            tf.import_graph_def(foreign.graph_def, name="")
        feeds = {role: graph.get_tensor_by_name(foreign.roles[role]) for role in answers.ROLES}
        tensors = {name: graph.get_tensor_by_name(tensor) for name, tensor in foreign.outputs.items()}
        run_session = runner(session, feeds, tensors)

        def run_graph(values):
            given = run_session(values)
            return {name: np.asarray(value, whole(value.dtype) or np.float32) for name, value in given.items()}

        batch, seq_len = foreign.sizes
        return asked.answer(run_graph, batch=batch, seq_len=seq_len, per_position=foreign.per_position)


def whole(dtype):
    """A type of whole numbers (classes) itself, else None."""
    return dtype if dtype.kind in "iu" else None


def from_saved_model(folder, named, wanted, asked):
    """Answers of a SavedModel: all it gives, or of that what is `wanted` ("pooled,sequence").

    What else its signature asks for is fed nothing. `named` says which tensors it gives under which names, where those
    of its signature are other ones than ours.
    """
    import answers

    from bertbuild.graph.graphdef import GraphFormatError
    from bertbuild.graph.saved_model import read_saved_model
    from stages import _saved_model
    from stages._tensorflow import tf

    try:
        model = read_saved_model(folder)
        roles, outputs, sizes = model.roles(), model.given(named or ""), (model.fixed_size(0), model.fixed_size(1))
    except GraphFormatError as error:
        raise StageInputError(str(error)) from error
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        _saved_model.load(folder, session)
        feeds = {role: graph.get_tensor_by_name(roles[role]) for role in answers.ROLES}
        names = [_outputs.tensor_name(output) for output in wanted.split(",")] if wanted else outputs
        tensors = {name: graph.get_tensor_by_name(tensor) for name, tensor in outputs.items() if name in names}
        if SCORE in tensors and tensors[SCORE].shape.rank == 2:
            tensors[SCORE] = tf.squeeze(tensors[SCORE], [-1])  # as some export it: [B, 1]
        return asked.answer(runner(session, feeds, tensors), batch=sizes[0], seq_len=sizes[1])


def runner(session, feeds, tensors):
    """A function of role → array that runs the session."""

    def run_session(values):
        return session.run(tensors, {feeds[role]: value for role, value in values.items()})

    return run_session


if __name__ == "__main__":
    STAGE.main(run)
