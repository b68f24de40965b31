"""evaluate: what the user names to measure on, and the examples that this is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bertbuild.checkpoint.tokenizer_file import is_lower_cased, tokenizer_in
from bertbuild.checkpoint.vocabulary import require_words
from bertbuild.commands.session import Session
from bertbuild.errors import DataError, UsageError
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.measured import Measured, Reading, of_prepared, of_questions, of_text
from bertbuild.kinds.saved_model import SEQ_LEN
from bertbuild.plans.plan import File, Source
from bertbuild.plans.prepare_data import DOC_STRIDE, QUERY_LENGTH, SQUAD, TASKS
from bertbuild.plans.wanted import Wanted
from bertbuild.source.prepared import (
    TRAIN,
    PreparedFolder,
    check_made_for,
    check_vocabulary,
    files_of,
    fine_tuned,
    read_facts,
    read_prepared,
)

SQUAD_LEN = 384
DEV_FILES = {"SQUAD-1.1": "dev-v1.1.json", "SQUAD-2.0": "dev-v2.0.json"}


def check_named(data: Data) -> None:
    """Refuse what contradicts itself, and a task that there is none of, before anything is fetched.

    Raises:
        UsageError: it says what.
    """
    if data.text and (data.task or data.data or data.prepared or data.squad_data_file):
        raise UsageError(
            "--text is measured by itself.", next_step="Leave --task, --data, --prepared and --squad-data-file out."
        )
    if data.data and (data.prepared or data.squad_data_file):
        other = "prepared" if data.prepared else "squad-data-file"
        raise UsageError(
            f"--data and --{other} were both given.", next_step="Give the task's own files, or what is made of them."
        )
    if data.task and not data.prepared:
        from bertbuild.commands.data import prepared_task

        prepared_task(data.task, data.data)


def is_squad(data: Data) -> bool:
    """Whether what was named are questions."""
    squad = ("SQUAD", *SQUAD)
    return bool(data.squad_data_file) or data.data.endswith(".json") or data.task.upper() in squad


def measured(session: Session, wanted: Wanted, source: Source, rows: int, data: Data) -> Measured:
    """The examples that a checkpoint is measured on, made as it was fine-tuned where nothing else is said.

    Args:
        session: of the command.
        wanted: how the checkpoint was named.
        source: the checkpoint.
        rows: of its word table.
        data: what was named.

    Raises:
        DataError: the data cannot be read, or are not for this checkpoint.
        UsageError: nothing tells of which task it is.
    """
    tuned = fine_tuned(source.file.path, source.prefix)
    if data.text:
        reading = _reading(session, source, rows, data, tuned, SEQ_LEN)
        return of_text(_file(session, data.text, "a text file with an example on each line"), reading)
    facts = read_facts(Path(data.prepared)) if data.prepared else {}
    if facts:
        _check_task(data, facts)
    task = data.task or str(facts.get("task") or tuned.get("task") or "")
    if is_squad(data) or (facts or tuned).get("task_type") == "squad" or task.upper() in SQUAD:
        return _questions(session, source, rows, data, facts or tuned)
    if data.prepared:
        prepared = read_prepared(Path(data.prepared), session.store)
    else:
        prepared = _prepared_for(session, wanted, source, data, tuned)
    check_made_for(prepared, source.file.path, source.prefix, source.model)
    return of_prepared(prepared.data, data)


def _check_task(data: Data, facts: dict[str, Any]) -> None:
    if data.task and data.task.upper() != str(facts["task"]).upper():
        raise DataError(
            f"{data.prepared} holds {facts['task']}, not {data.task}.",
            next_step="Leave --task out, or give the folder of that task.",
        )


def _questions(session: Session, source: Source, rows: int, data: Data, told: dict[str, Any]) -> Measured:
    """The questions, in pieces as `told` by prepared.json or task.json."""
    task = str(told.get("task") or data.task or "SQuAD").upper()
    training = None
    if data.prepared:
        folder = Path(data.prepared)
        vocab = tokenizer_in(source.file.path)
        check_vocabulary(f"The {task} examples were", str(told.get("vocab_sha256") or ""), vocab, source.model)
        training = files_of(folder, (TRAIN,), session.store) if (folder / TRAIN).is_file() else None
    named = data.squad_data_file or data.data
    if not named or Path(named).is_dir():
        named = str(_dev_file(session, task, named))
    reading = _reading(session, source, rows, data, told, SQUAD_LEN)
    return of_questions(task, _file(session, named, "SQuAD's dev-v1.1.json or dev-v2.0.json"), reading, data, training)


def _dev_file(session: Session, task: str, folder: str) -> Path:
    if task not in DEV_FILES:
        raise UsageError("No questions are named.", next_step="Give SQuAD's JSON: --squad-data-file dev-v1.1.json.")
    if folder:
        return Path(folder) / DEV_FILES[task]
    from bertbuild.source.fetched import fetch_dataset

    return fetch_dataset(task, session.settings, session.store, session.report) / DEV_FILES[task]


def _reading(
    session: Session, source: Source, rows: int, data: Data, told: dict[str, Any], usual_length: int
) -> Reading:
    from bertbuild.commands.data import reading_of

    vocab = tokenizer_in(source.file.path)
    if vocab is None:
        raise DataError(
            f"{source.model} comes without a vocab.txt or a model of SentencePiece.", next_step="Name it: --vocab FILE."
        )
    require_words(vocab, rows, data.vocab_reading)
    lower_case = data.do_lower_case if data.do_lower_case is not None else told.get("do_lower_case")
    if lower_case is None:
        lower_case = is_lower_cased(vocab)
    return Reading(
        vocab=session.file(vocab),
        lower_case=bool(lower_case),
        vocab_reading=reading_of(session, vocab, rows, data.vocab_reading or str(told.get("vocab_reading") or "")),
        max_seq_length=data.max_seq_length
        or int(told.get("max_seq_length") or min(usual_length, source.max_positions)),
        max_query_length=data.max_query_length or int(told.get("max_query_length") or QUERY_LENGTH),
        doc_stride=data.doc_stride or int(told.get("doc_stride") or DOC_STRIDE),
    )


def _file(session: Session, name: str, what: str) -> File:
    if not Path(name).is_file():
        raise DataError(f"{name} is not a file.", next_step=f"Give {what}.")
    return session.file(Path(name))


def _prepared_for(
    session: Session, wanted: Wanted, source: Source, data: Data, tuned: dict[str, Any]
) -> PreparedFolder:
    """The task's data, prepared as the checkpoint was fine-tuned: its task.json tells how, if there is one."""
    from bertbuild.commands.data import Asked, make

    task = data.task or str(tuned.get("task", ""))
    if not task:
        raise UsageError(
            f"{source.model} does not tell what it was fine-tuned on.",
            next_step="Name the task, for instance --task MRPC; or give prepared examples: --prepared FOLDER.",
        )
    if not data.task and task.upper() not in TASKS:
        raise UsageError(
            f"{source.model} was fine-tuned on your own data, {task}.",
            next_step="Give the folder that prepare-data made of them: --prepared FOLDER.",
        )
    asked = Asked(
        task=task,
        data=data.data,
        model=wanted.model,
        checkpoint=wanted.checkpoint,
        config=wanted.config,
        vocab_file=wanted.vocab,
        name=wanted.name,
        do_lower_case=tuned.get("do_lower_case"),
        vocab_reading=data.vocab_reading or tuned.get("vocab_reading", ""),
        max_seq_length=int(tuned.get("max_seq_length") or min(SEQ_LEN, source.max_positions)),
    )
    return read_prepared(make(session, asked).made.path, session.store)
