"""TensorBoard files of a folder: for each, tag → the steps that have a value."""

import json
import sys
from pathlib import Path

import tensorflow as tf

request = json.load(sys.stdin)
found = []
for path in sorted(Path(request["folder"]).glob("events.out.tfevents.*")):
    steps = {}
    try:
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
    except tf.errors.DataLossError as error:
        if "truncated" not in error.message:  # the run was killed, and TensorBoard reads up to there
            raise
    found.append(steps)
json.dump(found, sys.stdout)
