"""Examples to calibrate int8 on: the files that were named, checked against the model, as a plan wants them."""

from __future__ import annotations

from pathlib import Path

from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.vocabulary import chosen_reading, require_words
from bertbuild.errors import DataError, UsageError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.kinds.int8 import Calibration, plan_text_examples
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.plan import File, Source
from bertbuild.source.inputs import file_input
from bertbuild.source.prepared import DEV, TRAIN, check_vocabulary, files_of, read_facts
from bertbuild.store.store import Store


def find_calibration(request: Ir, source: Source, store: Store) -> Calibration:
    """What was named, found and checked.

    Raises:
        DataError: it is not there, or was not made for this model.
        UsageError: the source has no vocabulary to read text with, or one that can be read in two ways, or no head
            whose accuracy could be bounded.
    """
    if request.max_drop and source.kind == "checkpoint" and source.head is None:
        raise UsageError(
            f"{source.model} has no classifier head (output_weights), so --max-drop has no accuracy to bound.",
            next_step="Leave --max-drop out, or give a fine-tuned checkpoint.",
        )
    vocab = source.file.path / "vocab.txt"
    if request.calibration_text:
        read = _vocab(vocab, source, store)
        rows = read_config(source.file.path / CONFIG_FILE).vocab_size
        require_words(vocab, rows, request.vocab_reading)
        reading, _ = chosen_reading(vocab, rows, request.vocab_reading)
        step = plan_text_examples(_file(Path(request.calibration_text), store), read, source, request, reading=reading)
        return Calibration(examples=step.id, steps=(step,))
    folder = Path(request.calibration)
    facts = read_facts(folder)
    check_vocabulary(f"{folder} was", facts.get("vocab_sha256") or "", vocab, source.model)
    if not request.max_drop:
        return Calibration(examples=_records(folder, TRAIN, store))
    if facts.get("task_type") != "classification":
        raise DataError(
            f"{folder} holds {facts.get('task')}, which is not a classification: --max-drop needs an accuracy.",
            next_step="Leave --max-drop out, or give the data of a classification.",
        )
    validation = _records(folder, DEV, store)
    return Calibration(examples=_records(folder, TRAIN, store), validation=validation)


def _records(folder: Path, name: str, store: Store) -> File:
    """A folder of which a stage reads one file."""
    if not (folder / name).is_file():
        raise DataError(f"{folder} has no {name}.", next_step="Prepare a data set that has one.")
    return files_of(folder, (name,), store)


def _vocab(path: Path, source: Source, store: Store) -> File:
    if source.kind != "checkpoint" or not path.is_file():
        raise UsageError(
            f"--calibration-text needs the model's vocab.txt, and {source.model} comes without one.",
            next_step="Give examples that are prepared: --calibration FOLDER.",
        )
    return _file(path, store)


def _file(path: Path, store: Store) -> File:
    if not path.is_file():
        raise DataError(f"{path} is not a file.", next_step="Give a text file with an example on each line.")
    return file_input(path, store.inputs)
