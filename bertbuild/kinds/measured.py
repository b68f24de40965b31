"""What targets are measured on: examples, which head is to answer them, and how the answers are judged. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bertbuild.errors import DataError
from bertbuild.heads.answers import ANSWERS
from bertbuild.heads.masked_lm import HEAD as MASKED_LM
from bertbuild.heads.rows import HEADS
from bertbuild.heads.span import HEAD as SPAN
from bertbuild.parameters import check, parameter
from bertbuild.plans.plan import File, Step
from bertbuild.plans.prepare_data import DOC_STRIDE, QUERY_LENGTH, Prepared
from bertbuild.toml.values import Choice, Text, Whole

EXAMPLES = "examples"
SCHEMES = ("IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU")
HEAD_OF = {
    "classification": "classifier",
    "multi-label": "multi-label",
    "regression": "regression",
    "tagging": "tokens",
    "squad": SPAN.name,
}
"""What kind of task data are of → the head that is trained on them."""
OF_MASKED = ("log_probabilities",)
"""What answers to masked examples keep (docker/common/features.py), where others are called as the outputs are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How answers to questions and tags are judged: the flags of run_squad, and seqeval's scheme."""

    n_best_size: int = parameter(Whole(1), 20, "SQuAD: spans that are looked at")
    max_answer_length: int = parameter(Whole(1), 30, "SQuAD: pieces of an answer")
    null_score_diff_threshold: str = parameter(
        Text(), "0.0", "SQuAD 2.0: no answer where its score is above the best one's by more than this", written="SCORE"
    )
    tag_scheme: str = parameter(
        Choice(SCHEMES), "", "tags: strict figures of entities too, as this scheme has them; default: none"
    )

    def __post_init__(self) -> None:
        """Refuse what no answers could be judged by."""
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Examples, and what is asked of them.

    Attributes:
        task: what they are of.
        head: the kind of head that answers.
        labels: the classes' names, where there are such.
        max_seq_length: pieces of an example.
        steps: what makes the examples; the last is called `EXAMPLES`.
        training: examples that int8 is calibrated on, None where there are none.
        params: of the stage score.
    """

    task: str
    head: str
    labels: tuple[str, ...]
    max_seq_length: int
    steps: tuple[Step, ...]
    training: File | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """What --output calls the answers that are asked for."""
        answers = HEADS[self.head].answers
        return ",".join([answer.output for answer in answers if answer.usual] or [answers[0].output])

    @property
    def tensors(self) -> tuple[str, ...]:
        """What answers.npz calls them."""
        if self.head == MASKED_LM.name:
            return OF_MASKED
        return tuple(ANSWERS[name].tensor for name in self.output.split(","))

    @property
    def is_scored(self) -> bool:
        """Whether a stage judges the answers; the host knows the figures of one class and of scores."""
        return self.head not in ("classifier", "regression")


def of_prepared(prepared: Prepared, judging: Judging) -> Measured:
    """The dev set of a folder of prepare-data."""
    head = HEAD_OF[prepared.task_type]
    return Measured(
        task=prepared.task,
        head=head,
        labels=prepared.labels,
        max_seq_length=prepared.max_seq_length,
        steps=(Step(id=EXAMPLES, stage="examples", inputs={"prepared": prepared.source}),),
        training=prepared.training,
        params={"tag-scheme": judging.tag_scheme} if head == "tokens" and judging.tag_scheme else {},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How text becomes pieces: the model's vocabulary, whether letters are made small, how many pieces."""

    vocab: File
    lower_case: bool = True
    vocab_reading: str = ""
    max_seq_length: int = 384
    max_query_length: int = QUERY_LENGTH
    doc_stride: int = DOC_STRIDE

    @property
    def params(self) -> dict[str, str]:
        """Those that all stages take."""
        told = {"vocab-reading": self.vocab_reading} if self.vocab_reading else {}
        return {"max-seq-length": str(self.max_seq_length), **told}


def of_questions(task: str, data: File, reading: Reading, judging: Judging, training: File | None) -> Measured:
    """The questions of a SQuAD file."""
    params = {
        **reading.params,
        "do-lower-case": str(reading.lower_case).lower(),
        "max-query-length": str(reading.max_query_length),
        "doc-stride": str(reading.doc_stride),
    }
    inputs: dict[str, File | str] = {"data": data, "vocab": reading.vocab}
    return Measured(
        task=task,
        head=SPAN.name,
        labels=(),
        max_seq_length=reading.max_seq_length,
        steps=(Step(id=EXAMPLES, stage="squad-examples", inputs=inputs, params=params),),
        training=training,
        params={
            "n-best-size": str(judging.n_best_size),
            "max-answer-length": str(judging.max_answer_length),
            "null-score-diff-threshold": judging.null_score_diff_threshold,
        },
    )


def of_text(text: File, reading: Reading) -> Measured:
    """Any text, each of its pieces masked in turn."""
    vocab: dict[str, File | str] = {"vocab": reading.vocab}
    told = {"vocab-reading": reading.vocab_reading} if reading.vocab_reading else {}
    read = Step(id="text-examples", stage="text-examples", inputs={"text": text, **vocab}, params=reading.params)
    masked = Step(id=EXAMPLES, stage="masked-examples", inputs={"examples": read.id, **vocab}, params=told)
    return Measured(
        task=text.path.stem, head=MASKED_LM.name, labels=(), max_seq_length=reading.max_seq_length, steps=(read, masked)
    )


def training_of(data: Measured, target: str) -> File:
    """The examples that a target of int8 is calibrated on.

    Raises:
        DataError: the data hold none.
    """
    if data.training is None:
        raise DataError(
            f"The {data.task} data hold no training examples, which int8 is calibrated on.",
            next_step=f"Give a prepared data set that has them (--prepared FOLDER), or leave {target} out.",
        )
    return data.training
