"""Warm-up requests of a SavedModel, read by tensorflow-serving-api's own message, and its answers to them: JSON."""

import json
import sys

sys.path.append(sys.argv[2])

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

folder = sys.argv[1]
model = tf.saved_model.load(folder)
found = []
for record in tf.data.TFRecordDataset(f"{folder}/assets.extra/tf_serving_warmup_requests"):
    request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
    feeds = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
    answers = model.signatures[request.model_spec.signature_name](**feeds)
    told = {name: value.numpy().tolist() for name, value in answers.items()}
    found.append({"model": request.model_spec.name, **told})
print(json.dumps(found))  # noqa: T201
