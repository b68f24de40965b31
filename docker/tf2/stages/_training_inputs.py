"""What a training is given, looked at before TensorFlow is loaded: every refusal that can come early does."""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from checkpoint_files import find_prefix
from stage import StageInputError, read_json, write_json

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import LAYER_NORM_EPSILON, BertConfig, read_config
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.recovery import Found, recover
from bertbuild.errors import BertbuildError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.heads import classifier, span
from stages._training_task import HEADS, TASK_TYPES, task_facts, words_of

SQUAD_MODES = ("train_and_predict", "train", "eval")
FIRST_UNIQUE_ID = 1_000_000_000
"""Of squad_lib, which counts by it, and not by its examples, how many to add to fill the last batch."""


class Source(NamedTuple):
    """Where the weights come from.

    Attributes:
        kind: "init_checkpoint", "hub_module" or "model_dir".
        folder: as it was given.
        prefix: of the checkpoint in it, or of the hub module's variables.
        places: every variable of a BERT that was found.
        reader: what reads them.
    """

    kind: str
    folder: str
    prefix: str
    places: dict[str, Found]
    reader: CheckpointReader


class Job(NamedTuple):
    """A training, prediction or export.

    Attributes:
        args: the stage's arguments.
        meta: the Model Garden's meta data.
        task: what task.json will say.
        task_type: a key of `HEADS`.
        records: "train" and "eval" → path of the records, or None.
        words: of tags, path of the words of the "eval" records; else None.
        source: where the weights come from.
        config_path, vocab_path: the model's; vocab_path is None where it has none.
        config: what bert_config.json says.
        kept: the folder that outlives a kill.
        model_dir: what the Model Garden writes into; a worker's own.
        chief: whether this process writes results.
    """

    args: Any
    meta: dict
    task: dict
    task_type: str
    records: dict
    words: str | None
    source: Source
    config_path: str
    vocab_path: str | None
    config: BertConfig
    kept: str
    model_dir: str
    chief: bool

    @property
    def labels(self):
        """Classes of the head; 1 of a regression."""
        return int(self.meta.get("num_labels", 1))


def read(args, report):
    """The job that the arguments describe.

    Raises:
        StageInputError: they contradict each other or the data, or the data the model.
    """
    index = _worker(args)
    source, config_path, vocab_path, config = _source(args)
    meta, prepared = _meta(args)
    task_type = TASK_TYPES.get(meta.get("task_type", "bert_classification"))
    if task_type is None:
        raise StageInputError("the meta data are of the task type %s, which is not trained here" % meta["task_type"])
    records = _records(args, task_type, report)
    _check_mode(args, task_type, records, vocab_path)
    _check_kind(args, meta, task_type)
    _check_data(args, meta, prepared, config, vocab_path)
    if args.mode.startswith("train") and task_type != "squad":
        _fill_devices(args, int(meta["eval_data_size"]), report)
    if source.kind == "model_dir":
        _check_head(source, task_type, int(meta.get("num_labels", 1)))
        _check_trained(source, task_type)
    kept = args.unfinished or tempfile.mkdtemp(prefix="train")
    model_dir = os.path.join(kept, "model" if index == 0 else "worker-%d" % index)
    os.makedirs(model_dir, exist_ok=True)
    return Job(
        args=args,
        meta=meta,
        task=task_facts(meta, prepared, task_type, vocab_path),
        task_type=task_type,
        records=records,
        words=words_of(args, task_type, records["eval"]),
        source=source,
        config_path=config_path,
        vocab_path=vocab_path,
        config=config,
        kept=kept,
        model_dir=model_dir,
        chief=index == 0,
    )


def write_facts(job):
    """What is written beside whatever was made: task.json, and the files of the model."""
    write_json(job.args.out, "task.json", dict(job.task, gelu=job.args.gelu))
    write_json(job.args.out, "signature.json", {"gelu": job.args.gelu})
    shutil.copyfile(job.config_path, os.path.join(job.args.out, CONFIG_FILE))
    if job.vocab_path:
        shutil.copyfile(job.vocab_path, os.path.join(job.args.out, "vocab.txt"))


