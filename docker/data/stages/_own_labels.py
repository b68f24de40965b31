"""The labels of own data, of each kind of task: from what a row has to the numbers of a record."""

import math

from stage import StageInputError


class Classes:
    """One of several classes; a number, the place in `labels`."""

    task_type, head = "classification", "classifier"

    def __init__(self, column, labels=()):
        self.columns, self.labels = (column,), tuple(labels)

    def learn(self, rows, path):
        """Take the classes of the training set, sorted, where none are named; there must be two."""
        named = bool(self.labels)
        if not named:
            self.labels = _in_order(self._text(row, where) for where, row in located(rows, path))
        if len(self.labels) < 2 and named:
            raise StageInputError("--labels names one class, %s; name all of them: --labels a,b" % self.labels[0])
        if len(self.labels) < 2:
            message = "%s has one class alone in the column %s, %s; add rows of another, a classifier needs two"
            raise StageInputError(message % (path, self.columns[0], ", ".join(self.labels)))

    def numbers(self, row, where):
        """The label of a row as a list of one number."""
        return [number_of(self._text(row, where), self.labels, where, self.columns[0])]

    def none(self):
        """What a test row without a label gets."""
        return [0]

    def _text(self, row, where):
        return plain(row[self.columns[0]], where, self.columns[0])


class Scores:
    """A number within a range."""

    task_type, head, labels = "regression", "regression", ()

    def __init__(self, column, low, high):
        self.columns, self.range = (column,), (low, high)

    def learn(self, rows, path):
        """Nothing: the range is named."""

    def numbers(self, row, where):
        """The score of a row as a list of one number."""
        (column,), value = self.columns, row[self.columns[0]]
        try:
            score = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            score = math.nan
        low, high = self.range
        if not low <= score <= high:
            message = "%s, column %s: %r is not a number from %g to %g; fix the row, or the range of --regression"
            raise StageInputError(message % (where, column, value, low, high))
        return [score]

    def none(self):
        """What a test row without a score gets."""
        return [self.range[0]]


class Several:
    """Any of several labels, in one column with a separator between them (in .jsonl also a list); 0 or 1 of each."""

    task_type, head = "multi-label", "multi-label"

    def __init__(self, column, separator, labels=()):
        self.columns, self.labels, self._separator = (column,), tuple(labels), separator

    def learn(self, rows, path):
        """Take the labels of the training set, sorted, where none are named."""
        if not self.labels:
            self.labels = _in_order(name for where, row in located(rows, path) for name in self._names(row, where))
        if not self.labels:
            message = "no row of %s has a label in the column %s; name the labels: --labels a,b,c"
            raise StageInputError(message % (path, self.columns[0]))

    def numbers(self, row, where):
        """A 0 or 1 for each label."""
        places = {number_of(name, self.labels, where, self.columns[0]) for name in self._names(row, where)}
        return [int(place in places) for place in range(len(self.labels))]

    def none(self):
        """What a test row without labels gets."""
        return [0] * len(self.labels)

    def _names(self, row, where):
        (column,), value = self.columns, row[self.columns[0]]
        if isinstance(value, list):
            return [plain(one, where, column) for one in value]
        text = plain(value, where, column, "; a row may lack all labels where each has a column of 0 and 1, or as []")
        return [name.strip() for name in text.split(self._separator) if name.strip()]


class Columns:
    """Any of several labels, each in its own column of 0 and 1."""

    task_type, head = "multi-label", "multi-label"

    def __init__(self, columns):
        self.columns = self.labels = tuple(columns)

    def learn(self, rows, path):
        """Nothing: the columns are the labels."""

    def numbers(self, row, where):
        """A 0 or 1 for each label."""
        return [self._number(row[column], where, column) for column in self.columns]

    def none(self):
        """What a test row without labels gets."""
        return [0] * len(self.columns)

    def _number(self, value, where, column):
        text = str(int(value)) if isinstance(value, bool) else str(value).strip()
        if text not in ("0", "1"):
            raise StageInputError("%s, column %s: %r is neither 0 nor 1; fix the row" % (where, column, value))
        return int(text)


def labels_of(args, columns):
    """The kind of labels that the stage's arguments ask for.

    Raises:
        StageInputError: they contradict each other.
    """
    named = args.labels.split(",") if args.labels else []
    if len(set(named)) < len(named) or "" in named:
        raise StageInputError("--labels %s names a label twice, or none between two commas" % args.labels)
    several = args.multi_label == "true"
    if args.regression and (several or named):
        raise StageInputError("--regression is for scores: leave --labels and --multi-label out")
    if len(columns) > 1 and not several:
        raise StageInputError("several columns of labels are of --multi-label, which is not given")
    if args.regression:
        return Scores(columns[0], *_range(args.regression))
    if len(columns) > 1:
        if named:
            raise StageInputError("the columns of labels name the labels already; leave --labels out")
        return Columns(columns)
    return Several(columns[0], args.label_separator, named) if several else Classes(columns[0], named)


def _range(text):
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise StageInputError(
            "--regression %s is no range; give the lowest and the highest score: --regression 0,5" % text
        )
    return low, high


def located(rows, path):
    """(where, row) of (line, row): where in words, for messages."""
    return (("%s line %d" % (path, line), row) for line, row in rows)


def plain(value, where, column, hint=""):
    """A label as text: a text, a whole number or a truth of JSON; raises `StageInputError` for anything else."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if not text:
        what = "is empty" if value in ("", None) or isinstance(value, str) else "is no label: %r" % (value,)
        raise StageInputError("%s, column %s %s; give the row its label or remove it%s" % (where, column, what, hint))
    return text


def number_of(text, labels, where, column):
    """The place of a label among the task's; raises `StageInputError` where it is none of them."""
    if text not in labels:
        message = "%s, column %s: %r is none of the labels %s; fix the row, or name all labels: --labels"
        raise StageInputError(message % (where, column, text[:50], shortened(labels)))
    return labels.index(text)


def shortened(labels):
    """The labels for a message."""
    return ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")


def _in_order(labels):
    """Each once, sorted; numbers by their value."""
    found = set(labels)
    return tuple(sorted(found, key=int if all(name.isdecimal() for name in found) else None))
