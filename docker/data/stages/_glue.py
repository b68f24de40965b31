"""The tasks of GLUE and XNLI as tables of tab-separated files: which columns are what.

Columns and labels are those of the Model Garden's processors while they read files (tf-models-official 2.4; its later
ones ask TensorFlow Datasets) and of google-research/bert's run_classifier.py.
"""

from dataclasses import dataclass
from typing import Optional

LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
YES_OR_NO = ("0", "1")
INFERENCE = ("contradiction", "entailment", "neutral")
NO_LABEL = "-"  # of MNLI and SNLI as they were published: the annotators did not agree
ENTAILMENT = ("entailment", "not_entailment")


@dataclass(frozen=True)
class Table:
    """A file of a task.

    Attributes:
        file: its path in the folder.
        texts: columns of the one text or the two.
        label: the label's column, None where rows have none and get the first label, as upstream gives them.
        names: what the header calls the columns of `texts`; () where the file has no header.
        language: the language's column, None where rows are not told apart.
        skips: rows too short are left out, as upstream leaves them out.
    """

    file: str
    texts: tuple
    label: Optional[int]
    names: tuple = ()
    language: Optional[int] = None
    skips: bool = False

    @property
    def columns(self):
        """How many columns a row has at least."""
        return max(-1 if number is None else number for number in (*self.texts, self.label, self.language)) + 1


@dataclass(frozen=True)
class Task:
    """A task: its labels in the order of their numbers (None: the label is a number), and the files of each split."""

    processor: str
    labels: Optional[tuple]
    train: tuple = ()
    eval: tuple = ()
    test: tuple = ()

    def languages(self, split):
        """What a split is told apart by: a file of records for each language, or one for None."""
        return LANGUAGES if any(table.language is not None for table in getattr(self, split)) else (None,)


def meta_data(task, length, counts):
    """The Model Garden's meta data of records, its keys in its order; `counts` are of examples, by split."""
    meta = {"processor_type": task.processor, "train_data_size": counts.get("train", 0), "max_seq_length": length}
    tests = counts.get("test", {})
    if isinstance(tests, dict):
        meta |= {"test_%s_data_size" % language: count for language, count in tests.items()}
    else:
        meta["test_data_size"] = tests
    if task.labels is None:
        meta |= {"task_type": "bert_regression", "label_type": "float"}
    else:
        meta |= {"task_type": "bert_classification", "num_labels": len(task.labels)}
    if "eval" in counts:
        meta["eval_data_size"] = counts["eval"]
    return meta


def task_named(name, mnli_type="matched", xnli_language="en"):
    """The task of a name as the Model Garden spells it."""
    if name == "MNLI":
        columns = ((8, 9), -1, ("sentence1", "sentence2"))
        train, dev = Table("train.tsv", *columns), Table("dev_%s.tsv" % mnli_type, *columns)
        test = Table("test_%s.tsv" % mnli_type, (8, 9), None, columns[2])
        return Task("MNLI", INFERENCE, (train,), (dev,), (test,))
    if name == "XNLI":
        languages = LANGUAGES if xnli_language == "all" else (xnli_language,)
        train = tuple(
            Table("multinli/multinli.train.%s.tsv" % language, (0, 1), 2, ("premise", "hypo")) for language in languages
        )
        dev = Table("xnli.dev.tsv", (6, 7), 1, ("sentence1", "sentence2"))
        test = Table("xnli.test.tsv", (6, 7), 1, ("sentence1", "sentence2"), language=0)
        return Task("XNLI", INFERENCE, train, (dev,), (test,))
    return TASKS[name]


def tables(name):
    """The tables of a task, of all its splits."""
    task = task_named(name)
    return (*task.train, *task.eval, *task.test)


def _task(processor, labels, train, test):
    """A task whose dev.tsv is like its train.tsv."""
    return Task(
        processor, labels, (Table("train.tsv", *train),), (Table("dev.tsv", *train),), (Table("test.tsv", *test),)
    )


_SENTENCES = ("sentence1", "sentence2")
_STRINGS = ("#1 String", "#2 String")
_QUESTIONS = ("question1", "question2")
TASKS = {
    "AX": _task("AX", INFERENCE, ((8, 9), -1, _SENTENCES), ((1, 2), None, _SENTENCES)),
    "COLA": _task("COLA", YES_OR_NO, ((3,), 1), ((1,), None, ("sentence",))),
    "MRPC": _task("MRPC", YES_OR_NO, ((3, 4), 0, _STRINGS), ((3, 4), None, _STRINGS)),
    "QNLI": _task("QNLI", ENTAILMENT, ((1, 2), -1, ("question", "sentence")), ((1, 2), None, ("question", "sentence"))),
    "QQP": _task("QQP", YES_OR_NO, ((3, 4), 5, _QUESTIONS, None, True), ((1, 2), None, _QUESTIONS)),
    "RTE": _task("RTE", ENTAILMENT, ((1, 2), 3, _SENTENCES), ((1, 2), None, _SENTENCES)),
    "SST-2": _task("SST-2", YES_OR_NO, ((0,), 1, ("sentence",)), ((1,), None, ("sentence",))),
    "STS-B": _task("STS-B", None, ((7, 8), 9, _SENTENCES), ((7, 8), None, _SENTENCES)),
    "WNLI": _task("WNLI", YES_OR_NO, ((1, 2), 3, _SENTENCES), ((1, 2), None, _SENTENCES)),
}
NAMES = tuple(sorted((*TASKS, "MNLI", "XNLI")))
