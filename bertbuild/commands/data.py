"""prepare-data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bertbuild import keys
from bertbuild.checkpoint.tokenizer_file import is_lower_cased, tokenizer_in
from bertbuild.checkpoint.vocabulary import READINGS, chosen_reading
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.files.disk import full_disk_told
from bertbuild.names import did_you_mean
from bertbuild.parameters import parameter, parameters_of
from bertbuild.plans.plan import File, Plan
from bertbuild.plans.prepare_data import (
    OWN,
    SQUAD,
    TASKS,
    VOCAB_READING_ABOUT,
    PrepareRequest,
    Records,
    plan_prepare_data,
    target_name,
)
from bertbuild.plans.wanted import Wanted
from bertbuild.source.own_data import own_data, own_name, questions_in
from bertbuild.source.resolve import as_named, check_name, checkpoint_folder, vocabulary_name
from bertbuild.store.inputs import file_input, folder_input
from bertbuild.store.naming import DATA, described
from bertbuild.store.store import StoredObject
from bertbuild.toml.values import Choice, Location, Name, Truth

META_DATA = "meta_data"
KINDS = ("classification", "regression", "squad")
SQUAD_FILES = {"SQUAD-1.1": "train-v1.1.json", "SQUAD-2.0": "train-v2.0.json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Records):
    """The command's flags; empty or None where not given. Beside a checkpoint, config and vocab_file are its own files.

    Attributes:
        vocab_rows: of the word table that goes with `vocab_file`, where it is known.
    """

    task: str = parameter(
        Choice((*TASKS, OWN)),
        "",
        "task to prepare: of GLUE, XNLI or SQuAD, or own, your own files; default: SQuAD where the data are",
        written="TASK",
    )
    fine_tuning_task_type: str = parameter(Choice(KINDS), "", "what kind of task it is; the task says it already")
    data: str = parameter(
        Location(),
        "",
        "folder with the task's files, a SQuAD file (.json), or a file of your own; default: what fetch-data brings",
        written="FOLDER|FILE",
    )
    model: str = parameter(Name(), "", "a model of the catalogue, whose vocabulary and lower-casing are taken")
    checkpoint: str = parameter(Location(), "", "a checkpoint of your own, whose tokenizer is taken")
    config: str = parameter(
        Location(), "", "the checkpoint's bert_config.json, where it is not in its folder", written="FILE"
    )
    vocab_file: str = parameter(
        Location(),
        "",
        "a vocab.txt or a model of SentencePiece by itself, where no model is named; beside --checkpoint, that "
        "checkpoint's",
        written="FILE",
    )
    vocab_rows: int | None = None
    name: str = parameter(
        Name(), "", "what to call the result; default: the model's, the folder's or the vocabulary's name"
    )
    do_lower_case: bool | None = parameter(
        Truth(), None, "make letters small; default: as the catalogue says of the model, else true"
    )
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)
    version_2_with_negative: bool | None = parameter(
        Truth(), None, "SQuAD 2.0, whose questions may have no answer: as --task SQUAD-2.0"
    )
    train_data_output_path: str = parameter(Location(), "", "copy train.tf_record to this path too", written="FILE")
    eval_data_output_path: str = parameter(Location(), "", "copy eval.tf_record to this path too", written="FILE")
    test_data_output_path: str = parameter(
        Location(),
        "",
        "copy test.tf_record to this path too; for XNLI with {} in it, the language's place",
        written="FILE",
    )
    meta_data_file_path: str = parameter(Location(), "", "copy meta_data.json to this path too", written="FILE")

    @property
    def copies(self) -> dict[str, str]:
        """Where results are copied to as well: by split, and `META_DATA`."""
        return {
            "train": self.train_data_output_path,
            "eval": self.eval_data_output_path,
            "test": self.test_data_output_path,
            META_DATA: self.meta_data_file_path,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A vocabulary and what to call what is made with it; of a model also its lower-casing, longest sequence, rows."""

    path: Path
    name: str
    lower_case: bool | None = None
    positions: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Prepared data: their name in out/ (`model`, `target`), the link there, and the result itself."""

    model: str
    target: str
    link: Path
    made: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedData(Result):
    """Prepared data: their name in out/ (`model`, `target`), the link there (`path`), and copies that were made."""

    model: str
    target: str
    path: Path
    copies: tuple[Path, ...]


def prepare_data(session: Session, asked: Asked) -> PreparedData:
    """Make the records, name them in out/, and copy them where that was asked for.

    Raises:
        UsageError: the flags contradict themselves, or the sequence is longer than the model can take.
        CheckpointError: the model has no vocabulary.
        StageError: the data are not what records can be made of.
    """
    _check_copies(asked)
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_stages

        task = "" if asked.data else asked.task
        require_stages(session, ["prepare-data"], model=asked.model, checkpoint=asked.checkpoint, task=task)
    prepared = make(session, asked)
    copies = tuple(_copied(prepared.made, asked))
    result = PreparedData(model=prepared.model, target=prepared.target, path=prepared.link, copies=copies)
    return session.result(result, shown(prepared.link), *map(shown, copies))


def make(session: Session, asked: Asked) -> Made:
    """Make the records, and name them in out/; raises as `prepare_data`."""
    plan, request = planned(session, asked)
    target = target_name(request)
    claim(session, asked, plan, target)
    made = session.engine.run(plan)["prepare-data"]
    return Made(model=plan.model, target=target, link=session.store.link(plan.model, target, made), made=made)


def claim(session: Session, asked: Asked, plan: Plan, target: str) -> None:
    """Say what the name of prepared data is about to be made from: a vocabulary and a task's files.

    Raises:
        UsageError: the name was made from others, and may not pass to these.
    """
    root, given = session.store.root, asked.data
    if asked.vocab_file and not asked.checkpoint:
        vocabulary = described("vocabulary", Path(asked.vocab_file), root)
    else:
        vocabulary = as_named(Wanted(model=asked.model, checkpoint=asked.checkpoint), session.store)
    data = described("the data", Path(given), root) if given else "the fetched data"
    (step,) = plan.steps
    read = keys.digest({name: source.digest for name, source in step.inputs.items() if isinstance(source, File)})
    session.claim(plan.model, target, f"{data} with {vocabulary}", read, of=DATA)


def planned(session: Session, asked: Asked) -> tuple[Plan, PrepareRequest]:
    """The plan of the records, its step prepare-data, and the request behind it; data and vocabulary are on disk.

    Raises:
        UsageError: the flags contradict themselves, or the sequence is longer than the model can take.
        CheckpointError: the model has no vocabulary.
    """
    task = task_of(asked)
    request = _request(asked, task)
    data = _data(session, asked, request)
    vocabulary = _vocabulary(session, asked)
    _check_positions(vocabulary, request.max_seq_length)
    request = replace(
        request,
        vocab_reading=reading_of(session, vocabulary.path, vocabulary.rows, asked.vocab_reading),
    )
    request = replace(request, do_lower_case=_lower_case(session, vocabulary, asked.do_lower_case))
    vocab = session.file(vocabulary.path)
    return plan_prepare_data(vocabulary.name, data, vocab, request), request


def task_of(asked: Asked) -> str:
    """The task that was named, or that the flags mean."""
    own_questions = asked.task.upper() == OWN and asked.data.endswith(".json")
    kinds = {
        "SQUAD": "SQUAD-2.0" if asked.version_2_with_negative else "SQUAD-1.1",
        **{task: task for task in (*TASKS, OWN)},
    }
    is_squad = asked.fine_tuning_task_type == "squad" or asked.data.endswith(".json")
    named = "SQUAD" if own_questions else asked.task.upper() or ("SQUAD" if is_squad else "")
    if not named:
        raise UsageError("No task is named.", next_step="For instance --task MRPC; --help lists every one.")
    if named not in kinds:
        tasks = (*TASKS, OWN)
        near = did_you_mean(asked.task, tasks)
        raise UsageError(
            f"--task must be one of {', '.join(tasks)} (got {asked.task!r}){near}", next_step="--help explains --task."
        )
    task = kinds[named]
    kind = asked.fine_tuning_task_type
    if kind and (kind not in KINDS or (kind == "squad") != (task in SQUAD)):
        raise UsageError(
            f"--fine-tuning-task-type {kind} does not go with {task}.",
            next_step=f"Leave it out: the task says it. Known: {', '.join(KINDS)}.",
        )
    if task == OWN and not asked.data:
        raise UsageError("--task own has no files to fetch.", next_step="Name yours: --data FOLDER or --data FILE.")
    if asked.data.endswith(".json") and task not in SQUAD:
        raise UsageError(
            f"{asked.data} is a SQuAD file, and no data of {task}.",
            next_step="Give the folder with the task's files, or --task SQUAD-1.1.",
        )
    if asked.version_2_with_negative is not None and asked.version_2_with_negative != (task == "SQUAD-2.0"):
        raise UsageError(
            f"--version-2-with-negative {str(asked.version_2_with_negative).lower()} contradicts --task {task}.",
            next_step="Leave one of them out.",
        )
    return task


def prepared_task(task: str, data: str) -> str:
    """The task that `train` and `evaluate` prepare by themselves.

    Raises:
        UsageError: there is no such task, or it is of the user's own data, whose columns they are not told.
    """
    found = task_of(Asked(task=task, data=data))
    if found == OWN:
        raise UsageError(
            "Your own data are to be prepared first.",
            next_step=f"invoke prepare-data --task own --data {data}; then give its folder as --prepared.",
        )
    return found


def reading_of(session: Session, vocab: Path, rows: int | None, asked: str) -> str:
    """How a vocab.txt with duplicate lines is numbered, and say so; empty where there is but one way.

    Raises:
        UsageError: nothing tells, and nobody said.
    """
    reading, why = chosen_reading(vocab, rows, asked)
    if why:
        session.report({"event": "note", "text": why})
    return reading


def _request(asked: Asked, task: str) -> PrepareRequest:
    """What is asked for, but for what only the vocabulary tells: its case, and how it is numbered."""
    return PrepareRequest(
        task=task,
        own_name=own_name(Path(asked.data)) if task == OWN else "",
        do_lower_case=True,
        vocab_reading="",
        **{name: getattr(asked, name) for name in parameters_of(Records)},
    )


def _data(session: Session, asked: Asked, request: PrepareRequest) -> File:
    """The task's folder, or the SQuAD file: the one that was named, else what fetch-data brings."""
    if asked.data:
        path = Path(asked.data)
        if not path.exists():
            files = "Give your file, or the folder of your files"
            step = files if request.task == OWN else "Give the folder with the task's files, or leave --data out"
            raise UsageError(f"{path} does not exist.", next_step=f"{step}.")
    else:
        from bertbuild.source.fetched import fetch_dataset

        path = fetch_dataset(request.task, session.settings, session.store, session.report)
    path = path.resolve()
    if request.squad:
        path = path / SQUAD_FILES[request.task] if path.is_dir() else path
        if not path.is_file():
            step = questions_in(path.parent) or "Give the file itself: --data FILE"
            raise UsageError(f"{path.parent} holds no {path.name}.", next_step=f"{step}.")
        return file_input(path, session.store.inputs)
    if request.task == OWN:
        return own_data(path, session.store.inputs)
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder.", next_step=f"Give the folder with the files of {request.task}.")
    found = [*path.glob("*.tsv"), *path.glob("multinli/*.tsv")]
    for file in found:
        if not file.is_file():  # left out, it would pass for a split that the task's data do not have
            raise UsageError(
                f"{file} is {'a folder' if file.is_dir() else 'not a file'}.",
                next_step="Put the task's file in its place, or move it elsewhere.",
            )
    return folder_input(path, (str(file.relative_to(path)) for file in found), session.store.inputs)


