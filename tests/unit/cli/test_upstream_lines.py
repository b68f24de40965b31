"""The command lines of upstream's own pages, typed as they stand there, ask for what they ask for there."""

from __future__ import annotations

import json
import shlex
import string
import sys

import pytest
from upstream_lines import LINES, PLACES

from bertbuild.cli.call import run as run_line
from bertbuild.commands import data, datasets, evaluate_files, finetune, pretraining, target, train

COMMANDS = {
    "finetune": (finetune, "finetune"),
    "train": (train, "train"),
    "prepare-data": (data, "prepare_data"),
    "prepare-pretraining-data": (pretraining, "prepare_pretraining_data"),
    "fetch-data": (datasets, "fetch_data"),
    "build-ir": (target, "build"),
    "neuron-compile": (target, "build"),
    "convert-tf2": (target, "build"),
    "evaluate": (evaluate_files, "predictions"),
}
BASE = PLACES["BERT_BASE_DIR"]
OWN = {"checkpoint": f"{BASE}/bert_model.ckpt", "config": f"{BASE}/bert_config.json", "vocab": f"{BASE}/vocab.txt"}
MRPC = {**OWN, "task": "MRPC", "data": "glue/MRPC", "max_seq_length": 128}
TUNED = {"train_batch_size": 32, "learning_rate": 2e-5, "num_train_epochs": 3.0}
SQUAD = {
    **OWN,
    "task": "",
    "data": "squad/train-v1.1.json",
    "squad": "squad/dev-v1.1.json",
    "do_train": True,
    "do_eval": False,
    "do_predict": True,
    "learning_rate": 3e-5,
    "max_seq_length": 384,
    "doc_stride": 128,
}
GARDEN = {
    "config": "keras_bert/uncased_L-24_H-1024_A-16/bert_config.json",
    "init_checkpoint": "keras_bert/uncased_L-24_H-1024_A-16/bert_model.ckpt",
    "model_dir": "my_output_dir",
}
RECORDS = {"input_meta_data_path": "glue/MRPC_meta_data", "eval_data_path": "glue/MRPC_eval.tf_record"}
GARDEN_SQUAD = {
    **GARDEN,
    "mode": "train_and_eval",
    "vocab": "keras_bert/uncased_L-24_H-1024_A-16/vocab.txt",
    "input_meta_data_path": "squad/squad_v1.1_meta_data",
    "train_data_path": "squad/squad_v1.1_train.tf_record",
    "predict_file": "squad/dev-v1.1.json",
    "learning_rate": 8e-5,
}
MASKED = {"do_lower_case": True, "masked_lm_prob": 0.15, "random_seed": 12345, "dupe_factor": 5}
TPU = {"distribution_strategy": "tpu", "tpu": "grpc://10.0.0.1:8470"}

