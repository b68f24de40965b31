"""neuron-ready: a BERT checkpoint or SavedModel → a SavedModel in two parts, for the host and for the Neuron compiler.

It is a plain SavedModel that TensorFlow 1.15 runs on any CPU, with any batch. Everything between the tensors
device/embeddings, device/mask_bias and the other device/… tensors is the device part; signature.json lists them.
"""

import asked_outputs
from stage import Stage, StageInputError, step, write_json

EXACT = "exact"

STAGE = Stage("neuron-ready", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json and the checkpoint's files", required=False)
STAGE.input("saved-model", "SavedModel of export or of run_classifier, with variables or frozen", required=False)
STAGE.param("seq-len", "sequence length (default: the SavedModel's; of a checkpoint 128)", type=int)
STAGE.param("dtype", "of the device part (default: float16)", choices=("float16", "float32"), default="float16")
STAGE.param(
    "gelu",
    "exact: as the source computes it (default); tanh, sigmoid: cheaper and farther from it",
    choices=(EXACT, "tanh", "sigmoid"),
    default=EXACT,
)
asked_outputs.declare(STAGE, "of a checkpoint pooled, of a SavedModel all it gives that is known")
STAGE.param("batch-size", "batch the device part is going to be compiled for (default: 4)", type=int, default=4)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")


def run(args, report):
    """Read the source, build the graph, give it the weights, save it."""
    if (args.checkpoint is None) == (args.saved_model is None):
        raise StageInputError("give either --checkpoint or --saved-model")
    if args.batch_size < 1:
        raise StageInputError("--batch-size must be at least 1 (got %d)" % args.batch_size)
    step("loading TensorFlow")
    import tensorflow as tf

    from stages import _device_part, _neuron_activation, _neuron_graph, _operators, _saved_model, _signature

    source, wanted = open_source(args)
    seq_len = source_seq_len(source, args.seq_len)
    own_gelu = source.gelu("auto", report)
    gelu = own_gelu if args.gelu == EXACT or own_gelu is None else args.gelu

    step("counting the source's operators")
    before = source.compute_operators(own_gelu, wanted, seq_len)

    step("building the graph")
    inputs = {tensor.op.name: tensor for tensor in _signature.placeholders(None, seq_len)}
    graph = _neuron_graph.NeuronGraph(
        source,
        _neuron_activation.activation(source.config, gelu),
        tf.as_dtype(args.dtype),
        seq_len,
        wanted,
        list(inputs.values()),
    )
    graph_def = tf.compat.v1.get_default_graph().as_graph_def()
    after = _operators.compute_operators(graph_def, [tensor.op.name for tensor in graph.outputs.values()])
    device = _device_part.device_operators(graph_def, graph, args.batch_size)

    with tf.compat.v1.Session() as session:
        step("reading the weights")
        graph.load(session)
        step("writing the SavedModel")
        _saved_model.write(args.out, session, inputs, graph.outputs)

    report.inputs = _signature.describe(inputs)
    report.outputs = _signature.describe(graph.outputs)
    report.operators = dict(after)
    report.packages = _signature.packages()
    report.facts = {
        "gelu": gelu,
        "dtype": args.dtype,
        "seq_len": seq_len,
        "compute_operators": {
            "source": sum(before.values()),
            "neuron_ready": sum(after.values()),
            "device": sum(device.values()),
        },
        "source_operators": dict(before),
        "device_operators": dict(device),
    }
    report.note(
        "%d operators of the source became %d, %d of them for the device"
        % (sum(before.values()), sum(after.values()), sum(device.values()))
    )
    signature = {
        "inputs": report.inputs,
        "outputs": report.outputs,
        "gelu": gelu,
        "dtype": args.dtype,
        "seq_len": seq_len,
        "device": {
            "inputs": _signature.describe(graph.device_inputs),
            "outputs": _signature.describe(graph.device_outputs),
            "batch_size": args.batch_size,
        },
    }
    write_json(args.out, "signature.json", signature)


def open_source(args):
    """The model to read from, and what is wanted of it, as --output calls it."""
    from stages import _saved_model_source, _source

    if args.saved_model is None:
        outputs, heads = asked_outputs.read(args)
        return _source.Source(args.checkpoint, args.prefix, heads), outputs
    source = _saved_model_source.SavedModelSource(args.saved_model, args.output.split(",") if args.output else None)
    return source, source.outputs


def source_seq_len(source, wanted):
    """The sequence length: the SavedModel's, else as asked, else 128.

    Raises:
        StageInputError: the SavedModel has another one than was asked for, or the positions do not reach so far.
    """
    if source.seq_len is not None and wanted not in (None, source.seq_len):
        raise StageInputError(
            "--seq-len=%d, but the SavedModel is exported for %d; export it again with the other length"
            % (wanted, source.seq_len)
        )
    seq_len = source.seq_len or wanted or 128
    source.check_seq_len(seq_len)
    return seq_len


if __name__ == "__main__":
    STAGE.main(run)
