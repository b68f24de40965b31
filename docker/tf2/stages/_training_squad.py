"""SQuAD: official.legacy.bert.run_squad."""

import functools
import os
import shutil

import tf_keras
from absl import flags
from official.legacy.bert import run_squad
from stage import StageInputError, step
from vocabulary import load_vocab

from stages import _training_course, _training_folders, _training_questions, _training_weights

ANSWERS = ("predictions.json", "nbest_predictions.json", "null_odds.json")


def run(job, strategy, report):
    """Do what --mode says: train, then predict or evaluate."""
    args = job.args
    values = {
        "mode": args.mode,
        "model_dir": job.model_dir,
        "bert_config_file": job.config_path,
        "vocab_file": job.vocab_path or "",
        "do_lower_case": job.task["do_lower_case"],
        "hub_module_url": args.hub_module or "",
        "train_data_path": job.records["train"] or "",
        "predict_file": _training_questions.readable(args.predict_file, job.kept) if args.predict_file else "",
        "train_batch_size": args.train_batch_size,
        "predict_batch_size": args.predict_batch_size,
        "null_score_diff_threshold": args.null_score_diff_threshold,
        "learning_rate": args.learning_rate,
        "num_train_epochs": args.num_train_epochs,
        "steps_per_loop": args.steps_per_loop,
        "num_gpus": args.num_gpus,
    }
    flags.FLAGS(["train", *("--%s=%s" % item for item in values.items())])
    tf_keras.utils.set_random_seed(args.seed)
    if args.mode == "export_only":
        _export(job)
        return
    trained = _train(job, strategy, report) if "train" in args.mode else job.source.prefix
    if args.mode != "train":
        flags.FLAGS.hub_module_url = ""  # what was trained from a module is a checkpoint like any other
        _answer(job, strategy, trained)
        report.facts.update(version_2_with_negative=job.task["version_2_with_negative"])


def _train(job, strategy, report):
    """Train; gives the checkpoint's prefix."""
    if job.source.kind == "hub_module":
        _training_weights.check_hub_module(job)
    _training_folders.follow_chief(job)
    course = _training_course.Course(job, report, int(job.meta["train_data_size"]) // job.args.train_batch_size)
    init = _training_weights.init_checkpoint(job)
    config = _training_weights.config(job)
    run_squad.run_squad_helper.train_squad(strategy, job.meta, config, custom_callbacks=[course], init_checkpoint=init)
    if not job.chief:
        return None
    step("writing the checkpoint")
    course.write()
    return _training_weights.write(job, course.model)


def _export(job):
    """What the program's export_squad does, but for two layers whose function Keras 2.20 cannot write down."""
    step("exporting")
    model = _training_weights.restored(job)
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Lambda):
            layer.function = same
    run_squad.run_squad_helper.model_saving_utils.export_bert_model(job.args.out, model=model)


def same(logits):
    """In the place of tf.identity, which names the outputs: that function holds on to objects that are not JSON."""
    return logits


def _answer(job, strategy, checkpoint):
    """Ask the questions of --predict-file, and judge the answers where --mode says so."""
    step("answering")
    run_squad.tokenization.load_vocab = functools.partial(load_vocab, reading=job.task["vocab_reading"])
    tokenizer = run_squad.tokenization.FullTokenizer(vocab_file=job.vocab_path, do_lower_case=flags.FLAGS.do_lower_case)
    known = (strategy, job.meta, tokenizer, _training_weights.config(job), run_squad.squad_lib_wp)
    try:
        if "eval" in job.args.mode:
            figures = run_squad.run_squad_helper.eval_squad(*known, init_checkpoint=checkpoint)
            figures = {name.replace("final_f1", "f1"): value for name, value in figures.items()}
            _training_course.write_results(job.args.out, figures)
        else:
            run_squad.run_squad_helper.predict_squad(*known, init_checkpoint=checkpoint)
    except KeyError as error:  # of answers, which predicting does without
        raise StageInputError("%s is not a SQuAD file: %r" % (job.args.predict_file, error)) from error
    for name in ANSWERS:
        if os.path.exists(os.path.join(flags.FLAGS.model_dir, name)):
            shutil.copyfile(os.path.join(flags.FLAGS.model_dir, name), os.path.join(job.args.out, name))
