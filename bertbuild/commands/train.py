"""train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.commands.copying import check_destination, copied
from bertbuild.commands.data import Asked, prepared_task
from bertbuild.commands.entry_jobs import find
from bertbuild.commands.learnt import Learnt, what_was_learnt
from bertbuild.commands.memory import memory_told
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.json_text import parse_json
from bertbuild.names import clean_name
from bertbuild.parameters import parameter
from bertbuild.plans.plan import TF2, File, Source
from bertbuild.plans.prepare_data import VOCAB_READING_ABOUT
from bertbuild.plans.tf2_train import STEP, TrainRequest, plan_train
from bertbuild.plans.wanted import Wanted
from bertbuild.source.prepared import DEV, DEV_WORDS, FACTS, TEST, TEST_WORDS, TRAIN, files_of, fine_tuned, read_facts
from bertbuild.source.tensorflow2 import folder_and_prefix, tensorflow_2
from bertbuild.stages import FACTS as RUN
from bertbuild.toml.values import Choice, Location, Text, Whole

BEGINNINGS = ("model", "checkpoint", "init_checkpoint", "hub_module_url", "model_dir")
"""The flags that name what to begin with."""

PREPARED = (FACTS, "meta_data.json", TRAIN, DEV, TEST, DEV_WORDS, TEST_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The flags that name data: a task (and its files), a folder of prepare-data, or the Model Garden's files."""

    task: str = parameter(Text(), "", "MRPC, STS-B, SQUAD-1.1 …: the data are prepared first", written="TASK")
    data: str = parameter(
        Location(),
        "",
        "folder with the task's files, or a SQuAD file; default: what fetch-data brings",
        written="FOLDER|FILE",
    )
    max_seq_length: int = parameter(Whole(1), 128, "pieces of a sequence that --task prepares")
    prepared: str = parameter(Location(), "", "folder of prepare-data, in the place of --task", written="FOLDER")
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)
    train_data_path: str = parameter(
        Location(), "", "records to train on, where there is no --prepared", written="FILE"
    )
    eval_data_path: str = parameter(
        Location(), "", "records to evaluate on, or to predict; in place of those of --prepared", written="FILE"
    )
    input_meta_data_path: str = parameter(
        Location(), "", "the Model Garden's meta data on them, where there is no --prepared", written="FILE"
    )
    predict_file: str = parameter(
        Location(), "", "SQuAD's JSON with the questions to answer, for instance dev-v1.1.json", written="FILE"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained(Result):
    """What a training, an evaluation, a prediction or an export made.

    Attributes:
        model, target: its name.
        path: its folder.
        learnt: what was learnt, against the majority class and its like; None where that is not known.
    """

    model: str
    target: str
    path: Path
    learnt: Learnt | None


def train(
    session: Session, wanted: Wanted, data: Data, request: TrainRequest, *, model_export_path: str = ""
) -> Trained:
    """Train, evaluate, predict or export, and name the result in out/; a training that was ended is resumed.

    A SavedModel is exported too, and copied to `model_export_path`, where that is given.

    Raises:
        UsageError: the flags contradict each other, or name nothing.
        CheckpointError: there is no such model.
        StageError: the stage refused its input, or failed.
        StageKilledForMemoryError: memory ran out.
    """
    if data.task:
        prepared_task(data.task, data.data)  # refused before anything is fetched
    wanted, copy = _places(session, wanted, request, model_export_path)
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_stages

        data_stage = ["prepare-data"] if data.task else []
        task, stages = "" if data.data else data.task, [*data_stage, "tf2-train"]
        require_stages(session, stages, model=wanted.model, checkpoint=wanted.checkpoint, task=task)
    found = find(session, wanted)
    begun = found.source
    data = _prepared(session, begun, wanted, data)
    files, task = _files(session, data)
    plan = plan_train(begun, files, request)
    target = f"{request.target}-{clean_name(task.lower())}"
    session.claim(plan.model, target, found.named, begun.file.digest)
    flag, tried = ("train", request.train_batch_size) if request.training else ("eval", request.eval_batch_size)
    with memory_told(
        f"Tried was a batch of {tried}.",
        next_step=f"Try half: --{flag}_batch_size {max(1, tried // 2)}; or shorter sequences, or more memory.",
    ):
        stored = session.engine.run(plan)[STEP]
    place = session.store.link(plan.model, target, stored)
    if model_export_path:
        _export(session, place, wanted, plan.model, files, request, Path(model_export_path))
    if copy:
        place = copied(place, Path(copy))
    told = parse_json((place / RUN).read_text(encoding="utf-8")).get("facts", {})
    learnt = what_was_learnt(place, told, Path(data.predict_file) if data.predict_file else None)
    if learnt:
        learnt.tell(task, session.report)
    return session.result(Trained(model=plan.model, target=target, path=place, learnt=learnt), *_lines(place, learnt))


def _places(session: Session, wanted: Wanted, request: TrainRequest, model_export_path: str) -> tuple[Wanted, str]:
    """What to begin with, a TensorFlow 1 --init-checkpoint being a --checkpoint; and where a copy of the result goes.

    As upstream, --model-dir beside another model is the copy's place in a training, and the model otherwise.
    """
    copy = ""
    check_destination("model-export-path", model_export_path)
    if model_export_path and not (request.training or request.mode == "export_only"):
        raise UsageError(
            f"--mode {request.mode} exports nothing.", next_step="Leave --model-export-path out, or --mode export_only."
        )
    others = (wanted.init_checkpoint, wanted.hub_module_url, wanted.model, wanted.checkpoint)
    if wanted.model_dir and any(others) and request.training:
        check_destination("model-dir", wanted.model_dir)
        wanted, copy = replace(wanted, model_dir=""), wanted.model_dir
    elif wanted.model_dir and wanted.init_checkpoint:
        text = f"--mode {request.mode} takes the model in --model-dir; --init-checkpoint is not used"
        session.report({"event": "note", "text": text})
        wanted = replace(wanted, init_checkpoint="")
    if wanted.init_checkpoint and not wanted.checkpoint and _of_tensorflow_1(Path(wanted.init_checkpoint)):
        wanted = replace(wanted, checkpoint=wanted.init_checkpoint, init_checkpoint="")
    given = [flag for flag in BEGINNINGS if getattr(wanted, flag)]
    if len(given) != 1:
        raise UsageError(
            "Name one model to begin with." if not given else f"{len(given)} models are named to begin with, not one.",
            next_step="Give just one of --init-checkpoint, --hub-module-url, --model, --checkpoint; or --model-dir.",
        )
    return wanted, copy


def _of_tensorflow_1(path: Path) -> bool:
    """Whether a path is a checkpoint with google-research/bert's names for its variables."""
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY, choose_checkpoint

    folder, prefix = folder_and_prefix(path)
    if not prefix and not (folder.is_dir() and any(folder.glob("*.index"))):
        return False
    try:
        names = CheckpointReader(folder / (prefix or choose_checkpoint(folder)[0])).entries
    except CheckpointError:
        return False  # what is wrong with it is told where it is read
    return OBJECT_GRAPH_KEY not in names and any(name.endswith("embeddings/word_embeddings") for name in names)


def _export(
    session: Session,
    trained: Path,
    wanted: Wanted,
    model: str,
    files: Mapping[str, File],
    request: TrainRequest,
    destination: Path,
) -> None:
    """Export what was trained, or is exported already, and copy it."""
    if request.training:
        named = Wanted(model_dir=str(trained), config=wanted.config, vocab=wanted.vocab)
        begun = tensorflow_2(named, trained, model, session.store, session.report).source
        stored = session.engine.run(plan_train(begun, files, replace(request, mode="export_only")))[STEP]
        trained = stored.path
    session.report({"event": "note", "text": f"SavedModel: {shown(copied(trained, destination))}"})


def _prepared(session: Session, begun: Source, wanted: Wanted, data: Data) -> Data:
    """The data themselves; those of a task are prepared with the model's vocabulary."""
    if not data.task:
        return data
    from bertbuild.checkpoint.config import read_config
    from bertbuild.commands.data import make

    if data.prepared or data.input_meta_data_path:
        raise UsageError("The data are named, so --task is not asked.", next_step="Leave --task out, or the data.")
    vocab, rows, tuned = "", None, {}
    if begun.kind in TF2:
        vocab = wanted.vocab or str(begun.file.path / VOCAB_FILE)
        config = wanted.config or begun.file.path / CONFIG_FILE
        rows, tuned = read_config(Path(config)).vocab_size, fine_tuned(begun.file.path, begun.prefix)
    asked = Asked(
        task=data.task,
        data=data.data,
        model=wanted.model,
        checkpoint=wanted.checkpoint,
        config=wanted.config if wanted.checkpoint else "",
        vocab_file=vocab or wanted.vocab,
        vocab_rows=rows,
        vocab_reading=data.vocab_reading or tuned.get("vocab_reading", ""),
        name=begun.model,
        do_lower_case=tuned.get("do_lower_case"),
        max_seq_length=data.max_seq_length,
    )
    return replace(data, prepared=str(make(session, asked).made.path))


def _files(session: Session, data: Data) -> tuple[dict[str, File], str]:
    """The stage's inputs, and the task."""
    flags = {
        "train_data_path": "train-data",
        "eval_data_path": "eval-data",
        "input_meta_data_path": "meta-data",
        "predict_file": "predict-file",
    }
    files = {}
    for field in fields(data):
        path = getattr(data, field.name)
        if field.name in flags and path:
            if not Path(path).is_file():
                raise UsageError(f"--{field.name} {path} is not a file.", next_step="Give a file that is there.")
            files[flags[field.name]] = session.file(Path(path))
    if bool(data.prepared) == bool(data.input_meta_data_path):
        raise UsageError(
            "Name the data once: a prepared folder, or the Model Garden's records with their meta data.",
            next_step="Name the task, for instance --task MRPC; or what prepare-data made of it: --prepared FOLDER.",
        )
    if not data.prepared:
        meta = _json(Path(data.input_meta_data_path), "the Model Garden's meta data")
        return files, str(meta.get("processor_type") or "squad")
    folder = Path(data.prepared)
    facts = read_facts(folder)
    return {**files, "data": files_of(folder, PREPARED, session.store)}, str(facts["task"])


def _json(path: Path, words: str) -> Mapping[str, Any]:
    try:
        value = parse_json(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read as {words}: {error}.", next_step="Give what prepare-data wrote: --prepared FOLDER."
        ) from error
    return value if isinstance(value, dict) else {}


def _lines(link: Path, learnt: Learnt | None) -> list[str]:
    results = link / "eval_results.txt"
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    if learnt:
        lines.append(learnt.line)
    lines += [
        shown(link / name)
        for name in ("training.svg", "test_results.tsv", "test_results.conll", "predictions.json")
        if (link / name).exists()
    ]
    lines.append(shown(link))
    if (link / "bert_model.ckpt.index").exists():
        lines.append(f"next: invoke convert-tf1 --tf2 {shown(link)}   (then build-ir, neuron-compile …)")
    return lines
