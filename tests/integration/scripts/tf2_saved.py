"""In the tf2 environment: SavedModels and a hub module, as those who use them load them.

Request: {"out": folder, "saved": {name: folder}, "hub": folder, "shapes": [[B, S], …]}. Writes <name>_<B>_<S>.npz with
inputs under their roles and what was answered; prints signatures, and what the hub module tells of itself.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

request = json.load(sys.stdin)
chance = np.random.default_rng(0)
roles = ("input_ids", "input_mask", "segment_ids")


def inputs_of(rows, length):
    mask = (np.arange(length) < chance.integers(1, length + 1, (rows, 1))).astype(np.int32)
    values = (chance.integers(1, 60, mask.shape) * mask, mask, chance.integers(0, 2, mask.shape) * mask)
    return {role: value.astype(np.int32) for role, value in zip(roles, values, strict=True)}


def write(name, shape, inputs, answers):
    values = {output: value.numpy() for output, value in answers.items()}
    np.savez(Path(request["out"]) / f"{name}_{shape[0]}_{shape[1]}.npz", **inputs, **values)


def ports(specs):
    return {name: [spec.dtype.name, spec.shape.as_list()] for name, spec in specs.items()}


signatures = {}
for name, folder in request["saved"].items():
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]
    signatures[name] = {
        "names": sorted(loaded.signatures),
        "inputs": ports(signature.structured_input_signature[1]),
        "outputs": ports(signature.structured_outputs),
    }
    for shape in request["shapes"]:
        inputs = inputs_of(*shape)
        write(name, shape, inputs, signature(**{role: tf.constant(value) for role, value in inputs.items()}))

layer = hub.KerasLayer(request["hub"], trainable=True)
for shape in request["shapes"]:
    inputs = inputs_of(*shape)
    with tf.GradientTape() as tape:
        pooled, sequence = layer([tf.constant(inputs[role]) for role in roles])
        total = tf.reduce_sum(pooled) + tf.reduce_sum(sequence**2)
    write("hub", shape, inputs, {"pooled_output": pooled, "sequence_output": sequence})
gradients = tape.gradient(total, layer.trainable_variables)
resolved = layer.resolved_object
json.dump(
    {
        "signatures": signatures,
        "hub": {
            "trainable": len(layer.trainable_variables),
            "with_gradient": sum(gradient is not None for gradient in gradients),
            "vocab": resolved.vocab_file.asset_path.numpy().decode(),
            "do_lower_case": bool(resolved.do_lower_case.numpy()),
            "frozen": len(hub.KerasLayer(request["hub"], trainable=False).trainable_variables),
        },
    },
    sys.stdout,
)
