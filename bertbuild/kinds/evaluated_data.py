"""What is named to measure targets on: by flags of evaluate, or in a build file."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.kinds.measured import Judging
from bertbuild.parameters import parameter
from bertbuild.plans.prepare_data import VOCAB_READING_ABOUT
from bertbuild.toml.values import Choice, Location, Text, Truth, Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Judging):
    """What the user named to evaluate on: a task and its files, what prepare-data made of them, questions, or text."""

    task: str = parameter(
        Text(),
        "",
        "a task of GLUE or SQuAD, or the name of your own data; default: what the checkpoint was fine-tuned on",
        written="TASK",
    )
    data: str = parameter(
        Location(),
        "",
        "folder of the task's files, or SQuAD's dev file; default: what fetch-data brings",
        written="FOLDER|FILE",
    )
    prepared: str = parameter(
        Location(),
        "",
        "folder of prepare-data, whose dev set is taken; default: the task's data are prepared first",
        written="FOLDER",
    )
    squad_data_file: str = parameter(
        Location(), "", "dev-v1.1.json or dev-v2.0.json: questions to ask; with --predictions, to judge", written="FILE"
    )
    text: str = parameter(
        Location(),
        "",
        "any text in UTF-8, an example a line: the pseudo-perplexity of the masked-LM head on it",
        written="FILE",
    )
    max_seq_length: int = parameter(
        Whole(1), 0, "questions and text: pieces of an example; default: as fine-tuned, else 384 and 128"
    )
    max_query_length: int = parameter(Whole(1), 0, "SQuAD: pieces of a question; default: as prepared, else 64")
    doc_stride: int = parameter(
        Whole(1), 0, "SQuAD: pieces between two windows of a paragraph; default: as prepared, else 128"
    )
    do_lower_case: bool | None = parameter(
        Truth(), None, "questions: make letters small; default: as fine-tuned, else as the vocabulary is"
    )
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)

    @property
    def names_none(self) -> bool:
        """Whether it names no data, so that they are those that the model was fine-tuned on."""
        return not (self.task or self.data or self.prepared or self.squad_data_file or self.text)