def _worker(args):
    """The number of this process among the workers."""
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}")
    named = len(cluster.get("cluster", {}).get("worker", []))
    several = args.distribution_strategy == "multi_worker_mirrored"
    if several and (args.workers < 2 or named != args.workers):
        message = "multi_worker_mirrored takes two workers or more, all named in TF_CONFIG; --workers=%d, named: %d"
        raise StageInputError(message % (args.workers, named))
    if several and not args.mode.startswith("train"):
        raise StageInputError("%s runs on one machine; several workers can only train" % args.mode)
    if not several and args.workers > 1:
        raise StageInputError("--workers=%d needs --distribution-strategy=multi_worker_mirrored" % args.workers)
    return int(cluster["task"]["index"]) if several else 0


def replicas(args):
    """Between how many devices a batch is divided."""
    if args.distribution_strategy == "mirrored":
        return max(args.num_gpus, args.virtual_cpus, 1)
    return args.workers * max(args.num_gpus, 1)


def _source(args):
    given = {kind: getattr(args, kind) for kind in ("init_checkpoint", "hub_module", "model_dir")}
    training = args.mode.startswith("train")
    wanted = ("init_checkpoint", "hub_module") if training else ("model_dir",)
    named = [kind for kind in given if given[kind]]
    if len(named) != 1 or named[0] not in wanted:
        flags = " or ".join("--" + kind.replace("_", "-") for kind in wanted)
        raise StageInputError("%s takes %s, and just one of them" % (args.mode, flags))
    kind, folder = named[0], given[named[0]]
    config_path = args.config or os.path.join(folder, CONFIG_FILE)
    vocab_path = args.vocab or os.path.join(folder, "vocab.txt")
    try:
        config = read_config(Path(config_path))
        if config.epsilon(None) != LAYER_NORM_EPSILON:
            message = "%s has layer_norm_eps %g, and the Model Garden's programs train with 1e-12 alone; use finetune"
            raise StageInputError(message % (config_path, config.layer_norm_eps))
        prefix = find_prefix(os.path.join(folder, "variables") if kind == "hub_module" else folder, args.prefix)
        reader = CheckpointReader(prefix)
        _refuse_names(reader, folder)
        places = {found.place.source: found for found in recover(reader, config, args.root or "")}
    except OSError as error:
        raise StageInputError("%s cannot be read: %s" % (folder, error.strerror)) from error
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error
    source = Source(kind=kind, folder=folder, prefix=prefix, places=places, reader=reader)
    return source, config_path, vocab_path if os.path.exists(vocab_path) else None, config


def _refuse_names(reader, folder):
    if OBJECT_GRAPH_KEY not in reader.entries:
        message = (
            "%s holds a name-based checkpoint, which the Model Garden's programs cannot restore; convert it first: "
            "convert-tf2 --format keras-bert"
        )
        raise StageInputError(message % folder)


def _meta(args):
    """The Model Garden's meta data, and what prepare-data says besides, if it made them."""
    if args.data:
        return read_json(args.data, "meta_data.json"), read_json(args.data, "prepared.json")
    if not args.meta_data:
        raise StageInputError("there are no data: give --data, or --meta-data with the records' own flags")
    return read_json(*os.path.split(args.meta_data)), {}


def _records(args, task_type, report):
    def first(*names):
        paths = (os.path.join(args.data, name) for name in names) if args.data else ()
        return next((path for path in paths if os.path.exists(path)), None)

    predicting = args.mode == "predict"
    names = ("test.tf_record", "eval.tf_record") if predicting else ("eval.tf_record",)
    records = {"train": args.train_data or first("train.tf_record"), "eval": args.eval_data or first(*names)}
    if predicting and task_type != "squad" and records["eval"]:
        report.note("predicting %s" % os.path.basename(records["eval"]))
    return records