ASKED = {
    "run_classifier.py": {
        **MRPC,
        **TUNED,
        "do_train": True,
        "do_eval": True,
        "do_predict": False,
        "output_dir": "work/mrpc_output/",
    },
    "run_classifier.py, predicting": {
        **MRPC,
        "checkpoint": "mrpc_output/model.ckpt-343",
        "do_train": False,
        "do_eval": False,
        "do_predict": True,
        "output_dir": "work/mrpc_output/",
    },
    "run_classifier.py of XNLI": {**OWN, "task": "XNLI", "data": "xnli", "num_train_epochs": 2.0},
    "run_squad.py": {**SQUAD, "train_batch_size": 12, "output_dir": "work/squad_base/"},
    "run_squad.py of SQuAD 2.0": {
        **SQUAD,
        "data": "squad/train-v2.0.json",
        "squad": "squad/dev-v2.0.json",
        "version_2_with_negative": True,
    },
    "run_squad.py with a threshold": {
        **SQUAD,
        "data": "squad/train-v2.0.json",
        "squad": "squad/dev-v2.0.json",
        "do_train": False,
        "null_score_diff_threshold": -1.25,
    },
    "create_pretraining_data.py": {**MASKED, "max_seq_length": 128, "max_predictions_per_seq": 20},
    "download_glue_data.py": {"": [("MRPC",)]},
    "download_glue_data.py of several": {"": [("MRPC", "RTE")]},
    "run_classifier.py, to freeze": {
        **MRPC,
        "data": "repo/glue_data/MRPC",
        "max_seq_length": None,
        "do_train": False,
        "do_eval": True,
        "output_dir": "./",
    },
    "mo of the .meta": {"checkpoint": f"{BASE}/bert_model.ckpt", "route": "static", "output": "pooled"},
    "mo of the frozen graph": {"frozen": "inference_graph.pb", "batch_size": 0, "seq_len": 0},
    "mo of a name": {"frozen": "graph.pb", "name": "mine"},
    "mo of a checkpoint": {"checkpoint": f"{BASE}/bert_model.ckpt"},
    "official create_pretraining_data.py": {**MASKED, "max_seq_length": 512, "max_predictions_per_seq": 76},
    "create_finetuning_data.py": {
        "task": "MRPC",
        "fine_tuning_task_type": "classification",
        "data": "glue/MRPC/",
        "vocab_file": "keras_bert/uncased_L-24_H-1024_A-16/vocab.txt",
        "train_data_output_path": "out/MRPC_train.tf_record",
        "eval_data_output_path": "out/MRPC_eval.tf_record",
        "test_data_output_path": "",
        "meta_data_file_path": "out/MRPC_meta_data",
    },
    "create_finetuning_data.py of SQuAD": {
        "task": "",
        "fine_tuning_task_type": "squad",
        "data": "squad/train-v1.1.json",
    },
    "official run_classifier.py": {
        **GARDEN,
        **RECORDS,
        "mode": "train_and_eval",
        "train_data_path": "glue/MRPC_train.tf_record",
        "train_batch_size": 4,
        "eval_batch_size": 4,
        "steps_per_loop": 1,
        "learning_rate": 2e-5,
        "distribution_strategy": "mirrored",
    },
    "official run_classifier.py, its README of 2021": {**GARDEN, **RECORDS, "model_export_path": "work/exported"},
    "official run_classifier.py, predicting": {**GARDEN, **RECORDS, "mode": "predict", "init_checkpoint": ""},
    "official run_classifier.py on a TPU": {**GARDEN, **RECORDS, **TPU, "steps_per_loop": 1000},
    "official run_squad.py": {**GARDEN_SQUAD, "predict_batch_size": 4, "distribution_strategy": "mirrored"},
    "official run_squad.py on a TPU": {**GARDEN_SQUAD, **TPU},
    "tf1_to_keras_checkpoint_converter.py": {
        "checkpoint": f"{BASE}/bert_model.ckpt",
        "format": "encoder",
        "copy_to": "work/tf2_model/bert_model.ckpt",
    },
    "tf2_encoder_checkpoint_converter.py": {
        "checkpoint": f"{BASE}/bert_model.ckpt",
        "config": f"{BASE}/bert_config.json",
        "format": "pretrainer",
        "copy_to": "work/tf2_model/bert_model.ckpt",
    },
    "tune_save.sh": {**MRPC, **TUNED, "do_predict": True, "output_dir": "./bert-saved-model"},
    "tune_save.sh, again": {**MRPC, "do_train": False, "do_predict": True, "output_dir": "./bert-saved-model"},
    "bert_model.py": {
        "saved_model": "work/saved",
        "copy_to": "./bert-saved-model-neuron",
        "batch_size": 6,
        "seq_len": 128,
        "gelu_approximation": "sigmoid",
    },
}
REFUSED = {
    "mo of a SavedModel": ("--saved_model_dir=exported: An IR is made of a checkpoint or", "--checkpoint FOLDER"),
    "mo of a folder": ("--output_dir=irs: An IR goes into the store", "Leave it out"),
    "mo of a shape": ("--input_shape=[1,128]: --batch-size and --seq-len fix", "--batch-size 1 --seq-len 128"),
    "evaluate-v2.0.py to a file": ("--out-file=eval.json: Figures are printed.", "--json prints them"),
    "evaluate-v2.0.py with a curve": ("--out-image-dir=images: No curve is drawn.", "Leave it out"),
    "ovc of a file": ("--output_model=x.xml: An IR goes into the store", "Leave it out"),
    "run_squad.py on a TPU": ("--output_dir gs://some_bucket/squad_large/ lies on another machine", "gsutil cp"),
    "official run_classifier.py of a module": ("--hub_module_url https://tfhub.dev", "Download and unpack it first"),
    "official run_classifier.py in a bucket": ("--init_checkpoint gs://cloud-tpu-checkpoints", "gsutil cp -r"),
    "bert_model.py, aggressive": (
        "--aggressive_optimizations: Layer norms in float16 lose",
        "--gelu-approximation sigmoid",
    ),
}


