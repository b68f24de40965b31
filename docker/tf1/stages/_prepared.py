"""A prepared folder: what prepared.json says of the task, and whether the records are what it says."""

import hashlib
import os

import by_length
import numpy as np
import tensorflow as tf
from stage import StageInputError, read_json
from vocabulary import LINES

TRAIN, EVAL, TEST = "train.tf_record", "eval.tf_record", "test.tf_record"
CLASSIFICATION, SQUAD = "classification", "squad"
REGRESSION, MULTI_LABEL, TAGGING = OURS = ("regression", "multi-label", "tagging")
"""The types of tasks; `OURS` are those that google-research/bert has no script for."""
HEADS = {
    CLASSIFICATION: "classifier",
    SQUAD: "span",
    REGRESSION: "regression",
    MULTI_LABEL: "multi-label",
    TAGGING: "tokens",
}
"""The head that each trains, as the table of heads calls it."""
WORDS = "test.conll"
"""Of tags: the words of test.tf_record, a line each, in the order of its places with a label."""
SEQUENCES = ("input_ids", "input_mask", "segment_ids")
BATCH = 1024


class Prepared(object):
    """A prepared folder that fits a model.

    Attributes:
        task, labels, score_range, max_seq_length, do_lower_case, vocab_reading: as in prepared.json.
        kind: its task_type.
        squad: whether the task is to find answers.
    """

    def __init__(self, folder, max_seq_length, source):
        told = read_json(folder, "prepared.json")
        self.folder = folder
        try:
            self.task = told["task"]
            self.kind = told["task_type"]
            self.labels = told.get("labels") or []
            self.score_range = told.get("score_range")
            self.max_seq_length = told["max_seq_length"]
            self.do_lower_case = told["do_lower_case"]
            self.vocab_reading = told.get("vocab_reading", LINES)
            self.version_2_with_negative = bool(told.get("version_2_with_negative"))
            vocab = told["vocab_sha256"]
        except KeyError as error:
            raise StageInputError(
                "%s/prepared.json does not say %s; is it a result of prepare-data?" % (folder, error)
            ) from error
        self.squad = self.kind == SQUAD
        self._check_task()
        self._check_length(max_seq_length, source)
        self._check_vocab(vocab, source)
        self._source = source

    @property
    def head(self):
        """The head that is trained, as the table of heads calls it."""
        return HEADS[self.kind]

    @property
    def columns(self):
        """The rows of the head's weights, but for SQuAD's."""
        return 1 if self.kind == REGRESSION else len(self.labels)

    def path(self, name):
        """The path of one of the three record files, or None where the data has none."""
        path = os.path.join(self.folder, name)
        return path if os.path.exists(path) else None

    def require(self, name, flag):
        """The same, for a file that `flag` needs."""
        path = self.path(name)
        if path is None:
            raise StageInputError("%s has no %s, which --%s needs" % (self.folder, name, flag))
        return path

    def count(self, name, labelled=True, add=None):
        """How many examples a file has, every one of them looked at.

        Args:
            name: of the file.
            labelled: whether its labels are the task's; those of a test file mean nothing.
            add: function that is given the labels of some examples at a time, an array.

        Raises:
            StageInputError: no example, a broken file, another length, a label outside the task, ids that the model has
                no embedding for.
        """
        path, seen = self.path(name), 0
        for batch in _batches(path, self._features()):
            self._check_range(name, seen, batch["input_ids"], self._source.config.vocab_size, "token id")
            self._check_range(name, seen, batch["segment_ids"], self._source.config.type_vocab_size, "segment id")
            if self.squad:
                for role in ("start_positions", "end_positions"):
                    self._check_range(name, seen, batch[role], self.max_seq_length, role[:-1])
            elif labelled:
                self._check_labels(name, seen, batch["label_ids"])
            if add is not None:
                add(batch["label_ids"])
            seen += len(batch["input_ids"])
        if not seen:
            raise StageInputError("%s holds no example" % path)
        return seen

    def lengths(self, path):
        """The length of each record's row, without its padding: int array [N].

        Args:
            path: of records that hold a mask; of tags labels too.
        """
        names = ["input_mask"] + (["label_ids"] if self.kind == TAGGING else [])
        wanted = {name: tf.io.FixedLenFeature([self.max_seq_length], tf.int64) for name in names}
        found = [np.zeros(0, int)]
        for batch in _batches(path, wanted):
            real = batch["input_mask"] != 0
            found.append(by_length.lengths(real | (batch["label_ids"] >= 0) if self.kind == TAGGING else real))
        return np.concatenate(found)

    def _features(self):
        return features(self.kind, self.max_seq_length, self.columns)

    def _check_task(self):
        if self.kind not in HEADS:
            raise StageInputError(
                "%s/prepared.json has the task_type %s; known are %s" % (self.folder, self.kind, ", ".join(HEADS))
            )
        least = {CLASSIFICATION: 2, TAGGING: 2, MULTI_LABEL: 1}.get(self.kind, 0)
        if len(self.labels) < least:
            raise StageInputError(
                "%s/prepared.json names %d labels; a task of the type %s needs %d"
                % (self.folder, len(self.labels), self.kind, least)
            )

    def _check_length(self, wanted, source):
        if wanted is not None and wanted != self.max_seq_length:
            raise StageInputError(
                "--max_seq_length=%d, but %s holds sequences of %d; prepare the data again for another length"
                % (wanted, self.folder, self.max_seq_length)
            )
        if self.max_seq_length > source.config.max_position_embeddings:
            raise StageInputError(
                "the sequences of %s are %d long, but the model's position table ends at %d; prepare the data again "
                "with --max_seq_length=%d or less"
                % ((self.folder, self.max_seq_length) + (source.config.max_position_embeddings,) * 2)
            )

    def _check_vocab(self, prepared, source):
        path = os.path.join(source.folder, "vocab.txt")
        if not os.path.exists(path):
            raise StageInputError("%s has no vocab.txt" % source.folder)
        with open(path, "rb") as file:
            ours = hashlib.sha256(file.read()).hexdigest()
        if ours != prepared:
            raise StageInputError(
                "%s was prepared with another vocabulary (sha256 %s…) than the model's vocab.txt (%s…); "
                "prepare the data again with that one" % (self.folder, prepared[:12], ours[:12])
            )

    def _check_labels(self, name, seen, values):
        if self.kind == REGRESSION:
            good, known = np.isfinite(values), "which is no number"
        elif self.kind == MULTI_LABEL:
            good, known = (values == 0) | (values == 1), "which is neither 0 nor 1"
        else:
            least = -1 if self.kind == TAGGING else 0
            good = (values >= least) & (values < len(self.labels))
            known = "but %s has only the labels 0 to %d (%s)" % (
                self.task,
                len(self.labels) - 1,
                ", ".join(map(str, self.labels)),
            )
        wrong = np.argwhere(~good)
        if len(wrong):
            value = values[tuple(wrong[0])]
            raise StageInputError(
                "%s of %s: example %d has label %s, %s"
                % (name, self.folder, seen + wrong[0][0] + 1, "%g" % value, known)
            )

    def _check_range(self, name, seen, values, end, what):
        if values.min() >= 0 and values.max() < end:
            return
        rows = np.flatnonzero(((values < 0) | (values >= end)).reshape(len(values), -1).any(axis=1))
        raise StageInputError(
            "%s of %s: example %d has a %s outside 0 to %d, all that this model knows"
            % (name, self.folder, seen + rows[0] + 1, what, end - 1)
        )


