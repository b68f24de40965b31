"""The examples of a data set as arrays, run through a model batch by batch, with the time that takes.

features.npz holds int32 arrays [N, S]: input_ids, input_mask, segment_ids; and label_ids, int32 or float32. Where it
has position [N] too, one piece of each example is masked, label_ids [N] is what it was, and of outputs [N, S, V] that
are kept at this place: log_probabilities [N] of the label, and best [N], the word that is the likeliest.
"""

import os
import time
import zipfile

import numpy as np
from answers import ROLES, run_shaped
from stage import StageInputError, step

FILE = "features.npz"
ALONE, SHARE = 20, 10  # examples that are timed one at a time, at most; one of so many where these are fewer
SECONDS_BETWEEN_STEPS = 1.0
OUT_OF_MEMORY = ("MemoryError", "ResourceExhaustedError")  # Python's and NumPy's; TensorFlow's


class Examples(object):
    """Examples to answer, `batch_size` rows at a time; how long that takes goes into the report's facts."""

    def __init__(self, path, batch_size, report):
        if batch_size < 1:
            raise StageInputError("--batch-size must be at least 1 (got %d)" % batch_size)
        self._columns = read_features(path)
        self._masked = read_masked(path)
        self._batch_size = batch_size
        self._report = report

    def answer(self, run, batch=None, seq_len=None, per_position=()):
        """Run every example.

        Args:
            run: function of a dict role → int32 array [B, S], giving a dict output name → float32 array [B, …].
            batch: the only batch size the model takes, or None.
            seq_len: the only sequence length the model takes, or None.
            per_position: as for `answers.run_shaped`.

        Returns:
            dict of output name → float32 array [N, …].

        Raises:
            StageInputError: the examples are longer than that, or memory ran out.
        """
        count, length = self._columns["input_ids"].shape
        if seq_len is not None and length > seq_len:
            raise StageInputError("the examples are %d tokens long, and the model takes only %d" % (length, seq_len))
        size = self._batch_size

        def timed(start, rows):
            group = {role: values[start : start + rows] for role, values in self._columns.items()}
            began = time.perf_counter()
            found = run_shaped(group, run, batch, seq_len, per_position)
            took = time.perf_counter() - began
            return self._kept(found, start), took

        try:
            parts, seconds, told = [timed(0, size)[0]], [], time.monotonic()
            for start in range(size, count, size):
                found, took = timed(start, size)
                parts.append(found)
                seconds.append(took)
                if time.monotonic() - told > SECONDS_BETWEEN_STEPS:
                    step("answered %d of %d examples" % (min(start + size, count), count))
                    told = time.monotonic()
            # The rest that fills no batch is another shape, and so does not count. The first run of a shape does not
            # either: it allocates, compiles, fills caches.
            whole = seconds[: max(0, count // size - 1)] or [timed(0, size)[1]]
            timed(0, 1)
            alone = [timed(row, 1)[1] for row in range(min(ALONE, -(-count // SHARE)))]
        except Exception as error:
            if type(error).__name__ not in OUT_OF_MEMORY:
                raise
            raise StageInputError("memory ran out with %d examples at a time; try fewer" % size) from error
        self._report.facts["latency"] = {
            "batch_size": size,
            "batch": _summary(whole, min(size, count)),
            "alone": _summary(alone, 1),
        }
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _kept(self, found, start):
        """What is kept of the answers to the examples from `start` on: all, but of masked ones a row of words each."""
        if self._masked is None:
            return found
        kept = {}
        for values in (one for one in found.values() if one.ndim == 3):
            rows = np.arange(len(values))
            positions, labels = (column[start : start + len(values)] for column in self._masked)
            words = np.asarray(values[rows, positions], np.float64)
            highest = words.max(axis=-1)
            total = np.log(np.exp(words - highest[:, None]).sum(axis=-1)) + highest
            kept["log_probabilities"] = (words[rows, labels] - total).astype(np.float32)
            kept["best"] = words.argmax(axis=-1).astype(np.int32)
        return kept

    def unanswered(self, given, names):
        """As `answers.Probes.unanswered`: all examples are answered, or none."""
        return {name: "" for name in names if not given or (self._masked is None and name not in given)}


def _summary(seconds, rows):
    """Median and 95th percentile of the seconds per call, and the rows of each call."""
    return {
        "rows": rows,
        "calls": len(seconds),
        "median_seconds": round(float(np.median(seconds)), 9),
        "p95_seconds": round(float(np.percentile(seconds, 95)), 9),
    }


def read_features(path):
    """The inputs of a features.npz: role → int32 array [N, S].

    Args:
        path: the file, or the folder it is in.

    Raises:
        StageInputError: there is none, or it holds something else.
    """
    if os.path.isdir(path):
        path = os.path.join(path, FILE)
    try:
        with np.load(path) as file:
            columns = {role: np.ascontiguousarray(file[role], np.int32) for role in ROLES}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StageInputError("%s holds no features: %s" % (path, error)) from error
    shapes = {values.shape for values in columns.values()}
    if len(shapes) != 1 or len(columns["input_ids"].shape) != 2 or not columns["input_ids"].size:
        raise StageInputError("%s holds arrays of the shapes %s, not of one [N, S]" % (path, sorted(shapes)))
    return columns


def read_masked(path):
    """Of examples with a masked piece its place and what it was, int32 arrays [N]; None of others."""
    if os.path.isdir(path):
        path = os.path.join(path, FILE)
    with np.load(path) as file:
        return (file["position"], file["label_ids"]) if "position" in file.files else None
