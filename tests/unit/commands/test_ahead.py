"""A model that was just fetched is imported while the environments of its targets are made."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from small_fleet import Fleet
from tiny_models import CONFIG as TINY
from tiny_models import huggingface_tensors, weights, write_safetensors, write_vocab

from bertbuild.buildfile.load import load_build_file
from bertbuild.commands import ahead, build, entry_jobs, target
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import (
    BuildFailedError,
    CheckpointError,
    DownloadError,
    InterpreterMissingError,
    StageError,
    UsageError,
)
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.kinds.tf2 import Tf2
from bertbuild.plans.plan import File, Plan, Source, Step
from bertbuild.plans.wanted import Wanted
from bertbuild.source import expected
from bertbuild.stages import STAGES

MODEL = "minilm-l6"
SOURCE = Source(model=MODEL, kind="checkpoint", file=File(path=Path(), digest=""), gelu="erf", max_positions=512)


class StopHereError(Exception):
    """Ends a command after what this file is about."""


@pytest.fixture
def session(monkeypatch, isolation, events, tmp_path):
    def stop(*_args, **_more):
        raise StopHereError

    plan = Plan(
        model=MODEL, steps=(Step(id="import", stage="import", inputs={"huggingface": File(path=tmp_path, digest="0")}),)
    )
    monkeypatch.setattr(Session, "isolation", isolation)
    monkeypatch.setattr(entry_jobs, "import_plan", lambda *_: plan)
    monkeypatch.setattr(entry_jobs, "located", lambda *_: tmp_path)
    monkeypatch.setattr(entry_jobs, "to_import", lambda *_: True)
    monkeypatch.setattr(ahead, "is_imported", lambda *_: False)
    monkeypatch.setattr(expected, "expected_source", lambda *_: SOURCE)
    monkeypatch.setattr(entry_jobs, "looked_before", stop)
    return Session(settings=Settings(artifacts=tmp_path / "artifacts", jobs=2), report=events)


def built(session):
    with pytest.raises(StopHereError):
        target.build(session, Wanted(model=MODEL), Ir())


def test_an_environment_is_made_while_the_model_is_imported(session, isolation):
    made = threading.Event()
    prepare = isolation.prepare

    def prepared(backend, on_line):
        prepare(backend, on_line)
        if backend == "openvino":
            made.set()

    def wait(_run):
        assert made.wait(60)
        raise StageError("It has waited.")

    isolation.prepare = prepared
    isolation.behaviour["import"] = wait
    with pytest.raises(StageError, match="It has waited"):
        target.build(session, Wanted(model=MODEL), Ir())


def test_each_environment_is_made_once(session, isolation):
    built(session)
    assert isolation.runs == ["import"]
    assert sorted(isolation.prepared) == sorted({STAGES["import"].backend, "hf-tf", "openvino"})


def test_a_model_that_was_imported_is_not_looked_at_ahead(session, monkeypatch, isolation):
    monkeypatch.setattr(ahead, "is_fetched", lambda *_: True)
    monkeypatch.setattr(ahead, "is_imported", lambda *_: True)
    built(session)
    assert isolation.prepared == [STAGES["import"].backend]


def test_a_checkpoint_needs_no_import(session, monkeypatch, isolation):
    monkeypatch.setattr(entry_jobs, "to_import", lambda *_: False)
    built(session)
    assert isolation.prepared == []


def test_a_model_that_cannot_be_had_is_the_error(session, monkeypatch):
    def fail(*_):
        raise DownloadError("No.", next_step="Yes.")

    monkeypatch.setattr(entry_jobs, "located", fail)
    with pytest.raises(DownloadError, match="No"):
        target.build(session, Wanted(model=MODEL), Ir())


def test_a_target_that_needs_tensorflow_1_is_refused_before_anything_is_fetched(session, monkeypatch, isolation):
    monkeypatch.setattr(entry_jobs, "located", lambda *_: pytest.fail("it is fetched"))
    isolation.lacking = ("tf1",)
    with pytest.raises(InterpreterMissingError, match=r"TensorFlow 1\.15"):
        target.build(session, Wanted(model=MODEL), NeuronReady(seq_len=4))


def test_a_command_s_model_is_located_by_the_thread_that_ctrl_c_ends(session, monkeypatch, tmp_path):
    threads = []

    def located(*_):
        threads.append(threading.current_thread())
        return tmp_path

    monkeypatch.setattr(entry_jobs, "located", located)
    built(session)
    assert threads == [threading.main_thread()]


@pytest.fixture
def folder(tmp_path):
    """A Hugging Face folder of a tiny BERT without a classifier."""
    made = tmp_path / "hf"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({**TINY, "model_type": "bert", "layer_norm_eps": 1e-12}))
    write_vocab(made)
    write_safetensors(made / "model.safetensors", huggingface_tensors(weights()))
    return made


@pytest.fixture
def of_folder(monkeypatch, isolation, events, tmp_path):
    """A session that knows nothing of what lies on the disk yet."""
    monkeypatch.setattr(Session, "isolation", isolation)
    return Session(settings=Settings(artifacts=tmp_path / "artifacts", jobs=2), report=events)


LONG = TINY["max_position_embeddings"] + 1
CANNOT = {
    "a length beyond the positions": (NeuronReady(seq_len=LONG), f"{LONG}"),
    "a head that is not there": (NeuronReady(output="probabilities"), "classifier"),
    "an export likewise": (SavedModel(output="probabilities"), "classifier"),
    "a frozen graph likewise": (Frozen(output="probabilities"), "classifier"),
    "an IR likewise": (Ir(output="probabilities"), "classifier"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_made_of_a_folder_is_refused_before_the_import(of_folder, isolation, folder, case):
    request, words = CANNOT[case]
    with pytest.raises(UsageError, match=words):
        target.build(of_folder, Wanted(checkpoint=str(folder)), request)
    assert (isolation.runs, isolation.prepared) == ([], [])


def test_a_target_that_needs_tensorflow_1_is_refused_before_the_import(of_folder, isolation, folder):
    isolation.lacking = ("tf1",)
    with pytest.raises(InterpreterMissingError, match=r"TensorFlow 1\.15"):
        target.build(of_folder, Wanted(checkpoint=str(folder)), NeuronReady(seq_len=4))
    assert (isolation.runs, isolation.prepared) == ([], [])


def test_a_folder_that_cannot_be_imported_is_refused_without_an_environment(of_folder, isolation, folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="cannot be read: it ends before"):
        target.build(of_folder, Wanted(checkpoint=str(folder)), Ir())
    with pytest.raises(CheckpointError, match="cannot be read: it ends before"):
        target.build(of_folder, Wanted(checkpoint=str(folder)), Tf2())
    assert (isolation.runs, isolation.prepared) == ([], [])


def test_a_folder_that_was_imported_before_is_not_looked_into_again(of_folder, isolation, folder, monkeypatch):
    of_folder.store.inputs.remember((folder / "model.safetensors").resolve(), "0")
    monkeypatch.setattr(expected, "expected_source", lambda *_: pytest.fail("it was imported"))
    isolation.behaviour["import"] = lambda _run: fail()
    with pytest.raises(DownloadError):
        target.build(of_folder, Wanted(checkpoint=str(folder)), Ir())


def fail():
    raise DownloadError("Here the import begins.")


@pytest.mark.parametrize("keep_going", [True, False])
def test_a_build_file_s_target_is_refused_before_the_import(of_folder, isolation, folder, keep_going):
    path = folder.parent / "bertbuild.toml"
    targets = '[targets.bad]\nkind = "ir"\noutput = ["probabilities"]\n'
    path.write_text(f'{targets}[models.hf]\nhuggingface = "hf"\n')
    with pytest.raises(BuildFailedError) as raised:
        build.build(of_folder, load_build_file(path), keep_going=keep_going)
    assert (isolation.runs, isolation.prepared) == ([], [])
    assert ["classifier" in str(failure) for failure in raised.value.failures] == [True]


def test_what_else_a_build_file_asks_of_that_folder_is_made_with_keep_going(of_folder, isolation, folder):
    path = folder.parent / "bertbuild.toml"
    targets = '[targets.bad]\nkind = "ir"\noutput = ["probabilities"]\n[targets.frozen]\nkind = "frozen"\n'
    path.write_text(f'{targets}[models.hf]\nhuggingface = "hf"\n')
    isolation.behaviour["import"] = lambda _run: fail()
    with pytest.raises(BuildFailedError) as raised:
        build.build(of_folder, load_build_file(path), keep_going=False)
    assert isolation.runs == []
    with pytest.raises(BuildFailedError, match="2 of 2 targets are not built") as raised:
        build.build(of_folder, load_build_file(path), keep_going=True)
    assert isolation.runs == ["import"]
    assert [type(failure) for failure in raised.value.failures] == [UsageError, DownloadError]


@pytest.fixture
def build_ir(tmp_path, isolation, monkeypatch):
    """Builds an IR of a checkpoint, where TensorFlow 1.15 is made, and gives what was expected meanwhile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    monkeypatch.setattr("bertbuild.files.digests.SETTLED_NS", -1)
    isolation.prepared.append("tf1")
    fleet = Fleet(tmp_path)

    def run():
        isolation.expected.clear()
        fleet.run(target.build, Wanted(checkpoint=str(tmp_path / "checkpoints" / "one")), Ir())
        return list(isolation.expected)

    return run


def test_what_the_first_stages_import_begins_while_a_checkpoint_is_read(build_ir):
    assert ("tf1", "tf1", "infer") in build_ir()


def test_nothing_begins_where_the_checkpoint_was_read_before(build_ir):
    build_ir()
    assert build_ir() == []


def test_nothing_begins_where_it_is_not_known_what_answers_for_the_model(build_ir, isolation):
    isolation.prepared.clear()
    assert build_ir() == []


def test_nothing_begins_where_a_remote_store_may_have_the_results(build_ir, tmp_path, monkeypatch):
    (tmp_path / "remote").mkdir()
    monkeypatch.setenv("BERTBUILD_REMOTE", f"file://{tmp_path / 'remote'}")
    assert build_ir() == []