def features(kind, length, columns):
    """What a training asks of a record of a task: what run_classifier's and run_squad's input functions do, or ours.

    Args:
        kind: the task_type.
        length: of the sequences.
        columns: how many labels the task has.

    Returns:
        dict of name → tf.io.FixedLenFeature.
    """
    found = {name: tf.io.FixedLenFeature([length], tf.int64) for name in SEQUENCES}
    if kind == SQUAD:
        names = ("start_positions", "end_positions")
        return dict(found, **{name: tf.io.FixedLenFeature([], tf.int64) for name in names})
    shape = {MULTI_LABEL: [columns], TAGGING: [length]}.get(kind, [])
    labels = tf.io.FixedLenFeature(shape, tf.float32 if kind == REGRESSION else tf.int64)
    return dict(found, label_ids=labels, is_real_example=tf.io.FixedLenFeature([], tf.int64))


def _batches(path, features):
    """The records of a file, parsed: dicts of name → int64 array [N, …].

    Raises:
        StageInputError: it is broken, or its records have not these features in these sizes.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        records = tf.data.TFRecordDataset(path).batch(BATCH)
        parsed = records.map(lambda batch: tf.io.parse_example(batch, features))
        following = tf.compat.v1.data.make_one_shot_iterator(parsed).get_next()
        try:
            while True:
                yield session.run(following)
        except tf.errors.OutOfRangeError:
            return
        except tf.errors.DataLossError as error:
            raise StageInputError("%s is damaged: %s; prepare the data again" % (path, _said(error))) from error
        except tf.errors.InvalidArgumentError as error:
            wanted = ", ".join("%s %s" % (name, feature.shape) for name, feature in sorted(features.items()))
            raise StageInputError(
                "%s cannot be used: %s; its records must hold %s" % (path, _said(error), wanted)
            ) from error


def _said(error):
    return error.message.splitlines()[0].strip(" .")
