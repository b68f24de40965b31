"""In the place of TensorFlow Datasets, which the tf2 environment does not have: GLUE from files.

The Model Garden asks it for every task of GLUE. The files of the folder $GLUE_FOLDER are read as
tensorflow_datasets/text/glue.py reads them, corrupted rows left out; but the two texts of AX and MNLI, and the numbers
of their labels, are those that upstream's processors gave while they read files (tf-models-official 2.4).
"""

import csv
import os
import types
from pathlib import Path

FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
NLI = ({"hypothesis": "sentence1", "premise": "sentence2"}, "gold_label", ("contradiction", "entailment", "neutral"))
SENTENCES = {"sentence1": "sentence1", "sentence2": "sentence2"}
ENTAILMENT = ("entailment", "not_entailment")
CONFIGS = {  # feature → column, the label's column, names of labels
    "ax": NLI,
    "cola": ({"sentence": "sentence"}, "is_acceptable", ()),
    "mnli": NLI,
    "mrpc": ({"sentence1": "#1 String", "sentence2": "#2 String"}, "Quality", ()),
    "qnli": ({"question": "question", "sentence": "sentence"}, "label", ENTAILMENT),
    "qqp": ({"question1": "question1", "question2": "question2"}, "is_duplicate", ()),
    "rte": (SENTENCES, "label", ENTAILMENT),
    "sst2": ({"sentence": "sentence"}, "label", ()),
    "stsb": (SENTENCES, "score", ()),
    "wnli": (SENTENCES, "label", ()),
}


def load(name, split=None, try_gcs=False):
    assert try_gcs
    if split is None:
        return None
    task = name.removeprefix("glue/")
    path = Path(os.environ["GLUE_FOLDER"], FILES.get(split) or split.replace("validation", "dev") + ".tsv")
    if not path.exists():  # AX is asked for with the dev set of MNLI
        path = path.with_name("dev.tsv")
    rows = list(_examples(task, path))
    return types.SimpleNamespace(as_numpy_iterator=lambda: iter(rows))


def _examples(task, path):
    texts, label_column, labels = CONFIGS[task]
    tested = path.name.startswith("test")
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        if task == "cola" and not tested:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = ({"sentence": row[3], "is_acceptable": row[1]} for row in reader)
        else:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(rows):
            example = {feature: row[column] for feature, column in texts.items()}
            if not tested:
                example["label"] = row[label_column]
            if None in example.values():
                continue
            encoded = {feature: example[feature].encode() for feature in texts}
            label = 0 if tested else _label(task, example["label"], labels)
            yield {**encoded, "label": label, "idx": number}


def _label(task, text, labels):
    if task == "stsb":
        return float(text)
    return labels.index(text) if labels else int(text)
