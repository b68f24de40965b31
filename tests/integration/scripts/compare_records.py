"""In the tf2 environment: two folders of TFRecords, example by example.

Request: {"ours": folder, "theirs": folder}. Answers how many examples were compared, of the files that theirs has, and
what differs (at most 5 of a file).
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf


def features(path):
    for data in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        example = tf.train.Example.FromString(data)
        yield {
            name: (kind := feature.WhichOneof("kind"), list(getattr(feature, kind).value))
            for name, feature in example.features.feature.items()
        }


def differences(ours, theirs):
    count, found = 0, []
    ours, theirs = features(ours), features(theirs)
    while len(found) < 5:
        left, right = next(ours, None), next(theirs, None)
        if left is None and right is None:
            break
        count += 1
        if left != right:
            found.append([count, str(left)[:2000], str(right)[:2000]])
    return count, found


def compared(ours, theirs):
    """Of two folders: how many examples, and what differs."""
    total, differing = 0, []
    for path in sorted(Path(theirs).glob("*.tf_record")):
        count, found = differences(Path(ours, path.name), path)
        total, differing = total + count, differing + found
    return {"examples": total, "differences": differing}


if __name__ == "__main__":
    request = json.load(sys.stdin)
    json.dump(compared(request["ours"], request["theirs"]), sys.stdout)
