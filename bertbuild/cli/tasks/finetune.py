"""Fine-tuning under TensorFlow 1 as an Invoke task."""

from __future__ import annotations

from bertbuild.cli.flags import (
    COMMON_HELP,
    ISOLATION_HELP,
    REPLACE_HELP,
    SOURCE_HELP,
    VOCAB_READING,
    number,
    truth,
    whole_number,
)
from bertbuild.cli.frame import running
from bertbuild.cli.task import task

FINETUNE_HELP = {
    "task": "what to train on: a task that prepare-data knows, e.g. MRPC; prepared first, with the model's vocabulary",
    "data": "folder with the task's files, or a SQuAD file (.json), which is a task; default: what fetch-data brings",
    "do-lower-case": "true or false; default: as the catalogue says of the model, else true",
    "prepared": "folder of prepare-data: what to train on, in the place of --task",
    "vocab-reading": VOCAB_READING,
    "squad": "SQuAD's JSON with the questions to answer after training, for instance dev-v1.1.json",
    "max-seq-length": "the data's; another is refused",
    "train-batch-size": "examples of a training step (default 32)",
    "eval-batch-size": "examples at once when the dev set is evaluated (default 8)",
    "predict-batch-size": "examples at once when the test set or SQuAD is predicted (default 8)",
    "learning-rate": "learning rate at its highest (default 5e-5)",
    "num-train-epochs": "how often the training data are gone through (default 3)",
    "warmup-proportion": "share of the steps in which the learning rate rises (default 0.1)",
    "save-checkpoints-steps": "save after so many steps, and by time; a kill costs what came after (default 1000)",
    "output-dir": "also copy the result to this folder",
    "do-train": "train; where one of --do-train, --do-eval, --do-predict is true, those not given are false (default: "
    "what there are data for)",
    "do-eval": "write eval_results.txt from eval.tf_record (default: where there is one)",
    "do-predict": "write test_results.tsv from test.tf_record (default: where there is one); SQuAD: predictions.json",
    "doc-stride": "SQuAD: words between two windows over a text (default 128)",
    "max-query-length": "SQuAD: words of a question (default 64)",
    "n-best-size": "SQuAD: answers kept of each question (default 20)",
    "max-answer-length": "SQuAD: pieces of an answer at most (default 30)",
    "null-score-diff-threshold": "SQuAD 2.0: how much better no answer must be (default 0)",
    "version-2-with-negative": "SQuAD 2.0: there may be no answer (default: the data's)",
    "seed": "seed of new weights, dropout and the order of examples (default 1)",
}


def modes(**flags: object) -> tuple[bool | None, ...]:
    """What is asked of --do_train, --do_eval, --do_predict: as upstream, one that is true makes the others false.

    None, where none is true, leaves it to what there are data for.
    """
    given = tuple(truth(name, str(value)) for name, value in flags.items())
    return tuple(bool(value) for value in given) if any(given) else given


@task(
    # --do_train alone is absl's yes
    optional=["do_train", "do_eval", "do_predict", "do_lower_case", "version_2_with_negative"],
    help=COMMON_HELP | REPLACE_HELP | ISOLATION_HELP | SOURCE_HELP | FINETUNE_HELP,
)
def finetune(
    model: str = "",
    checkpoint: str = "",
    config: str = "",
    vocab: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    task: str = "",
    data: str = "",
    prepared: str = "",
    vocab_reading: str = "",
    squad: str = "",
    output_dir: str = "",
    do_lower_case: str = "",
    max_seq_length: str = "",
    train_batch_size: str = "32",
    eval_batch_size: str = "8",
    predict_batch_size: str = "8",
    learning_rate: str = "5e-5",
    num_train_epochs: str = "3",
    warmup_proportion: str = "0.1",
    save_checkpoints_steps: str = "1000",
    do_train: str = "",
    do_eval: str = "",
    do_predict: str = "",
    doc_stride: str = "128",
    max_query_length: str = "64",
    n_best_size: str = "20",
    max_answer_length: str = "30",
    null_score_diff_threshold: str = "0",
    version_2_with_negative: str = "",
    seed: str = "1",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    json: bool = False,
) -> None:
    """Fine-tune a checkpoint with google-research/bert's run_classifier or run_squad (TensorFlow 1)."""
    from bertbuild.commands import finetune as commands
    from bertbuild.plans.finetuning import FinetuneRequest, Named
    from bertbuild.source.resolve import Wanted

    with running(
        json=json, replace=replace, isolation=isolation, offline=offline, local=from_, mirror=mirror
    ) as session:
        train, evaluate, predict = modes(do_train=do_train, do_eval=do_eval, do_predict=do_predict)
        request = FinetuneRequest(
            max_seq_length=whole_number("max_seq_length", max_seq_length) if max_seq_length else None,
            train_batch_size=whole_number("train_batch_size", train_batch_size),
            eval_batch_size=whole_number("eval_batch_size", eval_batch_size),
            predict_batch_size=whole_number("predict_batch_size", predict_batch_size),
            learning_rate=number("learning_rate", learning_rate),
            num_train_epochs=number("num_train_epochs", num_train_epochs),
            warmup_proportion=number("warmup_proportion", warmup_proportion),
            save_checkpoints_steps=whole_number("save_checkpoints_steps", save_checkpoints_steps),
            do_train=train is not False,
            do_eval=evaluate,
            do_predict=predict,
            doc_stride=whole_number("doc_stride", doc_stride),
            max_query_length=whole_number("max_query_length", max_query_length),
            n_best_size=whole_number("n_best_size", n_best_size),
            max_answer_length=whole_number("max_answer_length", max_answer_length),
            null_score_diff_threshold=number("null_score_diff_threshold", null_score_diff_threshold),
            version_2_with_negative=truth("version_2_with_negative", str(version_2_with_negative)),
            seed=whole_number("seed", seed),
        )
        wanted = Wanted(model=model, checkpoint=checkpoint, name=name, scope=scope, ema=ema, config=config, vocab=vocab)
        lower_case = truth("do_lower_case", str(do_lower_case))
        named = Named(
            task=task, data=data, prepared=prepared, squad=squad, vocab_reading=vocab_reading, lower_case=lower_case
        )
        commands.finetune(session, wanted, named, request, output_dir)
