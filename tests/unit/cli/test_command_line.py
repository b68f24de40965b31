"""What is typed wrong: exit code 2, what was probably meant, and a next step in the words of the program started."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

import bertbuild.development.tasks  # noqa: F401 - adds the commands of a checkout
from bertbuild import __version__
from bertbuild.cli.call import run as run_line
from bertbuild.cli.invoke_tasks import collection
from bertbuild.cli.line import read
from bertbuild.cli.program import BertbuildProgram
from bertbuild.cli.tasks import TASKS
from bertbuild.cli.upstream import upstream_flags
from bertbuild.errors import UsageError
from bertbuild.project import ROOT

MISTYPED = {
    "a command": ("buidl-ir", "There is no command 'buidl-ir'; did you mean \"build-ir\"?", "--list shows"),
    "a command with nothing near": ("xyzzy", "There is no command 'xyzzy'.", "--list shows all commands"),
    "a script of upstream's": (
        "./run_classifier.py --do_train",
        "; finetune (TensorFlow 1) or train (TensorFlow 2) does its work.",
        "finetune --do-train",
    ),
    "a stage": (
        "import --huggingface x",
        "a Hugging Face folder is named by --checkpoint",
        "build-ir --checkpoint FOLDER",
    ),
    "help": ("--hlep", 'There is no flag --hlep; did you mean "--help"?', "--help shows how to call it"),
    "version": ("--verison", 'There is no flag --verison; did you mean "--version"?', "--help shows how to call it"),
    "help of a command": ("build-ir --hlep", 'build-ir has no flag --hlep; did you mean "--help"?', "build-ir --help"),
    "json": ("status --jsn", 'status has no flag --jsn; did you mean "--json"?', "status --help"),
    "help on nothing": ("help buidl", "There is no command 'buidl'; did you mean \"build\"?", "--list"),
    "features": (
        "extract_features.py --layers=-1,-2 --init_checkpoint=m/bert_model.ckpt --bert_config_file m/bert_config.json",
        "freeze --output all-layers makes the graph that gives what it writes, and runs it on no text.",
        "freeze --output=all-layers --checkpoint=m/bert_model.ckpt --config=m/bert_config.json",
    ),
    "pre-training": (
        "python run_pretraining.py --input_file=/tmp/x.tfrecord --output_dir=/tmp/out --do_train=True",
        "'run_pretraining.py'; nothing here pre-trains, and prepare-pretraining-data makes its input",
        "inspect --checkpoint /tmp/out",
    ),
    "a whole line of upstream's": (
        "python3 official/nlp/bert/run_classifier.py --mode=train_and_eval --init_checkpoint=m/ckpt --task_name=MRPC",
        "finetune (TensorFlow 1) or train (TensorFlow 2) does its work",
        "train --mode=train_and_eval --init-checkpoint=m/ckpt --task=MRPC",
    ),
    "a module": (
        "python -m official.nlp.bert.run_classifier --mode=train_and_eval --init_checkpoint=m/ckpt",
        "'official.nlp.bert.run_classifier'; finetune (TensorFlow 1) or train (TensorFlow 2) does its work",
        "train --mode=train_and_eval --init-checkpoint=m/ckpt",
    ),
    "SQuAD's judge": (
        "python evaluate-v1.1.py dev.json pred.json",
        "'evaluate-v1.1.py'; evaluate does its work",
        "evaluate --squad-data-file=dev.json --predictions=pred.json",
    ),
    "SQuAD 2.0's judge": (
        "evaluate-v2.0.py dev.json pred.json --na-prob-file odds.json --out-file eval.json",
        "evaluate --version-2-with-negative does its work",
        "evaluate --version-2-with-negative --squad-data-file=dev.json --predictions=pred.json --null-odds=odds.json",
    ),
    "a hub module": (
        "python export_tfhub.py --bert_config_file=c.json --export_path=hub",
        "convert-tf2 --format hub makes such a module, of a checkpoint of TensorFlow 1.",
        "convert-tf2 --checkpoint FOLDER --format hub",
    ),
    "mo": (
        "mo --input_model graph.pb --output_dir irs --model_name mine",
        "There is no command 'mo'; build-ir does its work, and puts the IR into the store.",
        "build-ir --frozen=graph.pb --name=mine",
    ),
    "ovc": (
        "ovc graph.pb --output_model x.xml --compress_to_fp16=True",
        "There is no command 'ovc'; build-ir does its work",
        "build-ir --frozen=graph.pb --precision=fp16",
    ),
    "a module that is none of them": ("python -m pip install x", "There is no command 'python'.", "--list shows"),
    "no module": ("python -m", "There is no command 'python'.", "--list shows"),
    "another program": ("python setup.py", "There is no command 'python'.", "--list shows"),
    "a flag": ("build-ir --modle x", 'build-ir has no flag --modle; did you mean "--model"?', "build-ir --help"),
    "a flag of upstream's": ("finetune --initcheckpoint=x", 'did you mean "--init-checkpoint"?', "finetune --help"),
    "with underscores": (
        "finetune --num_train_epoch=2",
        'did you mean "--num-train-epochs"?',
        "finetune --help",
    ),
    "a flag with nothing near": ("doctor --quux", "doctor has no flag --quux.", "doctor --help"),
    "a flag before the command": ("--model x build-ir", "--model stands in front of any command", "first"),
    "a stray word": ("build-ir foo", "'foo' is neither a flag of build-ir nor the value of one.", "build-ir --help"),
    "a flag without dashes": ("build-ir model x", 'did you mean "--model"?', "Flags begin with two dashes"),
    "a path without its flag": ("build-ir .", "'.' is neither a flag", "--checkpoint ."),
    "no value at the end": ("build-ir --model", "--model needs a value, and nothing follows.", "--model VALUE"),
    "a flag for a value": ("build-ir --model --gelu erf", "--model needs a value, and --gelu follows.", "VALUE"),
    "an unknown flag": (
        "build-ir --model --chekpoint x",
        "--model needs a value, and --chekpoint",
        "VALUE",
    ),
    "twice": ("build-ir --model a --model b", "--model is given twice.", "Give it once"),
    "twice, as two": (
        "finetune --task A --task_name=B",
        "--task_name is given twice (--task is the same)",
        "",
    ),
    "a switch with a word": ("status --json=maybe", "--json 'maybe' is neither true nor false.", "--help"),
    "a list of what": ("--list buidl", "--list shows all commands, and 'buidl' follows.", "Leave it out"),
    "a list of one": ("--list=build", "--list shows all commands, and 'build' follows.", "--help build explains"),
    "a list of no form": ("--list --list-format=falt", 'did you mean "flat"?', "Leave it out"),
    "help on what is not there, at once": ("--help=buidl", "There is no command 'buidl'", "--list"),
    "help on what is not there": ("--help buidl", "There is no command 'buidl'", "--list"),
    "Invoke's dry run": ("build --dry", "--dry is a flag of Invoke's own", "Did you mean --dry-run?"),
    "Invoke's dry run where there is none": ("--dry inspect", "--dry is a flag of Invoke's own", "flag of build, gc"),
    "Invoke's dry run, short": ("gc -R", "-R is a flag of Invoke's own", "Did you mean --dry-run?"),
    "Invoke's echo": ("status --echo", "--echo is a flag of Invoke's own", "Leave it out"),
    "Invoke's pty": ("-p status", "-p is a flag of Invoke's own", "Leave it out"),
    "Invoke's warn-only": ("--warn-only test", "--warn-only is a flag of Invoke's own", "Leave it out"),
    "Invoke's configuration": ("--config x.yaml status", "--config is a flag of Invoke's own", "bertbuild.toml"),
    "Invoke's time-out": ("-T 5 status", "-T is a flag of Invoke's own", "neuron-compile has --timeout"),
    "a choice": ("build-ir --model m --precision FP16", "int4-weights (got 'FP16'); did you mean \"fp16\"?", ""),
    "a backend": ("images --backend openvio", 'There is no backend openvio; did you mean "openvino"?', ""),
    "a suite": ("test --suite intergration", 'did you mean "integration"?', ""),
}


@pytest.fixture
def typed(capsys, monkeypatch, tmp_path):
    """Runs what was typed in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words, by_invoke=False):
        monkeypatch.setattr(sys, "argv", ["bertbuild", *words])
        with pytest.raises(SystemExit) as ended:
            run_line(["bertbuild", *words], by_invoke=by_invoke)
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=out, err=err)

    return run


