"""In the tf1 environment: TensorFlow's own Saver writes variables in forms that google-research/bert does not use.

Request: {"numbers": .npz of name → float32, "out": folder}. Writes v1.ckpt (SaverDef.V1), v1_parts.ckpt (the same with
partitioned variables), parts.ckpt (V2, partitioned) and halves.ckpt (V2, float16 and float64 in turn). Names in the
.npz have | for /.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
numbers = {name.replace("|", "/"): value for name, value in np.load(request["numbers"]).items()}
SAVER = tf.compat.v1.train.SaverDef
PARTS = 3


def initial(value):
    def of(shape, dtype=None, partition_info=None):  # noqa: ARG001 - TensorFlow gives it
        starts = [0] * value.ndim if partition_info is None else partition_info.var_offset
        return tf.constant(value[tuple(slice(at, at + int(shape[axis])) for axis, at in enumerate(starts))])

    return of


def save(name, version, partitioned, dtypes=("float32",)):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for index, (variable, value) in enumerate(sorted(numbers.items())):
            cut = partitioned and len(value) >= PARTS
            stored = value.astype(dtypes[index % len(dtypes)])
            tf.compat.v1.get_variable(
                variable,
                shape=stored.shape,
                dtype=stored.dtype,
                initializer=initial(stored),
                partitioner=tf.compat.v1.fixed_size_partitioner(PARTS) if cut else None,
            )
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(write_version=version)
        saver.save(session, request["out"] + "/" + name, write_meta_graph=False)


save("v1.ckpt", SAVER.V1, False)
save("v1_parts.ckpt", SAVER.V1, True)
save("parts.ckpt", SAVER.V2, True)
save("halves.ckpt", SAVER.V2, False, ("float16", "float64"))
json.dump({}, sys.stdout)
