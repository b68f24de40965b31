"""What is right without having learnt anything: the majority class, the mean score; counted over a dev set's labels."""

import numpy as np

REGRESSION, MULTI_LABEL, TAGGING = "regression", "multi-label", "tagging"
"""Types of tasks whose figures are not those of classes."""


class Labels(object):
    """The labels of a set, counted as they are read.

    Args:
        kind: the task_type.
        count: how many labels the task has; 1 of a regression.
    """

    def __init__(self, kind, count):
        self._kind = kind
        self._of_each = np.zeros(count, np.int64)
        self._seen = 0
        self._sum = self._squares = 0.0

    def add(self, values):
        """Count the labels of some records."""
        if self._kind == REGRESSION:
            values = values.astype(np.float64)
            self._sum, self._squares = self._sum + values.sum(), self._squares + np.square(values).sum()
            self._seen += len(values)
        elif self._kind == MULTI_LABEL:
            self._of_each += values.sum(axis=0)
            self._seen += len(values)
        else:
            self._of_each += np.bincount(values[values >= 0], minlength=len(self._of_each))
            self._seen = int(self._of_each.sum())

    def baseline(self):
        """dict: the `metric` of the evaluation, its `value` for who has learnt nothing, and what that is `of`."""
        if self._kind == REGRESSION:
            variance = self._squares / self._seen - np.square(self._sum / self._seen)
            return {"metric": "eval_mean_squared_error", "value": float(variance), "of": "the mean score"}
        most = self._of_each
        if self._kind == MULTI_LABEL:
            right = np.maximum(most, self._seen - most).mean() / self._seen
            return {"metric": "eval_accuracy", "value": float(right), "of": "each label's majority"}
        what = "tag" if self._kind == TAGGING else "class"
        return {"metric": "eval_accuracy", "value": float(most.max() / self._seen), "of": "the majority " + what}
