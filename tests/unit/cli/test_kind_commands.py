"""The commands that make targets, from the table of kinds: the flags they had when each was written by hand."""

from __future__ import annotations

import pytest

from bertbuild.cli.call import call_of
from bertbuild.cli.tasks import TASKS
from bertbuild.commands import target
from bertbuild.kinds import KINDS
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron import Neuron
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.kinds.tf2 import Tf2
from bertbuild.kinds.tf2_savedmodel import Tf2SavedModel
from bertbuild.plans.wanted import Wanted

SOURCE = "model checkpoint config vocab name scope ema head labels from mirror isolation offline replace json"
NEURON = f"{SOURCE} saved-model seq-len output compute gelu-approximation batch-size"
INT8 = "calibration calibration-text calibration-size vocab-reading max-drop validation int8-for"
FLAGS = {
    "freeze": f"{SOURCE} reference output gelu",
    "build-ir": f"{SOURCE} reference frozen outputs precision output gelu route converter openvino text "
    f"special-tokens-in-text guard batch-size seq-len {INT8} group-size",
    "convert-onnx": f"{SOURCE} reference precision output gelu opset ir-version guard batch-size seq-len {INT8}",
    "export": f"{SOURCE} reference seq-len output",
    "neuron-ready": NEURON,
    "neuron-compile": f"{NEURON} output-dir standard neuroncore-pipeline-cores compiler-args timeout min-on-neuron "
    "min-memory",
    "convert-tf2": f"{SOURCE} reference format gelu checkpoint-to-path",
    "convert-hf": f"{SOURCE} reference gelu do-lower-case vocab-reading",
    "convert-tf1": "tf2 root config vocab head name isolation offline replace json reference gelu checkpoint-to-path",
}
SWITCHES = {"ema", "offline", "replace", "json", "standard", "text", "special-tokens-in-text", "guard"}


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What a command line asks for: source, request, and where the result is copied to."""
    found = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setattr(
        target, "build", lambda _session, wanted, request, copy_to: found.append((wanted, request, copy_to))
    )

    def run(*words):
        task, given = call_of(words, TASKS)
        task.function(**given)
        return found.pop()

    return run


def test_there_is_a_command_for_each_kind():
    assert set(FLAGS) == {kind.command.name for kind in KINDS.values()}


@pytest.mark.parametrize("name", FLAGS)
def test_a_command_has_the_flags_it_always_had(name):
    flags = {flag.name: flag for flag in TASKS[name].flags.values()}
    assert sorted(flags) == sorted(FLAGS[name].split())
    assert {flag.name for flag in flags.values() if not flag.takes_value} == SWITCHES & flags.keys()


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("build-ir --model m", Ir()),
        (
            "build-ir --model m --precision fp16,fp32 --batch-size 2 --seq_len=64",
            Ir(precision="fp16,fp32", batch_size=2, seq_len=64),
        ),
        (
            "build-ir --model m --precision int8 --calibration-text t --calibration-size 7",
            Ir(precision="int8", calibration_text="t", calibration_size=7),
        ),
        ("export --model m --output pooled,sequence", SavedModel(output="pooled,sequence")),
        ("neuron-compile --model m --standard --timeout 5", Neuron(standard=True, timeout=5)),
        ("convert-tf2 --model m", Tf2()),
        ("convert-tf2 --model m --format keras-bert --gelu erf", Tf2(format="keras-bert", gelu="erf")),
        ("convert-tf2 --model m --format savedmodel --gelu tanh", Tf2SavedModel(gelu="tanh")),
        ("convert-tf2 --model m --format hub", Hub()),
    ],
)
def test_what_is_typed_is_the_request(asked, line, request_):
    assert asked(*line.split()) == (Wanted(model="m"), request_, "")


def test_the_source_and_where_it_is_copied_to_are_typed_likewise(asked):
    words = "neuron-compile --saved-model s --name n --output-dir d --checkpoint c --scope module/bert --ema"
    wanted, request, copied = asked(*words.split())
    assert wanted == Wanted(saved_model="s", name="n", checkpoint="c", scope="module/bert", ema=True)
    assert (request, copied) == (Neuron(), "d")
    assert asked(*["convert-tf2", "--model", "m", "--checkpoint_to_path", "p"])[2] == "p"


def test_the_formats_of_other_kinds_are_told_with_the_rest(asked, capsys):
    with pytest.raises(SystemExit, match="2"):
        asked("convert-tf2", "--model", "m", "--format", "hubb")
    told = capsys.readouterr().err
    known = "encoder, keras-bert, keras-names, pretrainer, savedmodel, hub"
    assert f"--format must be one of {known} (got 'hubb'); did you mean \"hub\"?" in told
