"""Classes, scores, several labels and tags: official.legacy.bert.run_classifier."""

import os

import baseline
import by_length
import tensorflow as tf
import tf_keras
from absl import flags
from official.legacy.bert import run_classifier
from stage import step
from tagged_words import RESULTS, write_tags

from stages import _training_batches, _training_course, _training_folders, _training_heads, _training_weights


def run(job, strategy, report):
    """Do what --mode says."""
    args = job.args
    values = {
        "mode": args.mode,
        "model_dir": job.model_dir,
        "bert_config_file": job.config_path,
        "hub_module_url": args.hub_module or "",
        "train_batch_size": args.train_batch_size,
        "eval_batch_size": args.eval_batch_size,
        "learning_rate": args.learning_rate,
        "num_train_epochs": args.num_train_epochs,
        "steps_per_loop": args.steps_per_loop,
        "num_gpus": args.num_gpus,
    }
    flags.FLAGS(["train", *("--%s=%s" % item for item in values.items())])
    tf_keras.utils.disable_interactive_logging()  # its bars would tear the events apart
    tf_keras.utils.set_random_seed(args.seed)
    if job.task_type in _training_heads.KINDS:
        _training_heads.settle(job.task_type)
    if args.mode == "export_only":
        step("exporting")
        folder = _training_weights.state_folder(job)
        run_classifier.export_classifier(args.out, job.meta, _training_weights.config(job), folder)
    elif args.mode == "predict":
        _predict(job, strategy)
    else:
        _train(job, strategy, report)


def _train(job, strategy, report):
    if job.source.kind == "hub_module":
        _training_weights.check_hub_module(job)
    _training_folders.follow_chief(job)
    course = _training_course.Course(job, report, int(job.meta["train_data_size"]) // job.args.train_batch_size)
    size = job.args.eval_batch_size
    run_classifier.run_bert(
        strategy,
        job.meta,
        _training_weights.config(job),
        _examples(job, job.records["train"], job.args.train_batch_size, training=True),
        _examples(job, _training_batches.by_length_of(job, job.records["eval"], size)[0], size, training=False),
        init_checkpoint=_training_weights.init_checkpoint(job),
        custom_callbacks=[course],
        custom_metrics=_training_heads.METRICS.get(job.task_type),
    )
    if job.chief:
        step("writing the checkpoint")
        _training_weights.write(job, course.model)
        figures = course.write()
        report.facts.update(eval=figures, baseline=_of_who_learnt_nothing(job))


def _of_who_learnt_nothing(job):
    """The figure of the dev set of who has learnt nothing."""
    labels = baseline.Labels(job.task_type, job.labels)
    for _, values, *_ in _examples(job, job.records["eval"], job.args.eval_batch_size, training=False)():
        labels.add(values.numpy())
    return labels.baseline()


def _examples(job, path, batch_size, *, training):
    """The program's input function.

    It tells TensorFlow not to divide the examples of one file between workers, so that each would see all of them; here
    each gets its part of every batch, and they agree on the batches because they have the seed in common.
    """
    if job.task_type in _training_heads.KINDS:
        make = _training_heads.records(job, path, batch_size, training=training)
        return _divided(job, _training_batches.shortened(job, make, training=training))
    make = run_classifier.get_dataset_fn(
        path,
        int(job.meta["max_seq_length"]),
        batch_size,
        is_training=training,
        label_type=run_classifier.LABEL_TYPES_MAP[job.meta.get("label_type", "int")],
        include_sample_weights=job.meta.get("has_sample_weights", False),
    )
    return _divided(job, _training_batches.shortened(job, make, training=training))


def _divided(job, make):
    if job.args.workers == 1:
        return make
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return lambda: make().with_options(options)


def _predict(job, strategy):
    step("predicting")
    path, order = _training_batches.by_length_of(job, job.records["eval"], job.args.eval_batch_size)
    make = _examples(job, path, job.args.eval_batch_size, training=False)
    with strategy.scope():
        model = _training_weights.restored(job)
        if job.task_type in _training_heads.KINDS:
            rows = list(_training_heads.predictions(job, model, make))
        else:
            known = {"is_regression": job.labels == 1, "return_probs": True}
            rows, _ = run_classifier.get_predictions_and_labels(strategy, model, make, **known)
    if order is not None:
        rows = by_length.put_back(rows, order)
    if job.task_type == _training_heads.TAGGING:
        labels = job.task["labels"]
        tags = (labels[number] for row in rows for number in row.argmax(axis=-1))
        write_tags(os.path.join(job.args.out, RESULTS), job.words, tags)
        return
    with open(os.path.join(job.args.out, "test_results.tsv"), "w") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in rows)
