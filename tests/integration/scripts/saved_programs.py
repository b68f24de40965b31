"""In the tf2 environment: SavedModels that contain operators that may not run; what is said of each. None is ever run.

Request: {"root": checkout, "out": folder}. Gives name → the sentence of the refusal, "" where there is none.
"""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

request = json.load(sys.stdin)
OUT = Path(request["out"])
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf2", "docker/common", "")]
stage, saved = map(importlib.import_module, ("stage", "stages._saved"))
IDS = [tf.TensorSpec([None, None], tf.int32, name=name) for name in ("input_ids", "input_mask", "segment_ids")]


class Model(tf.Module):
    """Sums of its inputs; `writes` says where it would write a file too."""

    def __init__(self, writes):
        super().__init__()
        self.scale = tf.Variable(2.0)
        self._writes = writes
        if writes == "loading":
            path = OUT / "words.txt"
            path.write_text("a\nb\n")
            lines = tf.lookup.TextFileInitializer(str(path), tf.string, 0, tf.int64, 1, delimiter="\t")
            path.write_text("a\t1\n")
            self.table = tf.lookup.StaticHashTable(lines, -1)

    @tf.function(input_signature=IDS)
    def serve(self, input_ids, input_mask, segment_ids):
        """The answer."""
        if self._writes == "answer":
            self.note()
        total = tf.cast(input_ids + input_mask + segment_ids, tf.float32) * self.scale
        return {"pooled_output": total[:, :1]}

    @tf.function(input_signature=[])
    def note(self):
        """What nobody calls but the answer, where it does."""
        tf.io.write_file(str(OUT / "never"), "x")


class Sized(Model):
    """Has a function too that nobody calls: TensorFlow traces all that have a signature when it saves."""

    @tf.function(input_signature=[])
    def sized(self):
        """Of a shape that a file tells."""
        return tf.zeros(tf.io.decode_raw(tf.io.read_file(str(OUT / "sizes")), tf.int32))


said = {}
(OUT / "sizes").write_bytes(bytes([2, 0, 0, 0]))
for writes in ("answer", "elsewhere", "loading", "unasked"):
    model = Sized(writes) if writes == "unasked" else Model(writes)
    tf.saved_model.save(model, str(OUT / writes), signatures={"serving_default": model.serve})
    try:
        saved.SavedModel(str(OUT / writes), 1, stage.Report("infer"))
        said[writes] = ""
    except stage.StageInputError as error:
        said[writes] = str(error)
said["written"] = (OUT / "never").exists()
sys.stdout.write("\n" + json.dumps(said) + "\n")
