"""From what is wanted of a task's data to the stage that prepares it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bertbuild.errors import UsageError
from bertbuild.parameters import check, check_choice, parameter, parameters_of
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.toml.values import Choice, Number, Text, Truth, Whole

GLUE = ("AX", "COLA", "MNLI", "MRPC", "QNLI", "QQP", "RTE", "SST-2", "STS-B", "WNLI")
SQUAD = ("SQUAD-1.1", "SQUAD-2.0")
TASKS = (*GLUE, "XNLI", *SQUAD)
OWN = "OWN"
"""Data of the user's own: tables with named columns, or CoNLL files."""
MNLI_TYPES = ("matched", "mismatched")
QUERY_LENGTH, DOC_STRIDE = 64, 128
"""The Model Garden's, where they are not said."""


VOCAB_READING_ABOUT = (
    "how text is read with a vocab.txt that has duplicate lines: lines: a word's number is its last line's; "
    "bert-tensorflow: its first's, and duplicates are not counted; default: the word table's rows tell"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is known of a prepared data set before anything is run.

    Attributes:
        task: its name, e.g. "MRPC".
        task_type: "classification", "multi-label", "regression", "tagging" or "squad".
        labels: the classes' names, in the order of the head's rows.
        max_seq_length: tokens of each example.
        source: the folder, as far as its dev set goes.
        training: the folder as far as its training examples go, None where there are none.
    """

    task: str
    task_type: str
    labels: tuple[str, ...]
    max_seq_length: int
    source: File
    training: File | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What records are to be like: flags of the Model Garden's create_finetuning_data, its defaults."""

    max_seq_length: int = parameter(Whole(1), 128, "pieces of a sequence, [CLS] and [SEP] counted")
    mnli_type: str = parameter(Choice(MNLI_TYPES), "matched", "which dev and test set of MNLI")
    xnli_language: str = parameter(
        Text(), "en", "language of XNLI's training data; all for every one", written="LANGUAGE"
    )
    max_query_length: int = parameter(Whole(1), QUERY_LENGTH, "pieces of a SQuAD question; the rest is cut off")
    doc_stride: int = parameter(Whole(1), DOC_STRIDE, "pieces between two windows of a SQuAD paragraph")
    text_column: str = parameter(Text(), "", "own tables: the column of texts", written="NAME")
    text_pair_column: str = parameter(
        Text(), "", "own tables: the column of second texts, where there are pairs", written="NAME"
    )
    label_column: str = parameter(
        Text(), "", "own tables: the column of labels; of --multi-label several, with commas", written="NAME"
    )
    label_separator: str = parameter(
        Text(), ",", "own tables, --multi-label: what stands between the labels of a row", written="TEXT"
    )
    labels: str = parameter(
        Text(),
        "",
        "own data: the labels in the order of their numbers, with commas; default: the training set's, sorted",
        written="NAMES",
    )
    regression: str = parameter(
        Text(), "", "own tables: labels are scores in this range, as they are: 0,5", written="LOW,HIGH"
    )
    multi_label: bool = parameter(Truth(), False, "own tables: a row has any of the labels, not one")
    dev_share: str = parameter(
        Number(above=0, below=1),
        "",
        "own data without a dev file: the share of the training set that becomes it, e.g. 0.1",
        written="SHARE",
    )


OF_OWN = (
    "text_column",
    "text_pair_column",
    "label_column",
    "label_separator",
    "labels",
    "regression",
    "multi_label",
    "dev_share",
)
"""Flags of `OWN` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest(Records):
    """What prepared data are to be like.

    Attributes:
        task: one of `TASKS`, or `OWN`.
        own_name: what own data are called; empty of other tasks.
        do_lower_case: make letters small, for an uncased vocabulary.
        vocab_reading: how a vocab.txt with duplicate lines is numbered; empty where there is but one way.
    """

    task: str
    own_name: str = ""
    do_lower_case: bool = True
    vocab_reading: str = ""

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        check(self)
        check_choice("task", (self.task,), (*TASKS, OWN))
        check_own(self, self.task)

    @property
    def squad(self) -> bool:
        """Whether the data are questions on paragraphs."""
        return self.task in SQUAD


def check_own(request: Any, task: str) -> None:
    """Refuse what is said of own data where they are none.

    Args:
        request: a dataclass that has the fields `OF_OWN`.
        task: that is prepared; "" where the data are prepared already.

    Raises:
        UsageError: it names the flag.
    """
    given = given_of_own(request)
    if given and task != OWN:
        flag = given[0].replace("_", "-")
        raise UsageError(
            f"--{flag} is for your own data, and {f'{task} says' if task else 'prepared data say'} it already.",
            next_step="Leave it out, or give --task own.",
        )


def given_of_own(request: Any) -> list[str]:
    """Those of the fields `OF_OWN` that have a value."""
    return [name for name in OF_OWN if getattr(request, name) != parameters_of(Records)[name].unset]


def plan_prepare_data(name: str, data: File, vocab: File, request: PrepareRequest) -> Plan:
    """Files of a task and a vocabulary → TFRecords and meta data; no model, so there are no answers to compare.

    Args:
        name: what the result is called after.
        data: the task's folder, or the SQuAD file.
        vocab: the vocabulary.
        request: what the records are to be like.
    """
    params = {
        "task": request.task,
        "do-lower-case": str(request.do_lower_case).lower(),
        "max-seq-length": str(request.max_seq_length),
    }
    if request.task == "MNLI":
        params["mnli-type"] = request.mnli_type
    if request.task == "XNLI":
        params["xnli-language"] = request.xnli_language
    if request.squad:
        params["max-query-length"] = str(request.max_query_length)
        params["doc-stride"] = str(request.doc_stride)
    if request.task == OWN:
        params |= {"task": "own", "own-name": request.own_name}
        params |= {name.replace("_", "-"): _text(getattr(request, name)) for name in given_of_own(request)}
    if request.vocab_reading:
        params["vocab-reading"] = request.vocab_reading
    step = Step(id="prepare-data", stage="prepare-data", inputs={"data": data, "vocab": vocab}, params=params)
    return Plan(model=name, steps=(step,))


def target_name(request: PrepareRequest) -> str:
    """The result's name in out/: data-MRPC-128, and what of the request is not usual."""
    parts = ["data", request.own_name or request.task]
    if request.task == "MNLI" and request.mnli_type != "matched":
        parts.append(request.mnli_type)
    if request.task == "XNLI":
        parts.append(request.xnli_language)
    parts.append(str(request.max_seq_length))
    if request.squad and request.max_query_length != QUERY_LENGTH:
        parts.append(f"q{request.max_query_length}")
    if request.squad and request.doc_stride != DOC_STRIDE:
        parts.append(f"d{request.doc_stride}")
    return "-".join(parts)


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value
