"""The answers for a test set: test_results.tsv in run_classifier's form; of tags test_results.conll."""

import os

import numpy as np
from stage import StageInputError

from stages import _prepared

TABLE, TAGGED = "test_results.tsv", "test_results.conll"


def write(out, prepared, predictions):
    """Write a line for each example: probabilities, or the score; of tags the words with the tag that is told last.

    Args:
        out: the folder.
        prepared: a `_prepared.Prepared`.
        predictions: of a `_trainer.Trainer`, in the records' order.
    """
    if prepared.kind == _prepared.TAGGING:
        _write_tags(os.path.join(out, TAGGED), prepared, predictions)
        return
    name = "probabilities" if prepared.kind == _prepared.CLASSIFICATION else "answer"
    with open(os.path.join(out, TABLE), "w") as file:
        file.writelines("\t".join(map(str, np.atleast_1d(found[name]))) + "\n" for found in predictions)


def _write_tags(path, prepared, predictions):
    """Write the words of the test set as they were given, a column more: the tag that is told."""
    told = (
        prepared.labels[number]
        for found in predictions
        for number in found["answer"][found["label_ids"] >= 0].argmax(axis=-1)
    )
    words = prepared.require(_prepared.WORDS, "do_predict")
    message = "%s and %s of %s have not the same words; prepare the data anew"
    wrong = StageInputError(message % (_prepared.WORDS, _prepared.TEST, prepared.folder))
    with open(words, encoding="utf-8") as asked, open(path, "w", encoding="utf-8") as file:
        for line in asked:
            word = line.rstrip("\n")
            if not word:
                file.write("\n")
                continue
            tag = next(told, None)
            if tag is None:
                raise wrong
            file.write("%s\t%s\n" % (word, tag))
    if next(told, None) is not None:
        raise wrong
