"""Examples to calibrate int8 on: the files that were named, checked against the model, as a plan wants them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.tokenizer_file import tokenizer_in
from bertbuild.checkpoint.vocabulary import chosen_reading, require_words
from bertbuild.errors import DataError, UsageError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.heads.classifier import PART as CLASSIFIER
from bertbuild.heads.rows import HEADS
from bertbuild.heads.span import PART as SPAN
from bertbuild.heads.tokens import HEAD as TOKENS_HEAD
from bertbuild.kinds.int8 import Calibration, head_judged, plan_text_examples
from bertbuild.kinds.ir_request import Calibrated
from bertbuild.kinds.measured import HEAD_OF, Judging, Reading, of_questions
from bertbuild.plans.plan import File, Source, Step
from bertbuild.plans.prepare_data import DOC_STRIDE, QUERY_LENGTH
from bertbuild.source.prepared import DEV, FACTS, TRAIN, check_vocabulary, files_of, read_facts
from bertbuild.store.inputs import file_input
from bertbuild.store.store import Store

TOKENS = TOKENS_HEAD.name
JUDGED = frozenset(HEAD_OF.values())
"""The heads whose metric a loss can be bounded by."""


def find_calibration(request: Calibrated, source: Source, store: Store) -> Calibration:
    """What was named, found and checked.

    Raises:
        DataError: it is not there, or was not made for this model.
        UsageError: the source has no vocabulary to read text with, or one that can be read in two ways, or no head
            whose accuracy could be bounded.
    """
    if request.max_drop and source.kind == "checkpoint" and head_judged(source, request) not in JUDGED:
        raise UsageError(
            f"This target of {source.model} gives no answer of a head for a task, so --max-drop has no metric to "
            "bound.",
            next_step="Leave --max-drop out; or give a fine-tuned checkpoint, and leave --output out.",
        )
    vocab = tokenizer_in(source.file.path) if source.kind == "checkpoint" else None
    if request.calibration_text:
        read = _vocab(vocab, source, store)
        rows = read_config(source.file.path / CONFIG_FILE, source.family).vocab_size
        require_words(read.path, rows, request.vocab_reading)
        reading, _ = chosen_reading(read.path, rows, request.vocab_reading)
        step = plan_text_examples(_file(Path(request.calibration_text), store), read, source, request, reading=reading)
        return Calibration(examples=step.id, steps=(step,))
    folder = Path(request.calibration)
    facts = read_facts(folder)
    check_vocabulary(f"{folder} was", facts.get("vocab_sha256") or "", vocab, source.model)
    if not request.max_drop:
        return Calibration(examples=_records(folder, TRAIN, store))
    head = head_judged(source, request) or CLASSIFIER
    if HEAD_OF.get(str(facts.get("task_type"))) != head:
        raise DataError(
            f"{folder} holds {facts.get('task')}, prepared for {facts.get('task_type')}: it does not tell the "
            f"{HEADS[head].metric.replace('_', ' ')} of a {HEADS[head].what}, which --max-drop bounds.",
            next_step="Leave --max-drop out, or give data of the task that the model was fine-tuned on.",
        )
    training = _records(folder, TRAIN, store)
    if head == SPAN:
        step = _questions(request, source, facts, store)
        return Calibration(examples=training, validation=step.id, steps=(step,))
    if request.validation:
        raise UsageError(
            f"--validation is for SQuAD; {facts.get('task')} has a dev set in {folder}.", next_step="Leave it out."
        )
    return Calibration(examples=training, validation=_records(folder, DEV, store, *([FACTS] if head == TOKENS else [])))


def _questions(request: Calibrated, source: Source, facts: dict[str, Any], store: Store) -> Step:
    """The step that reads the questions as the training data were prepared."""
    if not request.validation:
        raise UsageError(
            "SQuAD's prepared data have no questions to measure --max-drop on.",
            next_step="Give them: --validation dev-v1.1.json.",
        )
    reading = Reading(
        vocab=_vocab(tokenizer_in(source.file.path), source, store),
        lower_case=bool(facts.get("do_lower_case", True)),
        vocab_reading=request.vocab_reading,
        max_seq_length=int(facts["max_seq_length"]),
        max_query_length=int(facts.get("max_query_length") or QUERY_LENGTH),
        doc_stride=int(facts.get("doc_stride") or DOC_STRIDE),
    )
    data = _file(Path(request.validation), store, "SQuAD's dev-v1.1.json or dev-v2.0.json")
    (step,) = of_questions(str(facts["task"]), data, reading, Judging(), None).steps
    return replace(step, id="validation")


def _records(folder: Path, name: str, store: Store, *also: str) -> File:
    """A folder of which a stage reads one file, and others that tell of it."""
    if not (folder / name).is_file():
        raise DataError(f"{folder} has no {name}.", next_step="Prepare a data set that has one.")
    return files_of(folder, (name, *also), store)


def _vocab(path: Path | None, source: Source, store: Store) -> File:
    if path is None:
        raise UsageError(
            f"--calibration-text needs the model's vocab.txt or model of SentencePiece, and {source.model} comes "
            "without one.",
            next_step="Give examples that are prepared: --calibration FOLDER.",
        )
    return _file(path, store)


def _file(path: Path, store: Store, what: str = "a text file with an example on each line") -> File:
    if not path.is_file():
        raise DataError(f"{path} is not a file.", next_step=f"Give {what}.")
    return file_input(path, store.inputs)
