"""The task of a training: its type in the Model Garden's words and ours, what task.json says of it."""

import os

from stage import StageInputError
from vocabulary import LINES

TASK_TYPES = {
    "bert_classification": "classification",
    "bert_regression": "regression",
    "bert_squad": "squad",
    "tagging": "tagging",
    "multi-label": "multi-label",
}
"""The Model Garden's words for types of tasks, and ours."""
HEADS = {
    "classification": "classifier",
    "regression": "regression",
    "squad": "span",
    "tagging": "tokens",
    "multi-label": "multi-label",
}
"""The head that each trains, as the table of heads calls it."""


def words_of(args, task_type, records):
    """Of tags that are predicted, the path of the records' words; else None."""
    if task_type != "tagging" or args.mode != "predict":
        return None
    path = records[: -len("tf_record")] + "conll"
    if not os.path.exists(path):
        message = "%s is missing, which has the words of %s; give what prepare-data made: --data"
        raise StageInputError(message % (path, os.path.basename(records)))
    return path


def _numbers(meta, task_type):
    if task_type not in ("classification", "tagging", "multi-label"):
        return []
    return meta.get("label_list") or [str(number) for number in range(int(meta["num_labels"]))]


def task_facts(meta, prepared, task_type, vocab_path):
    """What task.json says, but for the form of gelu.

    Args:
        meta: the Model Garden's meta data.
        prepared: what prepared.json says, or {}.
        task_type: a key of `HEADS`.
        vocab_path: of the model's vocab.txt, or None.
    """
    from stages.saved_model import lower_cases

    lower = prepared.get("do_lower_case")
    if lower is None and vocab_path:
        lower = lower_cases(vocab_path)
    return {
        "task": prepared.get("task") or meta.get("processor_type") or "SQUAD",
        "task_type": task_type,
        "head": HEADS[task_type],
        "labels": prepared.get("labels", _numbers(meta, task_type)),
        "max_seq_length": int(meta["max_seq_length"]),
        "do_lower_case": lower,
        "vocab_reading": prepared.get("vocab_reading", LINES),
        "version_2_with_negative": bool(meta.get("version_2_with_negative", False)),
        **_of_answers(meta, prepared, task_type),
    }


def _of_answers(meta, prepared, task_type):
    """Of a regression the range of its scores, where it is told; of SQuAD how texts are cut."""
    if task_type == "squad":
        return {name: int(meta[name]) for name in ("doc_stride", "max_query_length") if name in meta}
    told = prepared.get("score_range")
    return {"score_range": told} if task_type == "regression" and told else {}
