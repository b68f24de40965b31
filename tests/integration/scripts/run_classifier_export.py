"""In the tf1 environment: google-research/bert's own run_classifier, trained for some steps and exported.

Request: {"work": folder to run in, "flags": {name: value, …}}. The export is the patch that the appendix of AWS's BERT
demo gives: its lines are put into the module's source, which is run from memory; nothing of it is kept.
"""

import importlib.util
import json
import os
import sys
import types
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf

AFTER = "    result = estimator.predict(input_fn=predict_input_fn)\n"
PATCH = """
    features = {
        "input_ids": tf.placeholder(shape=[None, FLAGS.max_seq_length], dtype=tf.int32, name='input_ids'),
        "input_mask": tf.placeholder(shape=[None, FLAGS.max_seq_length], dtype=tf.int32, name='input_mask'),
        "segment_ids": tf.placeholder(shape=[None, FLAGS.max_seq_length], dtype=tf.int32, name='segment_ids'),
        "label_ids": tf.placeholder(shape=[None], dtype=tf.int32, name='label_ids'),
        "is_real_example": tf.placeholder(shape=[None], dtype=tf.int32, name='is_real_example'),
    }
    serving_input_fn = tf.estimator.export.build_raw_serving_input_receiver_fn(features)
    estimator._export_to_tpu = False  ## !!important to add this
    estimator.export_saved_model(
        export_dir_base='./bert_classifier_saved_model',
        serving_input_receiver_fn=serving_input_fn)
"""

request = json.load(sys.stdin)
os.chdir(request["work"])
source = importlib.util.find_spec("bert.run_classifier").loader.get_source("bert.run_classifier")
before, found, after = source.partition(AFTER)
assert found
run_classifier = types.ModuleType("bert.run_classifier")
exec(compile(before + found + PATCH + after, "run_classifier.py", "exec"), run_classifier.__dict__)  # noqa: S102
words = [f"--{name}={value}" for name, value in request["flags"].items()]
run_classifier.FLAGS(["run_classifier", *words])
run_classifier.main(None)
exports = sorted(path.name for path in Path("bert_classifier_saved_model").iterdir())
json.dump({"tensorflow": tf.__version__, "exports": exports}, sys.stdout)
