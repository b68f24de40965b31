"""What of tf.contrib is loaded once google-research/bert's modeling.py is, and whether all of it can be had later."""

import json
import sys

request = json.load(sys.stdin)
sys.path[:0] = request["path"]

from stages import _tensorflow  # noqa: E402 - where it was told to be

tf = _tensorflow.tf
loaded = sorted({".".join(name.split(".")[:3]) for name in sys.modules if name.startswith("tensorflow.contrib.")})
normed = _tensorflow.modeling.layer_norm(tf.compat.v1.placeholder(tf.float32, [2, 3]))
same = tf.contrib.layers.layer_norm is _tensorflow.modeling.contrib_layers.layer_norm
answer = {"loaded": loaded, "normed": normed.op.type, "same": same, "later": hasattr(tf.contrib, "crf")}
sys.stdout.write(json.dumps(answer) + "\n")