@pytest.fixture
def started(tmp_path):
    """Starts a program in the checkout."""

    def run(program, *words):
        environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        typed = [sys.executable, "-m", program, *words]
        return subprocess.run(typed, env=environ, capture_output=True, text=True, check=False, cwd=ROOT)

    return run


@pytest.mark.parametrize("name", MISTYPED)
def test_it_is_said_what_was_probably_meant(typed, name):
    line, sentence, step = MISTYPED[name]
    run = typed(*line.split())
    message, next_step = run.err.splitlines()
    assert (run.code, run.out) == (2, "")
    assert message.startswith("error: ")
    assert sentence in message
    assert next_step.startswith("  → ")
    assert step in next_step


@pytest.mark.parametrize("name", MISTYPED)
def test_programs_are_told_by_an_error_event(typed, name):
    run = typed(*MISTYPED[name][0].split(), "--json")
    (event,) = map(json.loads, run.out.splitlines())
    assert (run.code, run.err) == (2, "")
    assert (event["event"], event["error"], event["exit_code"]) == ("error", "UsageError", 2)
    assert event["message"].endswith((".", "?"))
    assert event["next_step"]


@pytest.mark.parametrize("line", ["buidl-ir", "build-ir --modle x", "report"])
def test_advice_is_in_the_words_of_the_program_that_was_started(typed, line):
    ours, invokes = typed(*line.split()), typed(*line.split(), by_invoke=True)
    assert "bertbuild " in ours.err
    assert "invoke" not in ours.err
    assert invokes.err == ours.err.replace("bertbuild ", "invoke ")


