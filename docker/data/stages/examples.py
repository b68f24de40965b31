"""examples: the labelled examples of a prepared data set as arrays, which infer stages take.

Reads prepared.json and eval.tf_record of a folder of prepare-data; writes features.npz: int32 arrays [N, S] input_ids,
input_mask, segment_ids, and label_ids [N], int32 (a place in prepared.json's labels), or float32 of a regression.
"""

import os

from stage import Stage, StageInputError, read_json, step

STAGE = Stage("examples", __doc__.splitlines()[0])
STAGE.input("prepared", "folder of the stage prepare-data")

RECORDS = "eval.tf_record"
ROLES = ("input_ids", "input_mask", "segment_ids")


def run(args, report):
    """Read, check, write features.npz."""
    prepared = read_json(args.prepared, "prepared.json")
    missing = sorted({"task_type", "labels", "max_seq_length"} - set(prepared))
    if missing:
        raise StageInputError("prepared.json of %s says nothing of %s" % (args.prepared, ", ".join(missing)))
    task_type = prepared["task_type"]
    if task_type not in ("classification", "regression"):
        raise StageInputError("%s is prepared for %s, whose examples have no labels" % (args.prepared, task_type))
    path = os.path.join(args.prepared, RECORDS)
    if not os.path.isfile(path):
        raise StageInputError("%s has no %s: its data set had no dev set" % (args.prepared, RECORDS))

    step("reading %s" % RECORDS)
    import numpy as np
    import tfrecords

    columns = tfrecords.read_columns(path, (*ROLES, "label_ids", "is_real_example"))
    real = columns["is_real_example"].ravel() == 1
    if not real.any():
        raise StageInputError("%s holds no example" % path)
    found = {role: columns[role][real].astype(np.int32) for role in ROLES}
    shapes = sorted({values.shape[1] for values in found.values()})
    if shapes != [prepared["max_seq_length"]]:
        sentence = "%s: inputs of %s tokens, where prepared.json says %d"
        raise StageInputError(sentence % (path, " and ".join(map(str, shapes)), prepared["max_seq_length"]))
    labels = columns["label_ids"][real].ravel()
    found["label_ids"] = labels.astype(np.float32 if task_type == "regression" else np.int32)
    if task_type == "classification":
        check_classes(found["label_ids"], len(prepared["labels"]), path)
    np.savez(os.path.join(args.out, "features.npz"), **found)
    report.facts = {"examples": int(real.sum()), "padding_rows": int((~real).sum())}
    report.packages = {"numpy": np.__version__}


def check_classes(labels, classes, path):
    """Raise StageInputError where a label is none of the task's."""
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise StageInputError(
            "%s: %d labels are not among the task's %d, the first is %d" % (path, len(wrong), classes, wrong[0])
        )


if __name__ == "__main__":
    STAGE.main(run)
