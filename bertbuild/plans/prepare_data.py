"""From what is wanted of a task's data to the stage that prepares it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.parameters import check, check_choice, parameter
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.toml.values import Choice, Text, Whole

GLUE = ("AX", "COLA", "MNLI", "MRPC", "QNLI", "QQP", "RTE", "SST-2", "STS-B", "WNLI")
SQUAD = ("SQUAD-1.1", "SQUAD-2.0")
TASKS = (*GLUE, "XNLI", *SQUAD)
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
        task_type: "classification", "regression" or "squad".
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest(Records):
    """What prepared data are to be like.

    Attributes:
        task: one of `TASKS`.
        do_lower_case: make letters small, for an uncased vocabulary.
        vocab_reading: how a vocab.txt with duplicate lines is numbered; empty where there is but one way.
    """

    task: str
    do_lower_case: bool = True
    vocab_reading: str = ""

    def __post_init__(self) -> None:
        """Refuse what no data could make sense of, before anything is fetched."""
        check(self)
        check_choice("task", (self.task,), TASKS)

    @property
    def squad(self) -> bool:
        """Whether the data are questions on paragraphs."""
        return self.task in SQUAD


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
    if request.vocab_reading:
        params["vocab-reading"] = request.vocab_reading
    step = Step(id="prepare-data", stage="prepare-data", inputs={"data": data, "vocab": vocab}, params=params)
    return Plan(model=name, steps=(step,))


def target_name(request: PrepareRequest) -> str:
    """The result's name in out/: data-MRPC-128, and what of the request is not usual."""
    parts = ["data", request.task]
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
