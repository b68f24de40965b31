"""What cannot be made ready for Neuron is refused in a sentence; what answers otherwise gets no name."""

from __future__ import annotations

import shutil

import pytest
from backends import run as run_script
from damage import flip_a_byte
from matrix import cells

pytestmark = pytest.mark.integration

FLAGS = {
    "a length beyond the position table": (("--seq-len", 161), "position table of 160"),
    "a length below zero": (("--seq-len", -4), "must be at least 0"),
    "an unknown type": (("--compute", "int8"), "float16, float32"),
    "an unknown gelu": (("--gelu-approximation", "foo"), "exact, tanh, sigmoid"),
    "an unknown output": (("--output", "labels"), "pooled, sequence, all-layers, logits, probabilities"),
    "no batch": (("--batch-size", 0), "must be at least 1"),
    "two sources": (("--saved-model", "somewhere"), "one source"),
    "a name that is not a folder's": (("--name", "../outside"), "--name"),
}
OF_A_SAVED_MODEL = {
    "another length than its own": (("--seq-len", 64), "exported for 128"),
    "a length beyond its position table": (("--seq-len", 161), "position table of 160"),
    "an output that it does not give": (("--output", "sequence"), "sequence cannot be compared with it"),
    "one of two outputs that it does not give": (("--output", "probabilities,pooled"), "pooled cannot be compared"),
}


def check_usage_error(outcome, word):
    assert outcome.code == 2
    assert outcome.last["error"] == "UsageError"
    assert word in outcome.last["message"]
    assert outcome.last["next_step"]
    assert outcome.ids("started") == []


@pytest.mark.parametrize("case", FLAGS)
def test_flags_that_cannot_be_meant_are_refused_before_any_stage(bertbuild, tiny, tiny_exported, case):
    assert tiny_exported.code == 0
    flags, word = FLAGS[case]
    check_usage_error(bertbuild("neuron-ready", "--checkpoint", tiny, *flags), word)


@pytest.mark.parametrize("case", OF_A_SAVED_MODEL)
def test_flags_that_contradict_the_saved_model_are_refused_before_any_stage(bertbuild, tiny_exported, case):
    flags, word = OF_A_SAVED_MODEL[case]
    folder = tiny_exported.last["targets"][0]["path"]
    check_usage_error(bertbuild("neuron-ready", "--saved-model", folder, *flags), word)


def test_probabilities_without_a_head_are_refused(bertbuild, bare, bare_exported):
    exported = bare_exported.last["targets"][0]["path"]
    for flag, source, word in (
        ("--checkpoint", bare, "output_weights"),
        ("--saved-model", exported, "gives pooled, sequence, so probabilities cannot be compared"),
    ):
        error = bertbuild.refused("neuron-ready", flag, source, "--output", "probabilities", code=2)
        assert word in error["message"]


def test_no_source_is_refused(bertbuild):
    assert "source" in bertbuild.refused("neuron-ready", code=2)["message"]


@pytest.fixture(scope="module")
def strange(session_folder, bertbuild):
    """SavedModels that no BERT can be read from; see scripts/make_saved_models.py."""
    assert bertbuild.artifacts.is_dir()
    folder = session_folder / "strange"
    folder.mkdir()
    run_script("tf1", "make_saved_models", out=folder)
    return folder


@pytest.fixture
def copied(tiny_exported, tmp_path):
    """A copy of the exported SavedModel that may be spoilt."""
    folder = tmp_path / "spoilt"
    shutil.copytree(tiny_exported.last["targets"][0]["path"], folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def check_no_saved_model(bertbuild, folder, word):
    outcome = bertbuild("neuron-ready", "--saved-model", folder)
    assert outcome.code == 4, outcome.last
    assert word in outcome.last["message"]
    assert outcome.last["next_step"]
    assert outcome.of("stage") == []


@pytest.mark.parametrize(
    ("name", "word"), [("functions", "TensorFlow 2"), ("regression", "No sum of word and token-type embeddings")]
)
def test_a_saved_model_that_holds_no_bert_of_tensorflow_1_is_refused_before_any_stage(bertbuild, strange, name, word):
    check_no_saved_model(bertbuild, strange / name, word)


def test_a_model_that_is_ready_already_is_no_source(bertbuild, tiny_ready_half):
    check_no_saved_model(bertbuild, tiny_ready_half.last["targets"][0]["path"], "position embeddings")


def test_a_folder_without_a_saved_model_is_refused(bertbuild, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        check_no_saved_model(bertbuild, tmp_path / name, "it has no saved_model.pb")


@pytest.mark.parametrize("kept", [0, 1, 1000, 60_000])
def test_a_saved_model_that_is_cut_off_is_refused(bertbuild, copied, kept):
    path = copied / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:kept])
    check_no_saved_model(bertbuild, copied, "saved_model.pb is empty" if kept == 0 else "not a whole SavedModel")


