"""What a fine-tuned checkpoint's folder holds besides the weights, and the weights without what only training needs."""

import glob
import os
import shutil

import tensorflow as tf
from checkpoint_files import CHECKPOINT
from stage import write_json
from training_plot import write_plot

from bertbuild.families.bert_names import CONFIG_FILE, VOCAB_FILE
from bertbuild.heads import classifier, span
from stages import _bert, _signature

COPIED = (CONFIG_FILE, VOCAB_FILE)
HEADS = classifier.HEAD.scopes + span.HEAD.scopes
"""How the names of the variables begin that a training can add."""
OF_ANSWERS = ("doc_stride", "max_query_length", "n_best_size", "max_answer_length", "null_score_diff_threshold")
"""Flags that SQuAD's answers were, or can be, made with."""


def write_checkpoint(source, gelu, trained, trainer, out):
    """Write encoder and head as a Google-format checkpoint; the .meta computes both as they were trained.

    It is of the published form (no dropout, nothing of training), with the gelu trained.

    Args:
        source: the `_source.Source` that training began with.
        gelu: its form, or None.
        trained: prefix of the checkpoint with the values.
        trainer: the `_trainer.Trainer`, whose program builds the head; the length is the data's where they are longer.
        out: the folder.

    Returns:
        dict of the head's variables: name → shape.
    """
    for name in COPIED:
        shutil.copyfile(os.path.join(source.folder, name), os.path.join(out, name))
    shapes = tf.train.NewCheckpointReader(trained).get_variable_to_shape_map()
    head = {name: shapes[name] for name in sorted(shapes) if _is_head(name)}
    prefix = os.path.join(out, CHECKPOINT)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = _signature.published_placeholders(source.config, trainer.length)
        trainer.program.build_answer(_bert.bert_config(source.config, gelu), inputs)
        saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables(), save_relative_paths=True)
        saver.restore(session, trained)
        saver.save(session, prefix, write_meta_graph=False)
        _signature.write_meta_graph(saver, prefix + ".meta")
    os.unlink(os.path.join(out, "checkpoint"))
    return head


def write_history(args, prepared, trainer, kept, examples):
    """Write history.json, training.svg and the folder events/ with what TensorBoard reads."""
    columns = {name: [row[name] for row in kept.rows] for name in kept.rows[0]}
    steps = {"examples": examples, "batch_size": args.train_batch_size, "steps": trainer.steps, "resumed": kept.resumed}
    write_json(args.out, "history.json", dict(columns, task=prepared.task, **steps))
    losses = columns["loss"]
    title = "%s: loss %.3f to %.3f over %d steps" % (prepared.task, losses[0], losses[-1], trainer.steps)
    write_plot(args.out, title, columns["step"], losses, columns["learning_rate"], kept.resumed)
    for path in glob.glob(os.path.join(kept.folder, "**", "events.out.tfevents.*"), recursive=True):
        copy = os.path.join(args.out, "events", os.path.relpath(path, kept.folder))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(path, copy)


def write_task(args, prepared, gelu):
    """Write task.json: what the checkpoint was trained for, and how."""
    told = {
        "task": prepared.task,
        "task_type": prepared.kind,
        "head": prepared.head,
        "labels": prepared.labels,
        "max_seq_length": prepared.max_seq_length,
        "do_lower_case": prepared.do_lower_case,
        "vocab_reading": prepared.vocab_reading,
        "version_2_with_negative": prepared.version_2_with_negative,
        "gelu": gelu,
    }
    if prepared.score_range is not None:
        told["score_range"] = prepared.score_range
    if prepared.squad:
        told.update((name, getattr(args, name)) for name in OF_ANSWERS)
    if args.do_train:
        names = ("train_batch_size", "learning_rate", "num_train_epochs", "warmup_proportion", "seed")
        names += ("pad_to_max", "bucket_by_length")
        told["training"] = {name: getattr(args, name) for name in names}
    write_json(args.out, "task.json", told)


def _is_head(name):
    return name.startswith(HEADS) and not name.endswith(("/adam_m", "/adam_v"))
