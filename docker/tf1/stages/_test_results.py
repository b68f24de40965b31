"""The answers for a test set: test_results.tsv in run_classifier's form; of tags test_results.conll."""

import os

import numpy as np
from tagged_words import RESULTS, write_tags

from stages import _prepared


def write(out, prepared, predictions):
    """Write a line for each example: probabilities, or the score; of tags the words with the tag that is told last.

    Args:
        out: the folder.
        prepared: a `_prepared.Prepared`.
        predictions: of a `_trainer.Trainer`, in the records' order.
    """
    if prepared.kind == _prepared.TAGGING:
        tags = (
            prepared.labels[number]
            for found in predictions
            for number in found["answer"][found["label_ids"] >= 0].argmax(axis=-1)
        )
        write_tags(os.path.join(out, RESULTS), prepared.require(_prepared.WORDS, "do_predict"), tags)
        return
    name = "probabilities" if prepared.kind == _prepared.CLASSIFICATION else "answer"
    with open(os.path.join(out, "test_results.tsv"), "w") as file:
        file.writelines("\t".join(map(str, np.atleast_1d(found[name]))) + "\n" for found in predictions)
