"""finetune: a checkpoint trained on a task's prepared data by bert-tensorflow's run_classifier or run_squad.

Reads a Google-format checkpoint and a folder of prepare-data; the flags are upstream's. Writes a checkpoint of encoder
and head without optimizer slots, task.json, history.json, training.svg, events/, eval_results.txt; of the test set
test_results.tsv, for tags test_results.conll, for SQuAD predictions.json, nbest_predictions.json and null_odds.json.
What a killed run left in --unfinished is gone on from.
"""

import os
import tempfile

from stage import Stage, StageInputError, step


def truth(text):
    """A flag's yes or no, as absl reads it."""
    if text.lower() not in ("true", "false", "1", "0", "t", "f"):
        raise ValueError(text)
    return text.lower() in ("true", "1", "t")


def count(text):
    """A whole number above 0."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


STAGE = Stage("finetune", __doc__.splitlines()[0])
STAGE.input("checkpoint", "folder with bert_config.json, vocab.txt and the checkpoint's files")
STAGE.input("data", "folder of prepare-data: prepared.json and the records")
STAGE.input("squad", "SQuAD's JSON with the questions to answer (SQuAD's --do_predict)", required=False)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param(
    "gelu",
    "form of gelu to train with; auto reads it from the checkpoint's .meta (default)",
    choices=("auto", "erf", "tanh"),
    default="auto",
)
STAGE.param("source_heads", "kinds of the checkpoint's heads, with commas, where they are known: another is made new")
STAGE.param("max_seq_length", "the data's (default); another is refused", type=count)
STAGE.param("train_batch_size", "(default: 32)", type=count, default=32)
STAGE.param("eval_batch_size", "(default: 8)", type=count, default=8)
STAGE.param("predict_batch_size", "(default: 8)", type=count, default=8)
STAGE.param("learning_rate", "at its highest (default: 5e-5)", type=float, default=5e-5)
STAGE.param("num_train_epochs", "(default: 3.0)", type=float, default=3.0)
STAGE.param(
    "warmup_proportion", "of the steps, in which the learning rate rises (default: 0.1)", type=float, default=0.1
)
STAGE.param("save_checkpoints_steps", "also saved by time in between (default: 1000)", type=count, default=1000)
STAGE.param("do_train", "(default: true)", type=truth, default=True)
STAGE.param("do_eval", "over eval.tf_record (default: where there is one, and not for SQuAD)", type=truth)
STAGE.param("do_predict", "over test.tf_record, or SQuAD's --squad (default: where --squad is given)", type=truth)
STAGE.param("pad_to_max", "rows as long as the data has them, as upstream (default: false)", type=truth, default=False)
STAGE.param("bucket_by_length", "batches of rows of like length (default: false)", type=truth, default=False)
STAGE.param("seed", "of new weights, dropout and the order of examples (default: 1)", type=int, default=1)
STAGE.param("version_2_with_negative", "SQuAD 2.0: there may be no answer (default: the data's)", type=truth)
STAGE.param("doc_stride", "SQuAD (default: 128)", type=count, default=128)
STAGE.param("max_query_length", "SQuAD (default: 64)", type=count, default=64)
STAGE.param("n_best_size", "SQuAD (default: 20)", type=count, default=20)
STAGE.param("max_answer_length", "SQuAD (default: 30)", type=count, default=30)
STAGE.param("null_score_diff_threshold", "SQuAD 2.0 (default: 0.0)", type=float, default=0.0)
STAGE.param("unfinished", "folder that outlives a killed run (default: a temporary one)")


def run(args, report):
    """Check, train, write the checkpoint, evaluate, predict."""
    step("loading TensorFlow")
    import baseline
    import tensorflow as tf

    from stages import _prepared, _resuming, _signature, _source, _trainer, _tuned_folder

    source = _source.Source(args.checkpoint, args.prefix)
    prepared = _prepared.Prepared(args.data, args.max_seq_length, source)
    settle(args, prepared)
    step("looking at the data")
    train_path = prepared.require(_prepared.TRAIN, "do_train") if args.do_train else None
    examples = prepared.count(_prepared.TRAIN) if train_path else 0
    labels, evaluated = baseline.Labels(prepared.kind, prepared.columns), 0
    if args.do_eval:
        prepared.require(_prepared.EVAL, "do_eval")
        evaluated = prepared.count(_prepared.EVAL, add=labels.add)
    gelu = source.gelu(args.gelu, report)
    kept = _resuming.Kept(args.unfinished or tempfile.mkdtemp(), report)
    trainer = _trainer.Trainer(args, source, gelu, prepared, kept, report)
    try:
        if args.do_train:
            trainer.train(examples)
        facts = judge(args, prepared, source, trainer, kept, report, evaluated)
        if args.do_eval:
            facts["baseline"] = labels.baseline()
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise StageInputError(out_of_memory(args, prepared)) from error
    step("writing the checkpoint")
    trained = tf.train.latest_checkpoint(kept.folder) if args.do_train else source.prefix
    facts["head"] = _tuned_folder.write_checkpoint(source, gelu, trained, trainer, args.out)
    _tuned_folder.write_task(args, prepared, gelu)
    if args.do_train:
        _tuned_folder.write_history(args, prepared, trainer, kept, examples)
    report.packages = _signature.packages()
    report.facts = dict(facts, gelu=gelu, steps=trainer.steps, examples=examples)


def settle(args, prepared):
    """Fill in the flags whose default depends on the data, and refuse what cannot be done with it."""
    from stages import _prepared

    if args.squad and not prepared.squad:
        raise StageInputError("--squad is for SQuAD; the data is of %s" % prepared.task)
    if args.do_eval and prepared.squad:
        raise StageInputError("run_squad has no --do_eval: predict, and let the command evaluate compare the answers")
    if args.do_eval is None:
        args.do_eval = not prepared.squad and prepared.path(_prepared.EVAL) is not None
    if args.do_predict is None:
        args.do_predict = bool(args.squad)
    if args.do_predict and prepared.squad and not args.squad:
        raise StageInputError("--do_predict of SQuAD needs the questions: --squad=dev-v1.1.json, for instance")
    if not (args.do_train or args.do_eval or args.do_predict):
        raise StageInputError("at least one of --do_train, --do_eval and --do_predict must be true")
    if args.bucket_by_length and (args.pad_to_max or prepared.squad):
        why = "the loss reads every place of a row" if prepared.squad else "--pad_to_max pads every row"
        raise StageInputError("--bucket_by_length is of no use where %s; leave it out" % why)
    if args.version_2_with_negative is None:
        args.version_2_with_negative = prepared.version_2_with_negative
    if prepared.squad and args.do_predict and prepared.max_seq_length <= args.max_query_length + 3:
        raise StageInputError(
            "sequences of %d leave no room beside questions of up to %d; lower --max_query_length"
            % (prepared.max_seq_length, args.max_query_length)
        )


def judge(args, prepared, source, trainer, kept, report, evaluated):
    """Evaluate, on so many examples, and predict, as asked; gives the figures."""
    from stages import _answers, _prepared, _test_results

    facts = {}
    if args.do_eval:
        step("evaluating")
        metrics = trainer.evaluate(prepared.path(_prepared.EVAL), evaluated)
        with open(os.path.join(args.out, "eval_results.txt"), "w") as file:
            file.writelines("%s = %s\n" % (name, metrics[name]) for name in sorted(metrics))
        facts["eval"] = {name: float(value) for name, value in metrics.items()}
    if args.do_predict and prepared.squad:
        facts.update(_answers.write_answers(args, prepared, source, trainer, kept.folder, report))
        facts["version_2_with_negative"] = args.version_2_with_negative
    elif args.do_predict:
        path = prepared.require(_prepared.TEST, "do_predict")
        examples = prepared.count(_prepared.TEST, labelled=False)
        step("predicting")
        _test_results.write(args.out, prepared, trainer.predict(path, examples))
    return facts


def out_of_memory(args, prepared):
    """What to say and to try when TensorFlow got no memory."""
    flag = "train_batch_size" if args.do_train else "eval_batch_size"
    tried = getattr(args, flag)
    return "memory ran out with batches of %d sequences of %d; try half: --%s=%d" % (
        tried,
        prepared.max_seq_length,
        flag,
        max(1, tried // 2),
    )


if __name__ == "__main__":
    STAGE.main(run)