def _check_mode(args, task_type, records, vocab_path):
    squad = task_type == "squad"
    if not squad and args.mode in SQUAD_MODES:
        raise StageInputError(
            "%s is a mode of SQuAD; a %s has train_and_eval, predict, export_only" % (args.mode, task_type)
        )
    if args.mode.startswith("train") and not records["train"]:
        raise StageInputError("the data have no records to train on (train.tf_record)")
    asks = "predict" in args.mode or "eval" in args.mode
    if asks and squad and not args.predict_file:
        raise StageInputError("%s asks SQuAD's questions: give its JSON by --predict-file" % args.mode)
    if asks and squad and not vocab_path:
        raise StageInputError("%s cuts SQuAD's text into words, and the model has no vocab.txt" % args.mode)
    if asks and squad and FIRST_UNIQUE_ID % args.predict_batch_size:
        message = (
            "the Model Garden loses answers with a --predict-batch-size of %d; take 1, 2, 4, 5, 8, 10, 16, 20 or 32"
        )
        raise StageInputError(message % args.predict_batch_size)
    if asks and not squad and not records["eval"]:
        raise StageInputError(
            "the data have no records to %s" % ("predict" if args.mode == "predict" else "evaluate on")
        )
    sizes = {"train": args.train_batch_size} if args.mode.startswith("train") else {}
    if asks:
        sizes |= {"predict": args.predict_batch_size} if squad else {"eval": args.eval_batch_size}
    _check_batches(sizes, replicas(args))


def _check_batches(sizes, devices):
    for name, size in sizes.items():
        if size < 1:
            raise StageInputError("--%s-batch-size must be at least 1 (got %d)" % (name, size))
        if size % devices:
            message = "a --%s-batch-size of %d cannot be divided between %d devices"
            raise StageInputError(message % (name, size, devices))


def _fill_devices(args, examples, report):
    """Make the evaluation's batches smaller where the last one would leave a device none: its loss would be 0 / 0."""
    devices, wanted = replicas(args), args.eval_batch_size
    for size in range(wanted, 0, -devices):
        if examples % size == 0 or examples % size > size - size // devices:
            args.eval_batch_size = size
            break
    if args.eval_batch_size != wanted:
        report.note(
            "evaluating batches of %d, so that the last one has examples for each device" % args.eval_batch_size
        )


def _check_data(args, meta, prepared, config, vocab_path):
    length = int(meta["max_seq_length"])
    if length > config.max_position_embeddings:
        message = "the data's sequences of %d are longer than the model's position table of %d; prepare shorter ones"
        raise StageInputError(message % (length, config.max_position_embeddings))
    expected = prepared.get("vocab_sha256")
    if expected and vocab_path and hashlib.sha256(Path(vocab_path).read_bytes()).hexdigest() != expected:
        raise StageInputError(
            "the data were prepared with another vocabulary than the model's; prepare them with its own"
        )
    examples = int(meta.get("train_data_size", 0))
    if args.mode.startswith("train") and examples < args.train_batch_size:
        message = "%d examples do not fill one batch of %d; take a smaller --train-batch-size"
        raise StageInputError(message % (examples, args.train_batch_size))


def _check_head(source, task_type, labels):
    """The trained model must have the head that the data's task asks for."""
    head = source.places.get(classifier.WEIGHTS)
    if task_type == "squad":
        if span.WEIGHTS not in source.places:
            raise StageInputError("%s was not trained on SQuAD" % source.folder)
    elif head is None:
        raise StageInputError("%s has no classifier's head: it was not trained on such a task" % source.folder)
    elif head.place.source_shape[0] != labels:
        message = "the model tells %d classes apart, and the data have %d: they are of another task"
        raise StageInputError(message % (head.place.source_shape[0], labels))


def _check_trained(source, task_type):
    """The task.json beside the trained model must be of the same kind of head; old ones say nothing of it."""
    if not os.path.exists(os.path.join(source.folder, "task.json")):
        return
    trained = read_json(source.folder, "task.json").get("head", HEADS[task_type])
    if trained != HEADS[task_type]:
        message = "%s has a head of the kind %s, and the data are for %s: they are of another task"
        raise StageInputError(message % (source.folder, trained, HEADS[task_type]))


def _check_kind(args, meta, task_type):
    if task_type == "squad" and args.bucket_by_length == "true":
        raise StageInputError("the loss of SQuAD reads every place of a row; leave --bucket-by-length out")
    if task_type == "tagging" and args.hub_module:
        raise StageInputError("tags are not trained from a hub module; begin with --init-checkpoint")
    if task_type == "multi-label" and int(meta["num_labels"]) < 2:
        raise StageInputError("several labels are needed, and the data have one; prepare them as two classes")
