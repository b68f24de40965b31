"""What a fused function does in TensorFlow 1.15, as JSON. Run in an environment that has the stand-ins."""

import json
import os
import sys
import time

import numpy as np
import tensorflow as tf
import tensorflow.neuron as tfn

tf.compat.v1.logging.set_verbosity("ERROR")
BATCH, LENGTH, UNITS = 4, 3, 300
WEIGHTS = [np.random.RandomState(seed).standard_normal((UNITS, UNITS)).astype("f") / UNITS for seed in (1, 2)]


def encoder(weights):
    """A function of two tensors with a large constant, written for any batch."""

    def encode(rows, mask):
        with tf.name_scope("bert/encoder"):
            flat = tf.reshape(rows, [-1, UNITS])
            product = tf.reshape(tf.matmul(flat, weights), [-1, LENGTH, UNITS])
            return {"sum": tf.reduce_sum(product * mask, axis=-1), "tanh": tf.tanh(product)}

    return encode


def fused(compiler_args=(), **settings):
    """A graph whose first NeuronOp feeds a second one; both re-wired past the reshapes that fix the batch."""
    rows = tf.compat.v1.placeholder(tf.float32, [None, LENGTH, UNITS], name="rows")
    mask = tf.compat.v1.placeholder(tf.float32, [None, LENGTH, 1], name="mask")
    fixed_rows = tf.reshape(rows, [BATCH, LENGTH, UNITS], name="fixed_rows")
    fixed_mask = tf.reshape(mask, [BATCH, LENGTH, 1], name="fixed_mask")
    first = tfn.fuse(encoder(WEIGHTS[0]), compiler_args=compiler_args, **settings)(fixed_rows, fixed_mask)
    fixed_tanh = tf.reshape(first["tanh"], [BATCH, LENGTH, UNITS], name="fixed_tanh")
    second = tfn.fuse(encoder(WEIGHTS[1]), compiler_args=compiler_args, **settings)(fixed_tanh, fixed_mask)
    return tf.identity(second["sum"], name="answer")


def expected(rows, mask):
    """The same with NumPy."""
    inner = np.tanh(rows @ WEIGHTS[0])
    return ((inner @ WEIGHTS[1]) * mask).sum(-1)


def feeds(batch):
    chance = np.random.RandomState(batch)
    rows = chance.standard_normal((batch, LENGTH, UNITS)).astype("f") / 10
    return {"rows:0": rows, "mask:0": np.ones((batch, LENGTH, 1), "f")}


def error_of(sess, batch):
    given = feeds(batch)
    return float(np.abs(sess.run("answer:0", given) - expected(given["rows:0"], given["mask:0"])).max())


def refusal(call):
    """Name of the exception and its first line."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - its kind is the answer
        return [type(error).__name__, str(error).splitlines()[0]]
    return None


def refusal_of(graph_def, batch):
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        return refusal(lambda: sess.run("answer:0", feeds(batch)))


def rewired(graph_def, axis=0):
    """A new GraphDef of the nodes without the reshapes that fix the batch, and of the library."""
    past = {"fixed_rows": "rows", "fixed_mask": "mask"}
    made = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.op == "Reshape" and node.name == "fixed_tanh":
            past["fixed_tanh"] = node.input[0]
    for node in graph_def.node:
        if node.name.split("/")[0] not in past:
            copy = made.node.add()
            copy.CopyFrom(node)
            copy.input[:] = [past.get(source, source) for source in node.input]
            if node.op == "NeuronOp":
                copy.attr["input_batch_axis"].list.i[:] = [axis, axis]
                copy.attr["output_batch_axis"].list.i[:] = [axis, axis]
    return made


def compiled(folder):
    """Compile, re-wire, save; what the graph and its answers look like on the way."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as sess:
        fused(["--fp32-cast", "matmult", "--neuroncore-pipeline-cores", "2"], workdir=os.path.join(folder, "work"))
        before = [node.attr["executable"].s.decode() for node in graph.as_graph_def().node if node.op == "NeuronOp"]
        error = error_of(sess, BATCH)
        graph_def = graph.as_graph_def()
    nodes = [node for node in graph_def.node if node.op == "NeuronOp"]
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
        tf.import_graph_def(rewired(graph_def), name="")
        errors = {batch: error_of(sess, batch) for batch in (1, 2, 7)}
        names = {name: sess.graph.get_tensor_by_name(name + ":0") for name in ("rows", "mask", "answer")}
        saved = os.path.join(folder, "saved")
        tf.compat.v1.saved_model.simple_save(
            sess, saved, {"rows": names["rows"], "mask": names["mask"]}, {"answer": names["answer"]}
        )
    erased = rewired(graph_def)
    for node in erased.node:
        if node.op == "NeuronOp":
            node.attr["executable"].s = b""
    return {
        "before": before,
        "names": [node.name for node in nodes],
        "attributes": sorted(nodes[0].attr),
        "input_names": [name.decode() for name in nodes[0].attr["input_names"].list.s],
        "graph_def_bytes": [len(node.attr["graph_def"].s) for node in nodes],
        "model_config": list(nodes[0].attr["model_config"].list.i),
        "executables": [json.loads(node.attr["executable"].s.decode()) for node in nodes],
        "error": error,
        "fixed_batch": refusal_of(rewired(graph_def, -1), 2),
        "compiled_batch": refusal_of(rewired(graph_def, -1), BATCH),
        "errors": errors,
        "uncompiled": refusal_of(erased, BATCH),
        "logs": sum("log-fe.txt" in files for _, _, files in os.walk(os.path.join(folder, "work"))),
    }


def loaded(folder):
    """Answers of a saved model, which has been moved, in this fresh process."""
    folder = os.path.join(folder, "moved")
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
        tf.compat.v1.saved_model.loader.load(sess, ["serve"], folder)
        errors = {batch: error_of(sess, batch) for batch in (1, 3)}
    given = feeds(5)
    answer = tf.contrib.predictor.from_saved_model(folder)({name[:-2]: value for name, value in given.items()})
    error = np.abs(answer["answer"] - expected(given["rows:0"], given["mask:0"])).max()
    return {"loaded": errors, "predictor": float(error)}


def refused(act, **settings):
    """What a run of a session says, and how long it took to say it."""
    started = time.monotonic()
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
        fused(["--stand-in", act], **settings)
        said = refusal(lambda: sess.run("answer:0", feeds(BATCH)))
        nodes = [node for node in sess.graph.as_graph_def().node if node.op == "NeuronOp"]
    return {
        "said": said,
        "seconds": time.monotonic() - started,
        "executables": [len(node.attr["executable"].s) for node in nodes],
    }


def misbehaving():
    """Each way a compiler can fail."""
    found = {act: refused(act) for act in ("fail", "empty", "killed", "slow")}
    found["hang"] = refused("hang", timeout=1)
    with tf.Graph().as_default():
        found["at once"] = refusal(lambda: fused(["--stand-in", "fail"], asynchronous=False))
    return found


def main():
    act, folder = sys.argv[1:]
    answer = {"compiled": compiled, "loaded": loaded, "misbehaving": lambda _: misbehaving()}[act](folder)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
