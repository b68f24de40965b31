"""A folder of prepare-data as the host sees it: what prepared.json says, and whether it is made for a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.task_file import task_file
from bertbuild.checkpoint.tokenizer_file import tokenizer_in
from bertbuild.checkpoint.user_files import read_regular
from bertbuild.errors import CheckpointError, DataError
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File
from bertbuild.plans.prepare_data import Prepared
from bertbuild.store.inputs import folder_input
from bertbuild.store.store import Store

FACTS = "prepared.json"
TRAIN, DEV, TEST = "train.tf_record", "eval.tf_record", "test.tf_record"
DEV_WORDS, TEST_WORDS = "eval.conll", "test.conll"
"""Of tags: the words of those sets, in the order of the records' places that have a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFolder:
    """A prepared data set, and the vocabulary (sha256, or empty where it is not told) that it was made with."""

    data: Prepared
    vocab_sha256: str


def read_prepared(folder: Path, store: Store) -> PreparedFolder:
    """What a folder holds, as far as its dev set is concerned.

    Raises:
        DataError: there is nothing prepared in it, or no dev set.
    """
    facts = read_facts(folder)
    if not (folder / DEV).is_file():
        raise DataError(f"{folder} has no {DEV}.", next_step="Prepare a data set that has a dev set.")
    try:
        return PreparedFolder(
            data=Prepared(
                task=facts["task"],
                task_type=facts["task_type"],
                labels=tuple(facts.get("labels") or ()),
                max_seq_length=int(facts["max_seq_length"]),
                source=files_of(folder, (FACTS, DEV), store),
                training=files_of(folder, (TRAIN,), store) if (folder / TRAIN).is_file() else None,
            ),
            vocab_sha256=facts.get("vocab_sha256") or "",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder / FACTS} is not as prepare-data writes it: {error!r}.", next_step="Prepare the data once more."
        ) from error


def read_facts(folder: Path) -> dict[str, Any]:
    """What prepared.json says; it names a task at least.

    Raises:
        DataError: there is nothing prepared in the folder.
    """
    facts = _object(folder / FACTS, "Give a folder that prepare-data made.")
    if "task" not in facts:
        raise DataError(f"{folder / FACTS} names no task.", next_step="Prepare the data once more.")
    return facts


def files_of(folder: Path, names: Sequence[str], store: Store) -> File:
    """The folder, for a stage that reads these files of it, of which some may not be there."""
    there = [name for name in names if (folder / name).is_file()]
    return folder_input(folder, there, store.inputs)


def check_vocabulary(what: str, known: str, vocab: Path | None, model: str) -> None:
    """Refuse data made with another vocabulary than the model's.

    Args:
        what: the data and their verb, for the sentence.
        known: sha256 of the vocabulary they were made with, or empty.
        vocab: the model's vocab.txt or model of SentencePiece; None where it has none.
        model: its name.

    Raises:
        DataError: they do not fit.
    """
    if known and vocab is not None and hashlib.sha256(vocab.read_bytes()).hexdigest() != known:
        raise DataError(
            f"{what} prepared with another {vocab.name} than {model}'s.",
            next_step=f"Prepare the data once more: invoke prepare-data --vocab-file {vocab}",
        )


def fine_tuned(folder: Path, prefix: str) -> dict[str, Any]:
    """What the task.json of the checkpoint `prefix` says it was fine-tuned for; nothing where it has none.

    Raises:
        DataError: it cannot be read, or is of another form. Labels may be numbers there; here they are words.
    """
    path = task_file(folder, prefix)
    if path is None:
        return {}
    fix = "Fix it or remove it."
    found = _object(path, fix)
    labels, lower_case = found.get("labels") or [], found.get("do_lower_case")
    if not isinstance(labels, list) or not all(isinstance(label, str | int | float) for label in labels):
        raise DataError(f"{path}: labels is not a list of words.", next_step=fix)
    if lower_case is not None and not isinstance(lower_case, bool):
        raise DataError(f"{path}: do_lower_case is not true or false.", next_step=fix)
    return {**found, "labels": [str(label) for label in labels]} if labels else found


def check_made_for(prepared: PreparedFolder, checkpoint: Path, prefix: str, model: str) -> None:
    """Refuse data that are of another task, or made with another vocabulary, than the checkpoint's.

    Args:
        prepared: the data.
        checkpoint: its folder; a task.json in it may tell what it was fine-tuned on.
        prefix: its name there.
        model: its name.

    Raises:
        DataError: they do not fit.
    """
    data = prepared.data
    check_vocabulary(f"The {data.task} examples were", prepared.vocab_sha256, tokenizer_in(checkpoint), model)
    tuned = fine_tuned(checkpoint, prefix)
    if str(tuned.get("task", data.task)).upper() != data.task.upper():
        raise DataError(
            f"{model} was fine-tuned on {tuned['task']}, and the data are {data.task}'s.",
            next_step=f"Give the data of {tuned['task']}, or a checkpoint that was fine-tuned on {data.task}.",
        )
    labels = tuple(tuned.get("labels") or ())
    if labels and labels != data.labels:
        raise DataError(
            f"{model} was fine-tuned on the classes {', '.join(labels)}, in this order; "
            f"the data have {', '.join(data.labels)}.",
            next_step="Give the data that it was fine-tuned on.",
        )


def _object(path: Path, next_step: str) -> dict[str, Any]:
    try:
        value = parse_json(read_regular(path).decode("utf-8-sig"))
    except CheckpointError as error:
        raise DataError(str(error), next_step=next_step) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", next_step=next_step) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.", next_step=next_step) from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no JSON object.", next_step=next_step)
    return value
