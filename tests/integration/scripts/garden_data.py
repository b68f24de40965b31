"""In the tf2 environment: the Model Garden's create_finetuning_data on files, and our records beside its own.

Request: {"work": folder, "jobs": [{"ours": a prepared folder, "splits": […], "flags": {…}, …}]}. Answers, for each job:
how many examples were compared, what differs (at most 5), upstream's meta data.

The package asks TensorFlow Datasets for GLUE, which is not installed; `load` stands in and reads the task's files as
tensorflow_datasets/text/glue.py does: `glue_folder` of a job is where they are. `garden` of the request is a folder
with another version of the package.
"""

import csv
import glob
import json
import os
import sys
import types
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

request = json.load(sys.stdin)
if request.get("garden"):
    sys.path.insert(0, request["garden"])
datasets = types.ModuleType("tensorflow_datasets")
sys.modules["tensorflow_datasets"] = datasets

import tensorflow as tf
from absl import flags, logging
from official.nlp.data import create_finetuning_data

logging.set_verbosity("error")
FLAGS = flags.FLAGS
FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
NLI = {"hypothesis": "sentence1", "premise": "sentence2"}  # as upstream's own processors of files took them
CONFIGS = {  # text features, label's column, names of labels
    "ax": (NLI, "gold_label", ("contradiction", "entailment", "neutral")),
    "cola": ({"sentence": "sentence"}, "is_acceptable", None),
    "mnli": (NLI, "gold_label", ("contradiction", "entailment", "neutral")),
    "mrpc": ({"sentence1": "#1 String", "sentence2": "#2 String"}, "Quality", None),
    "qnli": ({"question": "question", "sentence": "sentence"}, "label", ("entailment", "not_entailment")),
    "qqp": ({"question1": "question1", "question2": "question2"}, "is_duplicate", None),
    "rte": ({"sentence1": "sentence1", "sentence2": "sentence2"}, "label", ("entailment", "not_entailment")),
    "sst2": ({"sentence": "sentence"}, "label", None),
    "stsb": ({"sentence1": "sentence1", "sentence2": "sentence2"}, "score", float),
    "wnli": ({"sentence1": "sentence1", "sentence2": "sentence2"}, "label", None),
}
glue_folder = ""


def load(name, split=None, try_gcs=False):
    assert try_gcs
    if split is None:
        return None
    task = name.removeprefix("glue/")
    file = FILES.get(split) or split.replace("validation", "dev") + ".tsv"
    rows = list(examples(task, Path(glue_folder) / file))
    return types.SimpleNamespace(as_numpy_iterator=lambda: iter(rows))


datasets.load = load


def examples(task, path):
    texts, label_column, labels = CONFIGS[task]
    with tf.io.gfile.GFile(str(path)) as file:
        if task == "cola" and path.name != "test.tsv":
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = ({"sentence": row[3], "is_acceptable": row[1]} for row in reader)
        else:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(rows):
            row = {name.removeprefix("\ufeff") if name else name: value for name, value in row.items()}
            example = {feature: row[column] for feature, column in texts.items()}
            label = row.get(label_column)
            if None in example.values() or (label is None and path.name.startswith(("train", "dev"))):
                continue  # a corrupted row
            if label is not None:
                example["label"] = float(label) if labels is float else labels.index(label) if labels else int(label)
            yield {name: value.encode() if isinstance(value, str) else value for name, value in example.items()} | {
                "idx": number
            }


def features(path):
    for data in tf.data.TFRecordDataset(path).as_numpy_iterator():
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
    global glue_folder
    glue_folder = job.get("glue_folder", "")
    outputs = {split: f"{folder}/{split}.tf_record" for split in job["splits"]}
    if job.get("by_language"):
        outputs["test"] = f"{folder}/test_{{}}.tf_record"
    given = {f"{split}_data_output_path": path for split, path in outputs.items()}
    given |= {"meta_data_file_path": f"{folder}/meta_data.json", **job["flags"]}
    for name in FLAGS:
        FLAGS[name].unparse()
    FLAGS(["create_finetuning_data", *(f"--{name}={value}" for name, value in given.items())])
    create_finetuning_data.main([])
    count, found = 0, []
    for path in sorted(glob.glob(f"{folder}/*.tf_record")):
        compared, different = differences(os.path.join(job["ours"], os.path.basename(path)), path)
        count, found = count + compared, found + different
    meta = Path(folder, "meta_data.json").read_text()
    return {"examples": count, "differences": found, "meta": meta}


answers = []
for number, job in enumerate(request["jobs"]):
    folder = f"{request['work']}/{number}"
    os.makedirs(folder)
    answers.append(run(job, folder))
print(json.dumps(answers))
