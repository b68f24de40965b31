"""What tensorflow.neuron.saved_model.compile does to google-research/bert's graph, as JSON. Run as fuse_check.py is."""

import json
import os
import sys

import numpy as np
import tensorflow as tf
import tensorflow.neuron as tfn
from bert import modeling

tf.compat.v1.logging.set_verbosity("ERROR")
LENGTH, BATCH, WORDS = 16, 4, 50
CONFIG = modeling.BertConfig(
    WORDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=40
)
ON_CPU = ("strided_slice", "ones", "Reshape", "Shape", "Cast")


def save(folder):
    """A SavedModel as run_classifier.py exports one: five inputs, two of which its answer does not need."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
        names = ("input_ids", "input_mask", "segment_ids")
        inputs = {name: tf.compat.v1.placeholder(tf.int32, [None, LENGTH], name=name) for name in names}
        for name in ("label_ids", "is_real_example"):
            inputs[name] = tf.compat.v1.placeholder(tf.int32, [None], name=name)
        model = modeling.BertModel(CONFIG, False, *(inputs[name] for name in names))
        probabilities = tf.nn.softmax(tf.compat.v1.layers.dense(model.get_pooled_output(), 2), name="loss/Softmax")
        tf.compat.v1.set_random_seed(1)
        sess.run([variable.assign(tf.random.normal(variable.shape, stddev=0.3)) for variable in tf.global_variables()])
        outputs = {"probabilities": probabilities, "pooled": model.get_pooled_output()}
        tf.compat.v1.saved_model.simple_save(sess, folder, inputs, outputs)


def feeds(batch):
    chance = np.random.RandomState(batch)
    mask = np.ones((batch, LENGTH), np.int32)
    mask[:, 9:] = 0
    return {
        "input_ids": chance.randint(0, WORDS, (batch, LENGTH)),
        "input_mask": mask,
        "segment_ids": chance.randint(0, 2, (batch, LENGTH)),
    }


def names_of(folder):
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as sess:
        tf.compat.v1.saved_model.loader.load(sess, ["serve"], folder)
        return [op.name for op in graph.get_operations()]


def demo_choice(folder):
    """The operators that the demonstration chooses for the device: encoder and pooler."""
    names = names_of(folder)
    left = ["bert/encoder/" + name for name in ON_CPU]
    chosen = [
        name
        for name in names
        if name.startswith(("bert/encoder", "bert/pooler"))
        and not any(name == scope or name.startswith(scope + "/") for scope in left)
    ]
    return {"no_fuse_ops": names, "force_fuse_ops": chosen}


def signature_shapes(folder):
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
        signature = tf.compat.v1.saved_model.loader.load(sess, ["serve"], folder).signature_def["serving_default"]
    infos = [*signature.inputs.items(), *signature.outputs.items()]
    return {name: [dim.size for dim in info.tensor_shape.dim] for name, info in infos}


def seen(source, folder, batches):
    """What is in a compiled SavedModel, and how far its answers are from its source's."""
    theirs, ours = (tf.contrib.predictor.from_saved_model(path) for path in (source, folder))
    nodes = [node for node in ours.graph.as_graph_def().node if node.op == "NeuronOp"]
    errors = {}
    for batch in batches:
        want, got = theirs(feeds(batch)), ours(feeds(batch))
        errors[batch] = max(float(np.abs(want[name] - got[name]).max()) for name in want)
    return {
        "nodes": [node.name for node in nodes],
        "axes": [list(node.attr["input_batch_axis"].list.i) for node in nodes],
        "executables": [json.loads(node.attr["executable"].s.decode()) for node in nodes],
        "on_cpu": sorted(op.name for op in ours.graph.get_operations() if op.type == "MatMul"),
        "shapes": signature_shapes(folder),
        "errors": errors,
    }


def compiled(source, folder, batches=(BATCH,), **settings):
    ratio = tfn.saved_model.compile(source, folder, batch_size=BATCH, **settings)
    return dict(seen(source, folder, batches), ratio=ratio["OnNeuronRatio"])


def refusal(call):
    """Name of the exception."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - its kind is the answer
        return type(error).__name__
    return None


def main():
    folder = sys.argv[1]
    source = os.path.join(folder, "source")
    save(source)
    demo = demo_choice(source)

    def at(name, **settings):
        return compiled(source, os.path.join(folder, name), **settings)

    answer = {
        "demo": at("demo", compiler_args=["--fp32-cast", "all"], compiler_workdir=os.path.join(folder, "work"), **demo),
        "free": at("free"),
        "dynamic": at("dynamic", dynamic_batch_size=True, batches=(1, BATCH, 7)),
        "few": at("few", compiler_args=["--stand-in", "few"], **demo),
        "fail": at("fail", compiler_args=["--stand-in", "fail"], **demo),
        "late": at("late", compiler_args=["--stand-in", "slow"], compiler_timeout=1, **demo),
        "other_batch": refusal(lambda: seen(source, os.path.join(folder, "demo"), [2])),
        "unknown": refusal(lambda: at("unknown", compiler_arguments=["--fp32-cast", "all"])),
        "again": refusal(lambda: at("demo")),
        "no_recovery": refusal(lambda: at("n", compiler_recovery=False, compiler_args=["--stand-in", "empty"], **demo)),
    }
    os.environ["PATH"], sys.executable = "/nowhere", "/nowhere/python"
    answer["missing"] = at("missing", **demo)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
