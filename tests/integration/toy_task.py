"""Prepared data of toy tasks, written without TensorFlow: what the stage prepare-data leaves, for tiny models."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from records import write_records

LENGTH = 16


def write_task(folder, vocab, *, train=32, evaluated=12, length=LENGTH, regression=False, labels=2, seed=0):
    """Sentences whose label is whether (regression: how often) word 5 stands among their first words.

    Their ids, masks and segments are also in test.npz and its like, int32 [N, S].
    """
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    sizes = {"train": train, "eval": evaluated, "test": evaluated}
    for name, count in sizes.items():
        examples, rows = [], []
        for number in range(count):
            ids = chance.integers(6, 60, length)
            ids[1:5] = 5 if number % 2 else 7
            mask = np.arange(length) < chance.integers(8, length + 1)
            label = [float(number % 2)] if regression else [number % 2]
            roles = {"input_ids": ids * mask, "input_mask": mask, "segment_ids": (np.arange(length) > 8) * mask}
            rows.append(roles)
            roles = {role: list(map(int, values)) for role, values in roles.items()}
            examples.append({**roles, "label_ids": label, "is_real_example": [1]})
        write_records(folder / f"{name}.tf_record", examples)
        np.savez(folder / f"{name}.npz", **{role: np.array([row[role] for row in rows], np.int32) for role in rows[0]})
    meta = {
        "processor_type": "TOY",
        "task_type": "bert_regression" if regression else "bert_classification",
        "num_labels": 1 if regression else labels,
        "train_data_size": train,
        "eval_data_size": evaluated,
        "test_data_size": evaluated,
        "max_seq_length": length,
        "has_sample_weights": False,
        **({"label_type": "float"} if regression else {}),
    }
    facts = {"task": "TOY", "task_type": "regression" if regression else "classification"}
    facts |= {"labels": [] if regression else [str(label) for label in range(labels)]}
    return _finish(folder, meta, facts | {"examples": sizes}, vocab)


def write_squad(folder, vocab, *, train=8, length=64):
    """Random passages with an answer at their fifth word; `spans.json` asks one question, whose id is a number."""
    chance = np.random.default_rng(0)
    folder.mkdir(parents=True)
    examples = []
    for number in range(train):
        roles = {"input_ids": chance.integers(5, 60, length).tolist(), "input_mask": [1] * length}
        roles |= {"segment_ids": [0] * length, "unique_ids": [number], "is_impossible": [0]}
        examples.append({**roles, "start_positions": [5], "end_positions": [7]})
    write_records(folder / "train.tf_record", examples)
    question = {"id": 7, "question": "w6 w7", "answers": [{"text": "w9", "answer_start": 6}]}
    paragraph = {"context": "w7 w8 w9 w10 w11", "qas": [question]}
    asked = {"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]}
    (folder / "spans.json").write_text(json.dumps(asked))
    meta = {"task_type": "bert_squad", "train_data_size": train, "max_seq_length": length, "max_query_length": 16}
    meta |= {"doc_stride": 32, "version_2_with_negative": False}
    return _finish(folder, meta, {"task": "SQUAD-1.1", "task_type": "squad", "labels": []}, vocab)


def _finish(folder, meta, facts, vocab):
    (folder / "meta_data.json").write_text(json.dumps(meta))
    digest = hashlib.sha256(vocab.read_bytes()).hexdigest()
    facts |= {"max_seq_length": meta["max_seq_length"], "do_lower_case": True, "vocab_sha256": digest}
    (folder / "prepared.json").write_text(json.dumps(facts))
    return folder