def _vocabulary(session: Session, asked: Asked) -> Vocabulary:
    if bool(asked.model) == bool(asked.checkpoint or asked.vocab_file):
        raise UsageError(
            "Name one vocabulary: a model's, a checkpoint's, or a vocab.txt.",
            next_step="For instance --model minilm-l6, --checkpoint FOLDER or --vocab-file FILE.",
        )
    check_name(asked.name)
    if not asked.vocab_file or asked.checkpoint:
        return _model_vocabulary(session, asked)
    path = Path(asked.vocab_file)
    if not path.is_file():
        raise UsageError(f"{path} is not a file.", next_step="Give the model's vocab.txt or .model.")
    return Vocabulary(
        path=path.resolve(), name=asked.name or vocabulary_name(path, session.store), rows=asked.vocab_rows
    )


def _model_vocabulary(session: Session, asked: Asked) -> Vocabulary:
    from bertbuild.catalogue.models import find_model
    from bertbuild.checkpoint.folder import find_checkpoint
    from bertbuild.checkpoint.judging import read_own_config
    from bertbuild.checkpoint.sentencepiece import beside
    from bertbuild.checkpoint.vocabulary import require_words
    from bertbuild.huggingface.vocabulary import recorded_lower_case

    wanted = Wanted(
        model=asked.model, checkpoint=asked.checkpoint, name=asked.name, config=asked.config, vocab=asked.vocab_file
    )
    folder, name = checkpoint_folder(wanted, session.settings, session.store, session.engine, session.report)
    files = find_checkpoint(folder, require_data=False)
    vocab = files.vocab or tokenizer_in(files.folder)
    if vocab is None:
        raise CheckpointError(
            f"{files.folder} has no vocab.txt and no model of SentencePiece.{beside(files.folder)}",
            next_step="Give the model's vocabulary itself: --vocab-file FILE.",
        )
    config = read_own_config(files)
    require_words(vocab, config.vocab_size, asked.vocab_reading)
    return Vocabulary(
        path=vocab.resolve(),
        name=name,
        lower_case=find_model(asked.model).lower_case if asked.model else recorded_lower_case(files.folder),
        positions=config.max_position_embeddings,
        rows=config.vocab_size,
    )