def test_bytes_that_are_no_saved_model_are_refused(bertbuild, copied):
    (copied / "saved_model.pb").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    check_no_saved_model(bertbuild, copied, "saved_model.pb")


DATA = "variables/variables.data-00000-of-00001"
INDEX = "variables/variables.index"
SPOILT = {
    "no variables at all": lambda folder: shutil.rmtree(folder / "variables"),
    "no data": lambda folder: (folder / DATA).unlink(),
    "no index": lambda folder: (folder / INDEX).unlink(),
    "data cut off": lambda folder: (folder / DATA).write_bytes((folder / DATA).read_bytes()[:3000]),
    "index cut off": lambda folder: (folder / INDEX).write_bytes((folder / INDEX).read_bytes()[:200]),
    "a bit flipped": lambda folder: flip_a_byte(folder / DATA),
}
SPOILT = cells(SPOILT, "no data", "a bit flipped")


@pytest.mark.parametrize("case", SPOILT)
def test_variables_that_are_missing_or_damaged_are_told_in_a_sentence(bertbuild, copied, case):
    SPOILT[case](copied)
    error = bertbuild.refused("neuron-ready", "--saved-model", copied, "--name", "spoilt", code=13)
    assert "The stage neuron-ready stopped: the SavedModel's variables cannot be read" in error["message"]
    assert "Traceback" not in error["details"]
    assert not (bertbuild.artifacts / "out" / "spoilt").exists()


SABOTAGE = '''
_open_source = open_source


def open_source(args):
    """The model, its pooler's bias changed, and what is wanted of it."""
    source, wanted = _open_source(args)
    tensor = source.tensor
    source.tensor = lambda name: tensor(name) + (CHANGE if name == "bert/pooler/dense/bias" else 0)
    return source, wanted
'''


@pytest.mark.parametrize(
    ("dtype", "change", "limit"), [pytest.param("float32", 1e-2, 1e-5, marks=pytest.mark.whole), ("float16", 1.0, 1e-2)]
)
def test_a_model_that_answers_otherwise_gets_no_name(bertbuild, altered, tiny, tiny_exported, dtype, change, limit):
    assert tiny_exported.code == 0
    build = ("neuron-ready", "--checkpoint", tiny, "--name", f"gated-{dtype}", "--compute", dtype)
    target = f"neuron-ready-{dtype}"
    good = bertbuild.ok(*build)
    link = bertbuild.out(f"gated-{dtype}", target)
    assert link.is_symlink()

    sabotaged = altered("tf1", "neuron_ready", f"CHANGE = {change}\n{SABOTAGE}")
    bad = sabotaged(*build)
    assert bad.code == 20, bad.last
    assert bad.last["error"] == "ParityError"
    assert f"{target} of gated-{dtype} does not answer like its source" in bad.last["message"]
    assert not link.is_symlink(), "the name of an earlier, good result is taken away"
    verdict = bertbuild.record(f"gated-{dtype}", target)["verdict"]
    assert verdict["passed"] is False
    assert {row["limit"] for row in verdict["rows"] if " " not in row["probe"]} == {limit}
    states = {found["model"]: found["state"] for found in bertbuild.ok("status").last["targets"]}
    assert states[f"gated-{dtype}"] == "failed"

    again = bertbuild.ok(*build)
    assert again.ids("started") == []
    assert again.last == good.last
    assert link.is_symlink()


EXPORT_SABOTAGE = '''
from stages import _source

_restore = _source.Source.restore


def _sabotaged(self, session):
    """Restore the checkpoint and change the pooler's bias."""
    import tensorflow as tf

    _restore(self, session)
    bias = next(one for one in tf.compat.v1.global_variables() if one.op.name == "bert/pooler/dense/bias")
    bias.load(session.run(bias) + 1e-2, session)


_source.Source.restore = _sabotaged
'''


def test_an_export_that_answers_otherwise_gets_no_name(bertbuild, altered, tiny, tiny_exported):
    assert tiny_exported.code == 0
    outcome = altered("tf1", "export", EXPORT_SABOTAGE)("export", "--checkpoint", tiny, "--name", "gated-export")
    assert outcome.code == 20, outcome.last
    assert "saved-model of gated-export does not answer like its source" in outcome.last["message"]
    assert not bertbuild.out("gated-export", "saved-model").is_symlink()