def test_help_is_in_those_words_too(started):
    shown = [started("bertbuild", "--help", "build-ir").stdout, started("invoke", "build-ir", "--help").stdout]
    ours, invokes = (" ".join(text.split()) for text in shown)
    assert "(bertbuild fetch --list shows all)" in ours
    assert "invoke" not in ours
    assert "(invoke fetch --list shows all)" in invokes


@pytest.mark.parametrize("line", ["why --help", "--help why", "why -h --json"])
def test_help_on_a_command_that_takes_names(typed, line):
    run = typed(*line.split())
    assert (run.code, run.err) == (0, "")
    assert "Say what would run for targets" in run.out


def test_what_upstreams_flags_are_here_is_there():
    for command in TASKS.values():
        for flag, meant in upstream_flags(command.name).items():
            assert {*filter(None, [meant.flag]), *meant.adds} <= {*command.flags}, flag


def test_help_names_upstreams_flags_and_those_without_effect_apart(typed):
    text = " ".join(typed("--help", "finetune").out.split())
    ours, without = text.split("flags of upstream's scripts that have no effect here:")
    assert "--init-checkpoint is --checkpoint" in ours.split("flags of upstream's scripts:")[1]
    assert "--iterations-per-loop" in without
    assert "--iterations-per-loop" not in ours


@pytest.mark.parametrize("line", ["", "help", "--help", "-h"])
def test_how_to_call_it_is_no_error(typed, line):
    run = typed(*line.split())
    assert (run.code, run.err) == (0, "")
    assert "bertbuild --help COMMAND" in run.out


@pytest.mark.parametrize("line", ["help build-ir", "build-ir --help", "--help build-ir", "help build_ir"])
def test_help_is_asked_for_in_every_usual_way(typed, line):
    run = typed(*line.split())
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("Usage: bertbuild build-ir [--flags]")


def test_the_version(typed):
    run = typed("--version")
    assert (run.code, run.out) == (0, f"bertbuild {__version__}\n")


def test_only_flags_that_do_something_are_in_the_help(typed):
    text = typed("--help").out
    assert "bertbuild --help COMMAND" in text
    assert "build-ir" in text
    assert "--dry" not in text
    assert "--echo" not in text


READ = {
    "build-ir --seq_len 8": "build-ir --seq-len=8",
    "build_ir --seq_len=8": "build-ir --seq-len=8",
    "finetune --do_train --task X": "finetune --do-train --task=X",
    "finetune --do_train false": "finetune --do-train=false",
    "finetune --null_score_diff_threshold -1.5": "finetune --null-score-diff-threshold=-1.5",
    "neuron-compile --compiler-args=--fast_math": "neuron-compile --compiler-args=--fast_math",
    "status --json=true": "status --json",
    "status --json=false": "status",
    "fetch --model a --model b": "fetch --model=a --model=b",
    "status doctor --json": "status doctor --json",
    "--list": "--list",
}


@pytest.mark.parametrize("line", READ)
def test_what_is_right_is_read_in_invokes_spelling(line):
    core = BertbuildProgram(collection()).initial_context.flags
    assert read(line.split(), core, TASKS) == READ[line].split()


def test_values_stay_as_they_are_typed():
    core = BertbuildProgram(collection()).initial_context.flags
    words = ["neuron-compile", "--compiler_args", "--fp32-cast all_of it", "--name", "a_b", "--checkpoint=c_d=e f"]
    assert read(words, core, TASKS) == [
        "neuron-compile",
        "--compiler-args=--fp32-cast all_of it",
        "--name=a_b",
        "--checkpoint=c_d=e f",
    ]
    for words in (["--compiler-args", "--fp32-cast=all --topdown"], ["--compiler_args", "--fast-math"]):
        assert read(["neuron-compile", *words], core, TASKS)[1:] == [f"--compiler-args={words[1]}"]
    with pytest.raises(UsageError, match="--compiler-args needs a value, and nothing follows"):
        read(["neuron-compile", "--compiler-args"], core, TASKS)
    assert read(["inspect", "--vocab_file=my words.txt"], core, TASKS) == [
        "inspect",
        "--vocab=my words.txt",
    ]


def test_invoke_hands_the_command_line_on(started):
    dry = started("invoke", "build", "--dry")
    assert (dry.returncode, dry.stdout) == (2, "")
    assert "invoke build --dry-run" in dry.stderr
    event = json.loads(started("invoke", "prepare_data", "--max_seq_lenght=8", "--json").stdout)
    assert event["message"] == 'prepare-data has no flag --max_seq_lenght; did you mean "--max-seq-length"?'
    assert event["next_step"] == "invoke prepare-data --help shows its flags."
    assert len(started("invoke", "schema", "--json").stdout.splitlines()) == 1  # a command that ends well is run once
