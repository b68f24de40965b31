"""In the tf1 environment: a checkpoint's answers by google-research/bert's own code, without bertbuild.

Request: {"folder": …, "prefix": …, "gelu": "erf" or "tanh", "runs": [{"inputs": npz, "answers": npz to write}, …]}.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf
from bert import modeling

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
folder = Path(request["folder"])
config = modeling.BertConfig.from_json_file(str(folder / "bert_config.json"))
if request["gelu"] == "erf":
    config.hidden_act = lambda x: 0.5 * x * (1.0 + tf.erf(x / tf.sqrt(2.0)))
feeds = [tf.compat.v1.placeholder(tf.int32, [None, None]) for _ in range(3)]
model = modeling.BertModel(config, False, *feeds)
with tf.compat.v1.Session() as session:
    tf.compat.v1.train.Saver().restore(session, str(folder / request["prefix"]))
    for run in request["runs"]:
        with np.load(run["inputs"]) as inputs:
            values = [inputs[name] for name in ("input_ids", "input_mask", "segment_ids")]
        tensors = {"pooled_output": model.get_pooled_output(), "sequence_output": model.get_sequence_output()}
        np.savez(run["answers"], **session.run(tensors, {feeds[i]: values[i] for i in range(3)}))
json.dump({"tensorflow": tf.__version__}, sys.stdout)