def _check_positions(vocabulary: Vocabulary, length: int) -> None:
    if vocabulary.positions is not None and length > vocabulary.positions:
        raise UsageError(
            f"--max-seq-length {length} is longer than the model's position table of {vocabulary.positions}.",
            next_step=f"Give {vocabulary.positions} or less.",
        )


def _lower_case(session: Session, vocabulary: Vocabulary, asked: bool | None) -> bool:
    """Whether to lower-case: as asked, else as the catalogue says, else yes as upstream; warns of an odd choice."""
    known = vocabulary.lower_case
    chosen = asked if asked is not None else True if known is None else known
    fitting = is_lower_cased(vocabulary.path) if known is None else known
    if chosen != fitting:
        words = (
            "is of words with capitals, which lower-cased text never meets; is --do-lower-case=false meant?"
            if chosen
            else "is of lower-cased words, so that words with capitals become [UNK]; is --do-lower-case=true meant?"
        )
        session.report({"event": "warning", "text": f"{vocabulary.path} {words}"})
    return chosen


def _check_copies(asked: Asked) -> None:
    for path in asked.copies.values():
        if path and Path(path).exists():
            raise UsageError(f"There is a file {path} already.", next_step="Name another, or remove that one first.")


def _copied(made: StoredObject, asked: Asked) -> Iterator[Path]:
    """Copy the results where that was asked for; gives the copies."""
    with full_disk_told(Path.cwd()):
        for split, destination in asked.copies.items():
            if not destination:
                continue
            for source, path in _pairs(made.path, split, destination):
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, path)
                yield path


def _pairs(folder: Path, split: str, destination: str) -> list[tuple[Path, Path]]:
    """(result, its copy) of a split; of data with a file for each language, the language takes the place of {}."""
    if split == META_DATA:
        return [(folder / "meta_data.json", Path(destination))]
    one = folder / f"{split}.tf_record"
    if one.exists():
        return [(one, Path(destination))]
    many = sorted(folder.glob(f"{split}_*.tf_record"))
    if not many:
        raise UsageError(
            f"The data have no {split} set, so there is nothing to copy to {destination}.",
            next_step=f"Leave --{split}-data-output-path out.",
        )
    if "{}" not in destination:
        raise UsageError(
            f"There are {len(many)} files of the {split} set, a language each, and one name for all: {destination}.",
            next_step=f"Put {{}} where the language goes, for instance --{split}-data-output-path=test_{{}}.tf_record.",
        )
    return [(path, Path(destination.replace("{}", path.stem.removeprefix(f"{split}_")))) for path in many]
