"""Training under TensorFlow 2 as an Invoke task."""

from __future__ import annotations

from bertbuild.cli.flags import (
    COMMON_HELP,
    ISOLATION_HELP,
    REPLACE_HELP,
    SOURCE_HELP,
    VOCAB_READING,
    number,
    whole_number,
)
from bertbuild.cli.frame import running
from bertbuild.cli.task import task

TRAIN_HELP = {
    "mode": "train_and_eval (default), predict, export_only; of SQuAD also train, train_and_predict, eval",
    "init-checkpoint": "a checkpoint to begin with: of TensorFlow 2, or one of TensorFlow 1, which is converted first",
    "hub-module-url": "a hub module to begin with, where there is no checkpoint: a folder of convert-tf2 --format hub",
    "model-dir": "a folder that train made: what eval, predict and export_only take; when training, a copy's place",
    "config": "bert_config.json, where it is not in the folder to begin with",
    "vocab": "vocab.txt, where it is not in the folder to begin with",
    "model-export-path": "also export a SavedModel, and copy it to this folder",
    "root": "of several encoders in the checkpoint the one below this object, as query",
    "task": "MRPC, STS-B, SQUAD-1.1 …: the data are prepared first",
    "data": "folder with the task's files, or a SQuAD file; default: what fetch-data brings",
    "max-seq-length": "pieces of a sequence that --task prepares (default 128)",
    "vocab-reading": VOCAB_READING,
    "prepared": "a folder of prepare-data, in place of --task",
    "train-data-path": "records to train on, where there is no --prepared",
    "eval-data-path": "records to evaluate on, or to predict; in place of those of --prepared",
    "input-meta-data-path": "the Model Garden's meta data of the records, where there is no --prepared",
    "predict-file": "SQuAD's JSON with the questions to answer, for instance dev-v1.1.json",
    "train-batch-size": "examples of a step, over all devices (default 32)",
    "eval-batch-size": "examples at once in evaluation and prediction (default 32)",
    "predict-batch-size": "SQuAD: examples at once when questions are answered (default 8)",
    "learning-rate": "learning rate at its highest, after a tenth of the steps (default 5e-5)",
    "num-train-epochs": "how often the training data are gone through, a whole number (default 3)",
    "steps-per-loop": "steps between two looks at the loss (default 1)",
    "null-score-diff-threshold": "SQuAD 2.0: how much better no answer must be (default 0)",
    "distribution-strategy": "one_device (default), mirrored, multi_worker_mirrored, tpu",
    "num-gpus": "GPUs to train on (default 0)",
    "virtual-cpus": "devices that mirrored makes of the CPU (default 1)",
    "workers": "containers or processes of multi_worker_mirrored",
    "tpu": "the TPU's address, grpc://HOST:8470; none: a TPU of this machine",
    "gelu": "erf or tanh; auto (default) computes what the model was made with",
    "seed": "seed of new weights, dropout and the order of examples (default 0)",
    "save-checkpoints-steps": "save after so many steps, which a kill costs at most (default 100)",
}


@task(help=COMMON_HELP | REPLACE_HELP | ISOLATION_HELP | SOURCE_HELP | TRAIN_HELP)
def train(
    mode: str = "train_and_eval",
    init_checkpoint: str = "",
    hub_module_url: str = "",
    model: str = "",
    checkpoint: str = "",
    model_dir: str = "",
    model_export_path: str = "",
    config: str = "",
    vocab: str = "",
    root: str = "",
    name: str = "",
    scope: str = "",
    ema: bool = False,
    task: str = "",
    data: str = "",
    max_seq_length: str = "128",
    prepared: str = "",
    vocab_reading: str = "",
    train_data_path: str = "",
    eval_data_path: str = "",
    input_meta_data_path: str = "",
    predict_file: str = "",
    train_batch_size: str = "32",
    eval_batch_size: str = "32",
    predict_batch_size: str = "8",
    learning_rate: str = "5e-5",
    num_train_epochs: str = "3",
    steps_per_loop: str = "1",
    null_score_diff_threshold: str = "0",
    distribution_strategy: str = "one_device",
    num_gpus: str = "0",
    virtual_cpus: str = "1",
    workers: str = "1",
    tpu: str = "",
    gelu: str = "auto",
    seed: str = "0",
    save_checkpoints_steps: str = "100",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    json: bool = False,
) -> None:
    """Fine-tune, predict, export with the Model Garden's run_classifier or run_squad (TensorFlow 2)."""
    from bertbuild.commands import train as command
    from bertbuild.plans.tf2_train import TrainRequest
    from bertbuild.source.resolve import Wanted

    with running(
        json=json, replace=replace, isolation=isolation, offline=offline, local=from_, mirror=mirror
    ) as session:
        request = TrainRequest(
            mode=mode,
            gelu=gelu,
            train_batch_size=whole_number("train_batch_size", train_batch_size),
            eval_batch_size=whole_number("eval_batch_size", eval_batch_size),
            predict_batch_size=whole_number("predict_batch_size", predict_batch_size),
            learning_rate=number("learning_rate", learning_rate),
            num_train_epochs=whole_number("num_train_epochs", num_train_epochs),
            steps_per_loop=whole_number("steps_per_loop", steps_per_loop),
            null_score_diff_threshold=number("null_score_diff_threshold", null_score_diff_threshold),
            distribution_strategy=distribution_strategy,
            num_gpus=whole_number("num_gpus", num_gpus),
            virtual_cpus=whole_number("virtual_cpus", virtual_cpus),
            workers=whole_number("workers", workers),
            tpu=tpu,
            seed=whole_number("seed", seed),
            save_checkpoints_steps=whole_number("save_checkpoints_steps", save_checkpoints_steps),
        )
        begin = command.Begin(
            init_checkpoint=init_checkpoint,
            hub_module_url=hub_module_url,
            model_dir=model_dir,
            model_export_path=model_export_path,
            config=config,
            vocab=vocab,
            root=root,
        )
        given = command.Data(
            task=task,
            folder=data,
            max_seq_length=whole_number("max_seq_length", max_seq_length),
            prepared=prepared,
            vocab_reading=vocab_reading,
            train_data_path=train_data_path,
            eval_data_path=eval_data_path,
            input_meta_data_path=input_meta_data_path,
            predict_file=predict_file,
        )
        command.train(
            session, begin, Wanted(model=model, checkpoint=checkpoint, name=name, scope=scope, ema=ema), given, request
        )