@pytest.fixture
def typed(monkeypatch, capsys, tmp_path):
    """Types one of the lines; gives what the command was asked for (by field, "": what has none), or its error."""
    monkeypatch.chdir(tmp_path)

    def run(name, *, by_invoke):
        command, line = LINES[name]
        words = [command, *shlex.split(string.Template(line).substitute(PLACES))]
        asked = {"": []}

        def record(_session, *values, **named):
            asked.update(named)
            for value in values:
                record_value(value)

        def record_value(value):
            if hasattr(value, "__dataclass_fields__"):
                for field in value.__dataclass_fields__:
                    inner = getattr(value, field)
                    if hasattr(inner, "__dataclass_fields__"):
                        record_value(inner)
                    elif inner or field not in asked:
                        asked[field] = inner
            elif isinstance(value, str) and command == "finetune":
                asked["output_dir"] = value
            else:
                asked[""].append(value)

        module, function = COMMANDS[command]
        monkeypatch.setattr(module, function, record)
        monkeypatch.setattr(sys, "argv", ["program", *words, "--json"])
        try:
            run_line(["program", *words, "--json"], by_invoke=by_invoke)
        except SystemExit as ended:
            return ended.code, json.loads(capsys.readouterr().out)
        return 0, asked

    return run


def test_every_line_is_held():
    assert {*ASKED, *REFUSED} == LINES.keys()


@pytest.mark.parametrize("by_invoke", [False, True], ids=["bertbuild", "invoke"])
@pytest.mark.parametrize("name", ASKED)
def test_the_line_asks_for_what_it_asks_for_upstream(typed, name, by_invoke):
    code, asked = typed(name, by_invoke=by_invoke)
    assert code == 0, asked
    wanted = ASKED[name]
    assert {key: asked.get(key) for key in wanted} == wanted


@pytest.mark.parametrize("by_invoke", [False, True], ids=["bertbuild", "invoke"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_for_its_own_reason(typed, name, by_invoke):
    code, error = typed(name, by_invoke=by_invoke)
    assert code == error["exit_code"] == 2
    sentence, step = REFUSED[name]
    assert error["message"].startswith(sentence)
    assert step in error["next_step"]


OF_A_TPU = ("--use_tpu", "--use_tpu=true", "--tpu_name=mine", "--tpu_zone=a", "--gcp_project=p", "--master=grpc://x")


@pytest.mark.parametrize("flag", OF_A_TPU)
def test_a_tpu_is_refused_where_there_is_none(typed, monkeypatch, flag):
    monkeypatch.setitem(LINES, "tpu", ("finetune", f"--task_name=MRPC {flag}"))
    code, error = typed("tpu", by_invoke=False)
    assert (code, error["error"]) == (2, "UsageError")
    assert "no TPU" in error["message"]


HARMLESS = ("--use_tpu=False", "--num_tpu_cores=8", "--iterations_per_loop 1000", "--tpu_name=", "--verbose_logging")


@pytest.mark.parametrize("flag", HARMLESS)
def test_what_only_matters_on_a_tpu_changes_nothing(typed, monkeypatch, flag):
    monkeypatch.setitem(LINES, "tpu", ("finetune", f"--task_name=MRPC {flag}"))
    assert typed("tpu", by_invoke=False)[1]["task"] == "MRPC"


NOT_OF_TRAIN = {
    "--do_lower_case=False": ("told by the prepared data", "prepare-data has --do-lower-case"),
    "--do_lower_case": ("told by the prepared data", "--prepared"),
    "--explicit_allreduce": ("The optimizer adds up", "Leave it out"),
    "--sub_model_export_name=x": ("is not saved beside", "Leave it out"),
    "--gin_file=x.gin": ("Settings are flags", "give its settings as flags"),
    "--gin_param=a.b=1": ("Settings are flags", "give its settings as flags"),
}


@pytest.mark.parametrize("flag", NOT_OF_TRAIN)
def test_what_train_cannot_do_is_refused_for_its_own_reason(typed, monkeypatch, flag):
    monkeypatch.setitem(LINES, "train", ("train", f"--task_name=MRPC {flag}"))
    code, error = typed("train", by_invoke=False)
    sentence, step = NOT_OF_TRAIN[flag]
    assert (code, error["error"]) == (2, "UsageError")
    assert error["message"].startswith(f"{flag}: ")
    assert sentence in error["message"]
    assert step in error["next_step"]


IDLE_IN_TRAIN = (
    "--loss_scale=dynamic",
    "--fp16_implementation=keras",
    "--explicit_allreduce=False",
    "--allreduce_bytes_per_pack=0",
    "--all_reduce_alg nccl",
    "--tf_gpu_thread_mode=gpu_private",
    "--sub_model_export_name=",
)


@pytest.mark.parametrize("flag", IDLE_IN_TRAIN)
def test_what_train_computes_anyway_changes_nothing(typed, monkeypatch, flag):
    monkeypatch.setitem(LINES, "train", ("train", f"--task_name=MRPC {flag}"))
    assert typed("train", by_invoke=False)[1]["task"] == "MRPC"
