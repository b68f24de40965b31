"""Commands made of declared parameters: what is typed becomes the request, by the declaration alone."""

from __future__ import annotations

import pytest

from bertbuild.cli.call import call_of
from bertbuild.cli.tasks import TASKS
from bertbuild.commands import data, finetune, pretraining, train
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.pretraining_data import PretrainingRequest
from bertbuild.plans.tf2_train import TrainRequest
from bertbuild.plans.wanted import Wanted

RUNS = "isolation offline replace json"
SOURCE = f"model checkpoint name scope ema head config vocab from mirror {RUNS}"
FLAGS = {
    "evaluate": "model checkpoint name scope ema head config vocab from mirror isolation offline json reference task "
    "target prepared max-drop batch-size int8-for openvino predictions data vocab-reading squad-data-file null-odds "
    "version-2-with-negative text max-seq-length max-query-length doc-stride do-lower-case n-best-size "
    "max-answer-length null-score-diff-threshold tag-scheme pad-to-max",
    "finetune": f"{SOURCE} task data prepared vocab-reading squad output-dir do-lower-case max-seq-length "
    "train-batch-size eval-batch-size predict-batch-size learning-rate num-train-epochs warmup-proportion "
    "save-checkpoints-steps do-train do-eval do-predict doc-stride max-query-length n-best-size max-answer-length "
    "null-score-diff-threshold version-2-with-negative seed pad-to-max bucket-by-length "
    "text-column text-pair-column label-column label-separator labels regression multi-label dev-share",
    "train": f"{SOURCE} mode init-checkpoint hub-module-url model-dir model-export-path root task data max-seq-length "
    "prepared vocab-reading train-data-path eval-data-path input-meta-data-path predict-file train-batch-size "
    "eval-batch-size predict-batch-size learning-rate num-train-epochs steps-per-loop null-score-diff-threshold "
    "distribution-strategy num-gpus virtual-cpus workers tpu gelu seed save-checkpoints-steps "
    "pad-to-max bucket-by-length",
    "prepare-data": f"{RUNS} from mirror task data model checkpoint vocab-file config vocab-reading name "
    "max-seq-length do-lower-case mnli-type xnli-language version-2-with-negative doc-stride max-query-length "
    "fine-tuning-task-type train-data-output-path eval-data-output-path test-data-output-path meta-data-file-path "
    "text-column text-pair-column label-column label-separator labels regression multi-label dev-share",
    "prepare-pretraining-data": f"{RUNS} input-file output-file vocab-file vocab-reading name do-lower-case "
    "do-whole-word-mask max-ngram-size gzip-compress use-v2-feature-names max-seq-length max-predictions-per-seq masks "
    "random-seed dupe-factor masked-lm-prob short-seq-prob",
}
YES_OR_NO = {
    "evaluate": {"do-lower-case"},
    "finetune": {"do-train", "do-eval", "do-predict", "do-lower-case", "version-2-with-negative"},
    "train": set(),
    "prepare-data": {"do-lower-case", "version-2-with-negative"},
    "prepare-pretraining-data": {"do-lower-case", "do-whole-word-mask", "gzip-compress", "use-v2-feature-names"},
}
"""Flags whose value may be left out, which is then yes."""

OWN_SWITCHES = {
    "evaluate": {"version-2-with-negative", "pad-to-max"},
    "prepare-data": {"multi-label"},
    "train": {"pad-to-max", "bucket-by-length"},
    "finetune": {"pad-to-max", "bucket-by-length", "multi-label"},
}


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What a command line hands to its command."""
    found = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(tmp_path / "artifacts"))
    commands = (
        (finetune, "finetune"),
        (train, "train"),
        (data, "prepare_data"),
        (pretraining, "prepare_pretraining_data"),
    )

    def record(_session, *rest, **named):
        found.append((*rest, named) if named else rest)

    for module, name in commands:
        monkeypatch.setattr(module, name, record)

    def run(line):
        task, given = call_of(line.split(), TASKS)
        task.function(**given)
        return found.pop()

    return run


@pytest.mark.parametrize("name", FLAGS)
def test_a_command_has_the_flags_it_always_had(name):
    flags = {flag.name: flag for flag in TASKS[name].flags.values()}
    assert sorted(flags) == sorted(FLAGS[name].split())
    assert {flag.name for flag in flags.values() if flag.optional} == YES_OR_NO[name]
    assert {flag.name for flag in flags.values() if not flag.takes_value} == {
        "ema",
        *RUNS.split()[1:],
        *OWN_SWITCHES.get(name, ()),
    } & flags.keys()


def test_finetune(asked):
    assert asked("finetune --model m --task RTE") == (Wanted(model="m"), Named(task="RTE"), FinetuneRequest(), "")
    line = "finetune --checkpoint c --prepared p --do_train --learning_rate=3e-5 --seed 7 --do-lower-case=f"
    line += " --output-dir d"
    assert asked(line) == (
        Wanted(checkpoint="c"),
        Named(prepared="p", do_lower_case=False),
        FinetuneRequest(do_train=True, do_eval=False, do_predict=False, learning_rate=3e-5, seed=7),
        "d",
    )


def test_train(asked):
    line = "train --checkpoint c --task MRPC --config b.json --num_train_epochs 1 --distribution-strategy mirrored"
    assert asked(f"{line} --model-export-path m") == (
        Wanted(checkpoint="c", config="b.json"),
        train.Data(task="MRPC"),
        TrainRequest(num_train_epochs=1, distribution_strategy="mirrored"),
        {"model_export_path": "m"},
    )


def test_prepare_data(asked):
    line = "prepare-data --task mrpc --checkpoint c --max_seq_length=64 --do-lower-case=0 --train_data_output_path t"
    (request,) = asked(line)
    assert request == data.Asked(
        task="mrpc", checkpoint="c", max_seq_length=64, do_lower_case=False, train_data_output_path="t"
    )
    assert request.copies == {"train": "t", "eval": "", "test": "", "meta_data": ""}


def test_prepare_pretraining_data(asked):
    line = "prepare-pretraining-data --input-file t --vocab-file v --output-file a,b --do-lower-case=false"
    line += " --gzip-compress"
    request = PretrainingRequest(do_lower_case=False, gzip_compress=True, shards=2)
    assert asked(line) == ("t", "v", ("a", "b"), "", request)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("finetune --model m --task RTE --seed x", "--seed 'x' is not a whole number."),
        ("finetune --model m --task RTE --train-batch-size 0", "--train-batch-size must be at least 1 (got 0)."),
        ("finetune --model m --task RTE --learning-rate nan", "--learning-rate 'nan' is not a number."),
        ("finetune --model m --task RTE --do-eval=maybe", "--do-eval 'maybe' is neither true nor false."),
        (
            "train --mode trian",
            "--mode must be one of train_and_eval, train_and_predict, train, eval",
        ),
        ("prepare-pretraining-data --masked-lm-prob 2", "--masked-lm-prob must be a number from 0 to 1 (got 2.0)."),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_flag(asked, capsys, line, sentence):
    with pytest.raises(SystemExit, match="2"):
        asked(line)
    assert capsys.readouterr().err.startswith(f"error: {sentence}")
