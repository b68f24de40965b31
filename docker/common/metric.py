"""The metric of a model's head on labelled examples, whatever engine runs the model."""

import numpy as np
from judges import JUDGES
from stage import StageInputError

from bertbuild.heads.padding import ASKED_WITH_PADDING

ROUNDING = 1e-9  # of a difference of two shares: 1 - 0.99 is more than 0.01
LENGTHS = 32  # sequences are padded to multiples of it: for each length that is new, OpenVINO makes kernels again


class Metric:
    """The metric of a model's head, on examples."""

    def __init__(self, head, classes, examples, shape):
        """Refuse a model without that head, and labels it has no class for.

        Args:
            head: the kind of head: a name of `JUDGES`.
            classes: name of each output of the model → its last size, None where that is free.
            examples: `calibration.Examples` with labels.
            shape: batch size and sequence length, each None where free.
        """
        self._head = head
        self._judge = JUDGES[head](examples)
        for name in self._judge.outputs:
            if name not in classes:
                raise StageInputError("the model gives no %s, so it has no %s to bound" % (name, self.metric))
            if self._judge.least and classes[name] is not None and self._judge.least > classes[name]:
                raise StageInputError(
                    "%s has the label %d, and the model knows %d classes"
                    % (examples.path, self._judge.least - 1, classes[name])
                )
        self.examples = examples
        self._shape = shape

    @property
    def metric(self):
        """Its name."""
        return self._judge.metric

    def of_run(self, run):
        """The metric of a model, by a function that runs it: feeds → answers by name."""
        return self._judge.figure(self._joined(self._answers(run, self.items())), np.arange(len(self.examples)))

    def items(self):
        """(feeds, numbers of the examples) of each run."""
        size = self._shape[0] or 1
        numbers = np.arange(len(self.examples))
        rows = (numbers[start : start + size] for start in range(0, len(numbers), size))
        multiple = self.examples.width if self._head in ASKED_WITH_PADDING else LENGTHS
        return list(zip(self.examples.feeds(*self._shape, multiple=multiple), rows))

    def _answers(self, run, items):
        """The answers to each item, as wide as the examples."""
        return [
            {name: self._padded(np.array(results[name])[: len(rows)]) for name in self._judge.outputs}
            for results, rows in ((run(feeds), rows) for feeds, rows in items)
        ]

    def _padded(self, values):
        """Answers to each position, with what was cut off with the padding put back."""
        if self._judge.per_position:
            missing = self.examples.width - values.shape[1]
            values = np.pad(values, [(0, 0), (0, max(0, missing)), *[(0, 0)] * (values.ndim - 2)])
            values = values[:, : self.examples.width]
        return values

    def _joined(self, answers):
        return {name: np.concatenate([found[name] for found in answers]) for name in self._judge.outputs}


def told(metric, before, after, max_drop):
    """What a stage reports of a bounded metric."""
    return {
        "metric": metric.metric,
        "fp32": round(before, 6),
        "int8": round(after, 6),
        "max_drop": max_drop,
        "examples": len(metric.examples),
    }
