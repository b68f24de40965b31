"""TensorBoard files of a folder: for each, tag → the steps that have a value."""

import glob
import json
import os
import sys

import tensorflow as tf

request = json.load(sys.stdin)
found = []
for path in sorted(glob.glob(os.path.join(request["folder"], "events.out.tfevents.*"))):
    steps = {}
    for event in tf.compat.v1.train.summary_iterator(path):
        for value in event.summary.value:
            steps.setdefault(value.tag, []).append(event.step)
    found.append(steps)
print(json.dumps(found))
