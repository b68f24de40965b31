"""train: fine-tune, predict with, or export a BERT by the Model Garden's own run_classifier and run_squad.

What is trained comes out as a checkpoint that the stage convert-tf1 takes, without the optimizer: bert_model.ckpt,
bert_config.json, vocab.txt, signature.json (the form of gelu), task.json; history.json, eval_results.txt and events/
(TensorBoard) tell how it went. Everything that a killed run would go on from is in --unfinished.

With TF_CONFIG in its environment it is one of several workers; worker 0 alone writes results.
"""

import os

from stage import Stage, step

MODES = ("train_and_eval", "train_and_predict", "train", "eval", "predict", "export_only")
TRUTH = ("true", "false")
STRATEGIES = ("one_device", "mirrored", "multi_worker_mirrored", "tpu")

STAGE = Stage("train", __doc__.splitlines()[0])
STAGE.input("init-checkpoint", "folder of the TensorFlow 2 checkpoint to start from", required=False)
STAGE.input("hub-module", "folder of the hub module to start from, in its place", required=False)
STAGE.input("model-dir", "folder that this stage trained: what eval, predict and export_only take", required=False)
STAGE.input("config", "bert_config.json, where it is not in that folder", required=False)
STAGE.input("vocab", "vocab.txt, where it is not in that folder", required=False)
STAGE.input("data", "folder of the stage prepare-data", required=False)
STAGE.input("train-data", "records to train on, where there is no --data", required=False)
STAGE.input("eval-data", "records to evaluate on, or to predict, in place of --data's", required=False)
STAGE.input("meta-data", "the Model Garden's meta data on them, where there is no --data", required=False)
STAGE.input("predict-file", "SQuAD's JSON with the questions to answer", required=False)
STAGE.param("prefix", "the checkpoint's name in its folder, where there are several")
STAGE.param("root", "of several encoders in it the one below this object")
STAGE.param("mode", "what to do (default: train_and_eval)", choices=MODES, default="train_and_eval")
STAGE.param("gelu", "the form of gelu to compute (default: tanh, the Model Garden's)", choices=("erf", "tanh"))
STAGE.param("train-batch-size", "examples of a step, over all devices (default: 32)", type=int, default=32)
STAGE.param("eval-batch-size", "examples at once in evaluation and prediction (default: 32)", type=int, default=32)
STAGE.param("predict-batch-size", "the same of SQuAD (default: 8)", type=int, default=8)
STAGE.param("learning-rate", "at its highest (default: 5e-5)", type=float, default=5e-5)
STAGE.param("num-train-epochs", "how often all examples are seen (default: 3)", type=int, default=3)
STAGE.param("pad-to-max", "rows as long as the data has them, as upstream", choices=TRUTH, default="false")
STAGE.param("bucket-by-length", "batches of rows of like length", choices=TRUTH, default="false")
STAGE.param("steps-per-loop", "steps between two looks at the loss (default: 1)", type=int, default=1)
STAGE.param("null-score-diff-threshold", "SQuAD 2.0: no answer above it (default: 0)", type=float, default=0.0)
STAGE.param("distribution-strategy", "the devices (default: one_device)", choices=STRATEGIES, default="one_device")
STAGE.param("num-gpus", "GPUs of this machine to use (default: 0)", type=int, default=0)
STAGE.param("virtual-cpus", "devices that mirrored makes of the CPU (default: 1)", type=int, default=1)
STAGE.param("workers", "how many workers TF_CONFIG names (default: 1)", type=int, default=1)
STAGE.param("tpu", "address of the TPU; none is a TPU of this machine", default="")
STAGE.param("seed", "of the order of examples, the new head, dropout (default: 0)", type=int, default=0)
STAGE.param("save-checkpoints-steps", "steps that a kill costs at most (default: 100)", type=int, default=100)
STAGE.param("unfinished", "folder with what a killed run left; default: nothing is kept")


def run(args, report):
    """Check everything that can be checked without TensorFlow, then do what --mode says."""
    from stages import _training_inputs

    job = _training_inputs.read(args, report)
    step("loading TensorFlow")
    from stages import _training_devices, _versions

    strategy = _training_devices.strategy(args)
    if args.pad_to_max != "true":
        from stages import _training_optimizer

        _training_optimizer.settle()
    if job.task_type == "squad":
        from stages import _training_squad as program
    else:
        from stages import _training_classifier as program
    with _training_devices.told_in_a_sentence(job):
        program.run(job, strategy, report)
    if args.mode == "export_only":
        from stages import _fingerprint

        _fingerprint.settle(args.out)
    if job.chief:
        _training_inputs.write_facts(job)
    report.packages = _versions.packages()
    report.facts.update(mode=args.mode, task=job.task["task"], gelu=args.gelu, strategy=args.distribution_strategy)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    STAGE.main(run)
