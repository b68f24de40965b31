"""In the tf2 environment: the Model Garden's create_finetuning_data on files, and our records beside its own.

Request: {"work": folder, "jobs": [{"ours": a prepared folder, "glue": the task's folder, "splits": […], "flags": {…}}]}
Answers, for each job: how many examples were compared, what differs (at most 5), upstream's meta data.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).parent / "stand_ins"))

import tensorflow as tf
from absl import flags, logging
from official.nlp.data import create_finetuning_data

logging.set_verbosity("error")
FLAGS = flags.FLAGS


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


def run(job, folder):
    os.environ["GLUE_FOLDER"] = job.get("glue", "")
    names = {split: "test_{}" if split == "test" and job.get("by_language") else split for split in job["splits"]}
    given = {f"{split}_data_output_path": f"{folder}/{name}.tf_record" for split, name in names.items()}
    given |= {"meta_data_file_path": f"{folder}/meta_data.json", **job["flags"]}
    for name in FLAGS:
        FLAGS[name].unparse()
    FLAGS(["create_finetuning_data", *(f"--{name}={value}" for name, value in given.items())])
    create_finetuning_data.main([])
    count, found = 0, []
    for path in sorted(folder.glob("*.tf_record")):
        compared, different = differences(Path(job["ours"], path.name), path)
        count, found = count + compared, found + different
    return {"examples": count, "differences": found, "meta": (folder / "meta_data.json").read_text()}


request = json.load(sys.stdin)
answers = []
for number, job in enumerate(request["jobs"]):
    work = Path(request["work"], str(number))
    work.mkdir(parents=True)
    answers.append(run(job, work))
json.dump(answers, sys.stdout)
