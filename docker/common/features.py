"""The examples of a data set as arrays, run through a model batch by batch, with the time that takes.

features.npz holds int32 arrays [N, S]: input_ids, input_mask, segment_ids; and label_ids, int32 or float32. Where it
has position [N] too, one piece of each example is masked, label_ids [N] is what it was, and of outputs [N, S, V] that
are kept at this place: log_probabilities [N] of the label, and best [N], the word that is the likeliest.
"""

import os
import time
import zipfile

import numpy as np
import turn
from answers import PER_POSITION, ROLES, run_shaped
from by_length import STEP, lengths
from stage import StageInputError, step

FILE = "features.npz"
ALONE, SHARE = 20, 10  # examples that are timed one at a time, at most; one of so many where these are fewer
NONE = np.finfo(np.float32).min  # a logit of what is no answer
SECONDS_BETWEEN_STEPS = 1.0
OUT_OF_MEMORY = ("MemoryError", "ResourceExhaustedError")  # Python's and NumPy's; TensorFlow's


class Examples(object):
    """Examples to answer, `batch_size` rows at a time; how long that takes goes into the report's facts.

    The longest come first, and a batch ends where its longest row does, rounded up to `STEP`, unless `padded` says that
    rows are as long as they were given. What is padding has no answer: `NONE` of logits of places [N, S], else 0.
    """

    timed = True

    def __init__(self, path, batch_size, report, padded=False):
        if batch_size < 1:
            raise StageInputError("--batch-size must be at least 1 (got %d)" % batch_size)
        self._columns = read_features(path)
        self._masked = read_masked(path)
        self._batch_size = batch_size
        self._report = report
        self._shape = self._columns["input_ids"].shape
        self._lengths = np.full(self._shape[0], self._shape[1]) if padded else lengths(self._columns["input_mask"])

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
        length, size = self._shape[1], self._batch_size
        if seq_len is not None and length > seq_len:
            raise StageInputError("the examples are %d tokens long, and the model takes only %d" % (length, seq_len))
        timed = _Timed(lambda group: run_shaped(group, run, batch, seq_len, per_position))
        places = PER_POSITION + tuple(per_position)
        middle = self._shape[0] // size // 2 * size
        try:
            # Engines prepare much in their first run. The second one of this shape is timed, whatever the others are.
            timed(self._group(np.argsort(-self._lengths, kind="stable")[middle : middle + size]))
            turn.wait(self._report)
            found = self._all(timed, places)
            whole = timed.summary(min(size, self._shape[0]))
            alone = _Timed(timed.run)
            for row in self._some():
                alone.again(self._group(np.array([row])))
        except Exception as error:
            if type(error).__name__ not in OUT_OF_MEMORY:
                raise
            raise StageInputError("memory ran out with %d examples at a time; try fewer" % size) from error
        self._report.facts["latency"] = {"batch_size": size, "batch": whole, "alone": alone.summary(1)}
        return found

    def _all(self, timed, places):
        """The answers to all examples, in their order."""
        count, size, told = self._shape[0], self._batch_size, time.monotonic()
        rows, found = np.argsort(-self._lengths, kind="stable"), {}
        for start in range(0, count, size):
            some = rows[start : start + size]
            for name, values in self._kept(timed(self._group(some)), some).items():
                if name not in found:
                    found[name] = self._empty(name, values, places)
                self._put(found[name], some, values, name in places or values.ndim == 3)
            if time.monotonic() - told > SECONDS_BETWEEN_STEPS:
                step("answered %d of %d examples" % (min(start + size, count), count))
                told = time.monotonic()
        return found

    def _group(self, rows):
        """The inputs of some examples, without the places that are padding in all of them."""
        longest = min(-(-self._lengths[rows].max() // STEP) * STEP, self._shape[1])
        return {role: values[rows, :longest] for role, values in self._columns.items()}

    def _empty(self, name, values, places):
        by_place = name in places or values.ndim == 3
        shape = self._shape + values.shape[2:] if by_place else self._shape[:1] + values.shape[1:]
        return np.full(shape, NONE if by_place and values.ndim == 2 and values.dtype.kind == "f" else 0, values.dtype)

    def _put(self, all_values, rows, values, by_place):
        if not by_place:
            all_values[rows] = values
            return
        for row, value in zip(rows, values):
            all_values[row, : self._lengths[row]] = value[: self._lengths[row]]

    def _some(self):
        """Rows that are timed alone: of every length, as the examples have them."""
        rows = np.argsort(-self._lengths, kind="stable")
        return rows[np.linspace(0, len(rows) - 1, min(ALONE, -(-len(rows) // SHARE))).astype(int)]

    def _kept(self, found, some):
        """What is kept of the answers to some examples: all, but of masked ones a row of words each."""
        if self._masked is None:
            return found
        kept = {}
        for values in (one for one in found.values() if one.ndim == 3):
            rows = np.arange(len(values))
            positions, labels = (column[some] for column in self._masked)
            words = np.asarray(values[rows, positions], np.float64)
            highest = words.max(axis=-1)
            total = np.log(np.exp(words - highest[:, None]).sum(axis=-1)) + highest
            kept["log_probabilities"] = (words[rows, labels] - total).astype(np.float32)
            kept["best"] = words.argmax(axis=-1).astype(np.int32)
        return kept

    def unanswered(self, given, names):
        """As `answers.Probes.unanswered`: all examples are answered, or none."""
        return {name: "" for name in names if not given or (self._masked is None and name not in given)}


class _Timed(object):
    """Runs groups of rows and keeps how long each took; the first run of a shape allocates, compiles, fills caches."""

    def __init__(self, run):
        self.run = run
        self.later = []
        self._met = set()

    def __call__(self, group):
        """What is answered to a group."""
        began = time.perf_counter()
        found = self.run(group)
        took = time.perf_counter() - began
        shape = group["input_ids"].shape
        if shape in self._met:
            self.later.append((shape, took))
        self._met.add(shape)
        return found

    def again(self, group):
        """Run a group, and once more where it was the first of its shape."""
        if group["input_ids"].shape not in self._met:
            self(group)
        self(group)

    def summary(self, rows):
        """Median and 95th percentile of the seconds per call of so many rows, and how many places these had."""
        timed = [one for one in self.later if one[0][0] == rows] or self.later  # the rest fills no batch
        seconds = [took for _, took in timed]
        return {
            "rows": rows,
            "calls": len(seconds),
            "median_seconds": round(float(np.median(seconds)), 9),
            "p95_seconds": round(float(np.percentile(seconds, 95)), 9),
            "median_length": int(np.median([shape[1] for shape, _ in timed])),
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
