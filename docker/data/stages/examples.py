"""examples: the labelled examples of a prepared data set as arrays, which infer stages take.

Reads prepared.json and eval.tf_record of a folder of prepare-data; writes features.npz: int32 arrays [N, S] input_ids,
input_mask, segment_ids, and label_ids: int32 [N] (a place in prepared.json's labels), float32 [N] of a regression,
int32 [N, C] of several labels (0 or 1), int32 [N, S] of tags (below 0 where none is asked for), then sentence_id [N]
too. And examples.json: task, task_type and labels.
"""

import os

from stage import Stage, StageInputError, read_json, step, write_json

STAGE = Stage("examples", __doc__.splitlines()[0])
STAGE.input("prepared", "folder of the stage prepare-data")

RECORDS = "eval.tf_record"
ROLES = ("input_ids", "input_mask", "segment_ids")
SCORES, SEVERAL, TAGS = "regression", "multi-label", "tagging"
NO_TAG = -1
TASK_TYPES = ("classification", SCORES, SEVERAL, TAGS)


def run(args, report):
    """Read, check, write features.npz."""
    prepared = read_json(args.prepared, "prepared.json")
    missing = sorted({"task_type", "labels", "max_seq_length"} - set(prepared))
    if missing:
        raise StageInputError("prepared.json of %s says nothing of %s" % (args.prepared, ", ".join(missing)))
    task_type = prepared["task_type"]
    if task_type not in TASK_TYPES:
        raise StageInputError("%s is prepared for %s, whose examples have no labels" % (args.prepared, task_type))
    path = os.path.join(args.prepared, RECORDS)
    if not os.path.isfile(path):
        raise StageInputError("%s has no %s: its data set had no dev set" % (args.prepared, RECORDS))

    step("reading %s" % RECORDS)
    import numpy as np
    import tfrecords

    more = ("sentence_id",) if task_type == TAGS else ()
    columns = tfrecords.read_columns(path, (*ROLES, "label_ids", "is_real_example", *more))
    real = columns["is_real_example"].ravel() == 1
    if not real.any():
        raise StageInputError("%s holds no example" % path)
    found = {role: columns[role][real].astype(np.int32) for role in ROLES}
    shapes = sorted({values.shape[1] for values in found.values()})
    if shapes != [prepared["max_seq_length"]]:
        sentence = "%s: inputs of %s tokens, where prepared.json says %d"
        raise StageInputError(sentence % (path, " and ".join(map(str, shapes)), prepared["max_seq_length"]))
    found.update(labels_of(prepared, {name: columns[name][real] for name in ("label_ids", *more)}, path))
    write_json(args.out, "examples.json", {name: prepared.get(name) for name in ("task", "task_type", "labels")})
    np.savez(os.path.join(args.out, "features.npz"), **found)
    report.facts = {"examples": int(real.sum()), "padding_rows": int((~real).sum())}
    report.packages = {"numpy": np.__version__}


def labels_of(prepared, columns, path):
    """The arrays of features.npz but for the inputs; raises `StageInputError` where labels are none of the task's."""
    task_type, classes = prepared["task_type"], len(prepared["labels"])
    width = {SEVERAL: classes, TAGS: prepared["max_seq_length"]}.get(task_type, 1)
    labels = columns["label_ids"]
    if labels.shape[1] != width:
        raise StageInputError("%s: %d labels of each example, not %d" % (path, labels.shape[1], width))
    if task_type == SCORES:
        return {"label_ids": labels.ravel().astype("float32")}
    if task_type == SEVERAL:
        check_classes(labels, 0, 2, path)
    else:
        check_classes(labels, NO_TAG if task_type == TAGS else 0, classes, path)
    whole = {name: values.astype("int32") for name, values in columns.items()}
    return {name: values if name == "label_ids" and width > 1 else values.ravel() for name, values in whole.items()}


def check_classes(labels, least, classes, path):
    """Raise StageInputError where a label is none of the task's."""
    wrong = labels[(labels < least) | (labels >= classes)]
    if len(wrong):
        raise StageInputError(
            "%s: %d labels are not among the task's %d, the first is %d" % (path, len(wrong), classes, wrong[0])
        )


if __name__ == "__main__":
    STAGE.main(run)
