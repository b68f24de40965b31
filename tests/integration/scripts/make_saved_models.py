"""In the tf1 environment: SavedModels as others make them, or that no BERT can be read from.

Request: {"out": folder, "freeze": SavedModel or null}. Writes below `out`:

    frozen/     `freeze` with its variables turned into constants; only where one is given
    functions/  written the TensorFlow 2 way: a traced function
    regression/ a TensorFlow 1 model that is not a BERT
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
OUT = Path(request["out"])


def frozen(folder):
    """The SavedModel's graph with constants for variables, under the same signature."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        signature = loaded.signature_def["serving_default"]
        names = [port.name for port in signature.outputs.values()]
        kept = [name.split(":")[0] for name in [*names, *(port.name for port in signature.inputs.values())]]
        constant = tf.compat.v1.graph_util.convert_variables_to_constants(session, session.graph_def, kept)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.import_graph_def(constant, name="")
        inputs, outputs = (
            {name: graph.get_tensor_by_name(port.name) for name, port in ports.items()}
            for ports in (signature.inputs, signature.outputs)
        )
        tf.compat.v1.saved_model.simple_save(session, str(OUT / "frozen"), inputs, outputs)


def regression():
    """One dense layer."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        y = tf.matmul(x, tf.compat.v1.get_variable("kernel", [3, 1]))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(OUT / "regression"), {"x": x}, {"y": y})


def functions():
    """A module whose call is a tf.function."""
    tf.compat.v1.enable_eager_execution()
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    call = tf.function(lambda x: {"probabilities": x * module.weight})
    signature = call.get_concrete_function(tf.TensorSpec([None, 3], tf.float32, name="input_ids"))
    module.call = call
    tf.saved_model.save(module, str(OUT / "functions"), signature)


if request.get("freeze"):
    frozen(request["freeze"])
else:
    regression()
    functions()
json.dump({"made": sorted(path.name for path in OUT.iterdir())}, sys.stdout)
