"""Examples to calibrate and to judge a quantized model with: read, checked, brought into the shape a model takes."""

import os
import zipfile

import numpy as np
from answers import ROLES
from stage import StageInputError, read_json

FEATURES, TRAIN, DEV = "features.npz", "train.tf_record", "eval.tf_record"
LABELS, PREPARED = "label_ids", "prepared.json"
WINDOWS = ("question", "first", "begin", "count")  # of answer_spans
_ZIP = b"PK"  # how an .npz begins


class Examples:
    """Some examples.

    `features`: role → int32 array [N, S]; `labels`: an array [N, …], or None; `more`: other arrays [N, …] by name;
    `told`: what prepared.json says of them.
    """

    def __init__(self, path, features, labels=None, more=None, told=None):
        self.path = path
        self.features = features
        self.labels = labels
        self.more, self.told = more or {}, told or {}
        self.lengths = features["input_mask"].sum(axis=1)
        self.width = features["input_mask"].shape[1]

    def __len__(self):
        return len(self.lengths)

    def feeds(self, batch=None, seq_len=None, multiple=1):
        """What a model of a fixed (or, where None, free) batch size and sequence length is fed, one dict a run.

        Where the length is free, padding is cut off, down to a multiple: it says nothing of what the model will see.
        """
        for start in range(0, len(self), batch or 1):
            rows = np.minimum(np.arange(start, start + (batch or 1)), len(self) - 1)  # the last one fills a batch
            longest = int(self.lengths[rows].max())
            width = min(-(-longest // multiple) * multiple, self.width) if seq_len is None else seq_len
            feeds = {}
            for role in ROLES:
                part = self.features[role][rows, :width]
                feeds[role] = np.pad(part, ((0, 0), (0, width - part.shape[1])))
            yield feeds


def read_calibration(path, most):
    """The first examples of a data set, at most so many.

    Args:
        path: a TFRecord file of tf.train.Examples with int64 features input_ids, input_mask, segment_ids [S]; or an
            .npz with int32 arrays [N, S] of these names; or a folder of features.npz or train.tf_record.
        most: how many to read at most.

    Raises:
        StageInputError: there are none, or they are of no such form.
    """
    columns = _read(path, TRAIN, ROLES, most)
    return Examples(path, _features(path, columns))


def read_validation(path, head):
    """All examples of a data set with what their answers are judged by: like `read_calibration`, with label_ids.

    Of a folder, eval.tf_record is read; of the stage squad-examples, features.npz and questions.json.

    Args:
        path: of the data set.
        head: the kind of head that answers.

    Raises:
        StageInputError: as there.
    """
    more = {"tokens": ("sentence_id",), "span": WINDOWS}.get(head, ())
    labels = () if head == "span" else (LABELS,)
    if more and not os.path.isdir(path):
        raise StageInputError("%s is a file; examples of this head are a folder, with what tells of them" % path)
    told = read_json(path, PREPARED) if head == "tokens" else {}
    columns = _read(path, DEV, (*ROLES, *labels, *more), None)
    found = columns.get(LABELS)
    if found is not None and found.ndim == 2 and found.shape[1] == 1:
        found = found.reshape(-1)
    return Examples(path, _features(path, columns), found, {name: columns[name] for name in more}, told)


def _read(path, records, names, most):
    if os.path.isdir(path):
        features = os.path.join(path, FEATURES)
        path = features if os.path.exists(features) else os.path.join(path, records)
    try:
        with open(path, "rb") as file:
            is_zip = file.read(len(_ZIP)) == _ZIP
    except OSError as error:
        raise StageInputError("cannot read %s: %s" % (path, error.strerror)) from error
    columns = _read_npz(path, names) if is_zip else _read_records(path, names, most)
    columns = {name: values[:most] for name, values in columns.items()}
    if not len(columns[ROLES[0]]):
        raise StageInputError("%s holds no examples" % path)
    return columns


def _read_records(path, names, most):
    from tfrecords import read_columns

    return read_columns(path, names, most)


def _read_npz(path, names):
    try:
        with np.load(path) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StageInputError("%s holds no examples: %s" % (path, error)) from error


def _features(path, columns):
    features = {role: columns[role].astype(np.int32) for role in ROLES}
    shapes = {values.shape for values in features.values()}
    if len(shapes) != 1 or len(shapes.copy().pop()) != 2:
        raise StageInputError("%s holds arrays of the shapes %s, not of one [N, S]" % (path, sorted(shapes)))
    empty = np.flatnonzero(features["input_mask"].sum(axis=1) == 0)
    if len(empty):
        raise StageInputError("%s: example %d is padding alone" % (path, empty[0]))
    return features


def check_fit(examples, vocab_size, seq_len):
    """Raise StageInputError where an example is not for this model.

    Args:
        examples: to be checked.
        vocab_size: rows of the model's word embeddings, or None where that is not known.
        seq_len: the only sequence length the model takes, or None.
    """
    ids = examples.features["input_ids"]
    wrong = np.argwhere((ids < 0) | (ids >= vocab_size)) if vocab_size else ()
    if len(wrong):
        row, place = wrong[0]
        raise StageInputError(
            "%s: example %d has the id %d, and the model knows %d words; it was prepared with another vocabulary"
            % (examples.path, row, ids[row, place], vocab_size)
        )
    longest = int(examples.lengths.argmax())
    if seq_len is not None and examples.lengths[longest] > seq_len:
        raise StageInputError(
            "%s: example %d has %d tokens, and the model takes only %d; prepare the data with --max-seq-length %d"
            % (examples.path, longest, examples.lengths[longest], seq_len, seq_len)
        )
