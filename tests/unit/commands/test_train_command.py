"""train, its stage played."""

from __future__ import annotations

import json

import numpy as np
import pytest
from host_doubles import Events, FakeIsolation
from small_fleet import write_tiny

from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.commands import train as command
from bertbuild.commands.session import Session
from bertbuild.commands.train import Data, train
from bertbuild.config import Settings
from bertbuild.engine.engine import Engine
from bertbuild.errors import CheckpointError, DataError, StageError, StageKilledForMemoryError, UsageError
from bertbuild.plans.tf2_train import TrainRequest
from bertbuild.plans.wanted import Wanted
from bertbuild.source.garden import recorded
from bertbuild.stages import STAGES
from bertbuild.store.store import Store

CONFIG = {"vocab_size": 20, "hidden_size": 8, "num_attention_heads": 2, "hidden_act": "gelu"}


@pytest.fixture
def session(tmp_path):
    store, report, isolation = Store(tmp_path / "artifacts"), Events(), FakeIsolation()
    session = Session(settings=Settings(artifacts=tmp_path / "artifacts"), report=report)
    vars(session).update(store=store, isolation=isolation, engine=Engine(store, isolation, report))
    return session


@pytest.fixture
def encoder(tmp_path):
    """A folder like one of convert-tf2 in out/."""
    folder = tmp_path / "artifacts" / "out" / "bert" / "tf2-encoder"
    folder.mkdir(parents=True)
    (folder / "bert_config.json").write_text(json.dumps(CONFIG))
    (folder / "mapping.json").write_text(json.dumps({"gelu": "erf"}))
    write_checkpoint(folder / "bert_model.ckpt", {"save_counter": np.zeros(1, np.int64)})
    return folder


def test_a_damaged_checkpoint_is_refused_before_anything_runs(session, encoder, prepared):
    data = encoder / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(b"\xff" * 8)
    with pytest.raises(CheckpointError, match=r"cannot be used: bert_model\.ckpt\.data\S+ is damaged"):
        train(session, Wanted(init_checkpoint=str(encoder)), Data(prepared=prepared), TrainRequest())
    data.unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        train(session, Wanted(init_checkpoint=str(encoder)), Data(prepared=prepared), TrainRequest())


def test_of_several_checkpoints_the_one_that_is_taken_is_named_to_the_stage(session, encoder, prepared):
    (encoder / "bert_model.ckpt.index").rename(encoder / "model.ckpt-5.index")
    (encoder / "bert_model.ckpt.data-00000-of-00001").rename(encoder / "model.ckpt-5.data-00000-of-00001")
    write_checkpoint(encoder / "model.ckpt-10", {"save_counter": np.zeros(1, np.int64)})
    seen = []
    session.isolation.behaviour["tf2-train"] = lambda run: (
        seen.append(run.params.get("prefix")),
        [(run.work / "out" / name).write_text("{}") for name in ("task.json", "stage.json")],
    )
    for path in (encoder, encoder / "model.ckpt-5"):
        train(session, Wanted(init_checkpoint=str(path)), Data(prepared=prepared), TrainRequest())
    assert seen == ["model.ckpt-10", "model.ckpt-5"]
    assert "model.ckpt-10, of the highest step, is taken" in session.report.of("note")[0]["text"]


@pytest.mark.parametrize(("error", "learnt"), [(1.1, True), (1.2, False)])
def test_what_was_learnt_is_told_against_the_mean_score(session, encoder, prepared, error, learnt):
    baseline = {"metric": "eval_mean_squared_error", "value": 1.2, "of": "the mean score"}
    facts = {"eval": {"eval_mean_squared_error": error}, "baseline": baseline}
    session.isolation.behaviour["tf2-train"] = lambda run: (
        (run.work / "out" / "task.json").write_text("{}"),
        (run.work / "out" / "stage.json").write_text(json.dumps({"facts": facts})),
    )
    trained = train(session, Wanted(init_checkpoint=str(encoder)), Data(prepared=prepared), TrainRequest())
    assert trained.learnt is not None
    assert trained.learnt.learnt is learnt
    warned = [event["text"] for event in session.report.of("warning")]
    assert [text.startswith("It has learnt nothing of STS-B: ") for text in warned] == [True] * (not learnt)
    said = "learnt" if learnt else "learnt nothing"
    line = f"{said}: eval_mean_squared_error is {error:.4f}; of the mean score alone it is 1.2000"
    assert trained.learnt.line == line


def test_several_checkpoints_that_nothing_tells_apart_are_refused_with_a_prefix_to_name(session, encoder, prepared):
    write_checkpoint(encoder / "other", {"save_counter": np.zeros(1, np.int64)})
    with pytest.raises(CheckpointError, match=r"holds 2 checkpoints: bert_model\.ckpt, other") as raised:
        train(session, Wanted(init_checkpoint=str(encoder)), Data(prepared=prepared), TrainRequest())
    assert f"Name one by its prefix, for example {encoder / 'bert_model.ckpt'}." == raised.value.next_step
    assert session.isolation.runs == []


def test_a_task_that_is_mistyped_is_refused_before_anything_is_fetched(session, monkeypatch):
    monkeypatch.setattr(command, "find", lambda *_: pytest.fail("it is fetched"))
    with pytest.raises(UsageError, match="--task must be one of"):
        train(session, Wanted(model="minilm-l6"), Data(task="MRCP"), TrainRequest())


@pytest.fixture
def prepared(tmp_path):
    folder = tmp_path / "prepared"
    folder.mkdir()
    (folder / "prepared.json").write_text(json.dumps({"task": "STS-B"}))
    (folder / "meta_data.json").write_text("{}")
    return str(folder)


def test_a_checkpoint_is_given_by_its_folder_or_its_prefix_and_names_the_result(session, encoder, prepared):
    seen = []

    def played(run):
        seen.append((dict(run.params), run.workers))
        (run.work / "out" / "task.json").write_text("{}")
        (run.work / "out" / "stage.json").write_text("{}")

    session.isolation.behaviour["tf2-train"] = played
    request = TrainRequest(distribution_strategy="multi_worker_mirrored", workers=2)
    for path in (encoder, encoder / "bert_model.ckpt"):
        train(session, Wanted(init_checkpoint=str(path)), Data(prepared=prepared), request)
    assert [params.get("prefix") for params, _workers in seen] == [None, "bert_model.ckpt"]
    assert {(params["gelu"], workers) for params, workers in seen} == {("erf", 2)}
    assert session.report.of("result")[-1]["target"] == "tf2-trained-sts-b"
    assert (session.store.root / "out" / "bert" / "tf2-trained-sts-b" / "task.json").exists()


@pytest.fixture
def played(session):
    """Stages that write what they must; gives their runs."""
    seen = []

    def converted(run):
        for name in (*STAGES["convert-tf2"].outputs, "stage.json"):
            (run.work / "out" / name).write_text("{}")

    def trained(run):
        seen.append(run)
        (run.work / "out" / "task.json").write_text("{}")
        (run.work / "out" / "stage.json").write_text("{}")
        (run.work / "out" / "bert_config.json").write_text(json.dumps(CONFIG))
        (run.work / "out" / ("saved_model.pb" if run.params["mode"] == "export_only" else "ckpt")).write_text("x")

    session.isolation.behaviour |= {"convert-tf2": converted, "tf2-train": trained}
    return seen


def test_the_result_goes_to_model_dir_beside_what_it_begins_with(session, encoder, prepared, played, tmp_path):
    begin = Wanted(init_checkpoint=str(encoder), model_dir=str(tmp_path / "out"))
    train(session, begin, Data(prepared=prepared), TrainRequest())
    assert (tmp_path / "out" / "task.json").exists()
    assert session.report.of("result")[-1]["path"] == str(tmp_path / "out")
    assert "init-checkpoint" in played[0].inputs


def test_the_model_in_model_dir_predicts_whatever_is_said_of_where_it_began(session, encoder, prepared, played):
    begin = Wanted(init_checkpoint="/nowhere", model_dir=str(encoder))
    train(session, begin, Data(prepared=prepared), TrainRequest(mode="predict"))
    assert "model-dir" in played[0].inputs
    assert "--init-checkpoint is not used" in session.report.of("note")[-1]["text"]


def test_a_saved_model_is_exported_after_training(session, encoder, prepared, played, tmp_path):
    begin = Wanted(init_checkpoint=str(encoder))
    train(session, begin, Data(prepared=prepared), TrainRequest(), model_export_path=str(tmp_path / "exported"))
    assert [run.params["mode"] for run in played] == ["train_and_eval", "export_only"]
    assert (tmp_path / "exported" / "saved_model.pb").exists()
    assert session.report.of("result")[-1]["target"] == "tf2-trained-sts-b"


def test_what_exports_nothing_has_no_place_for_it(session, encoder, prepared, played, tmp_path):
    with pytest.raises(UsageError, match="--mode predict exports nothing"):
        train(
            session,
            Wanted(model_dir=str(encoder)),
            Data(prepared=prepared),
            TrainRequest(mode="predict"),
            model_export_path=str(tmp_path / "exported"),
        )
    assert played == []


@pytest.mark.usefixtures("played")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_tensorflow_1_checkpoint_is_converted_first(session, prepared, tmp_path, elsewhere):
    folder = tmp_path / "google"
    write_tiny(folder)
    (tmp_path / "own").mkdir()
    files = {"config": "bert_config.json", "vocab": "vocab.txt"} if elsewhere else {}
    for name in files.values():
        (folder / name).rename(tmp_path / "own" / name)
    begin = Wanted(
        init_checkpoint=str(folder / "bert_model.ckpt"),
        model_dir=str(tmp_path / "out"),
        **{flag: str(tmp_path / "own" / name) for flag, name in files.items()},
    )
    train(session, begin, Data(prepared=prepared), TrainRequest())
    assert session.isolation.runs == ["convert-tf2", "tf2-train"]
    assert (tmp_path / "out" / "task.json").exists()


@pytest.mark.parametrize(
    ("begin", "wanted", "data", "said"),
    [
        ({}, {}, {}, "Name one model to begin with"),
        ({"init_checkpoint": "E", "hub_module_url": "E"}, {}, {}, "2 models are named"),
        ({"init_checkpoint": "E"}, {"model": "minilm-l6"}, {}, "2 models are named"),
        ({"hub_module_url": "https://tfhub.dev/x/1"}, {}, {}, "modules are not downloaded"),
        ({"init_checkpoint": "E", "vocab": "/nowhere"}, {}, {}, "/nowhere is not a file"),
        ({"init_checkpoint": "E"}, {"name": "a b"}, {}, "cannot be a folder's name"),
        ({"init_checkpoint": "E"}, {}, {"prepared": ""}, "Name the data once"),
        ({"init_checkpoint": "E"}, {}, {"input_meta_data_path": "E/mapping.json"}, "Name the data once"),
        ({"init_checkpoint": "E"}, {}, {"predict_file": "/nowhere"}, "--predict_file /nowhere is not a file"),
        ({"init_checkpoint": "E"}, {}, {"prepared": "E"}, r"prepared\.json cannot be read"),
        ({"init_checkpoint": "E"}, {}, {"task": "MRPC"}, "The data are named"),
        ({"init_checkpoint": "E"}, {}, {"task": "MRPQ", "prepared": ""}, "must be one of AX"),
        ({"model_dir": "E"}, {}, {}, "--mode train_and_eval begins with"),
    ],
)
def test_what_is_named_wrongly_is_told(session, encoder, prepared, begin, wanted, data, said):
    def real(flags):
        return {
            name: value.replace("E", str(encoder), 1) if value[:1] == "E" else value for name, value in flags.items()
        }

    with pytest.raises((UsageError, DataError), match=said) as raised:
        train(
            session,
            Wanted(**real(begin), **wanted),
            Data(**{"prepared": prepared, **real(data)}),
            TrainRequest(),
        )
    assert raised.value.next_step


def test_meta_data_nested_without_end_are_refused(session, encoder, tmp_path):
    meta, records = tmp_path / "meta.json", tmp_path / "train.tf_record"
    meta.write_text("[" * 200_000)
    records.touch()
    data = Data(input_meta_data_path=str(meta), train_data_path=str(records), eval_data_path=str(records))
    with pytest.raises(UsageError, match=r"meta\.json cannot be read as the Model Garden's meta data"):
        train(session, Wanted(init_checkpoint=str(encoder)), data, TrainRequest())


def test_a_signature_nested_without_end_tells_nothing(tmp_path):
    (tmp_path / "signature.json").write_text("[" * 200_000)
    assert recorded(tmp_path, "signature.json", "gelu") == ""


def test_a_folder_without_a_config_is_no_model(session, tmp_path, prepared):
    with pytest.raises(CheckpointError, match=r"bert_config\.json"):
        train(session, Wanted(init_checkpoint=str(tmp_path)), Data(prepared=prepared), TrainRequest())


@pytest.mark.parametrize(
    "error",
    [
        StageKilledForMemoryError("The stage train was killed."),
        StageError("The stage train failed with exit code -6.", details="what():  std::bad_alloc"),
        StageError("The stage tf2-train stopped: memory ran out with batches of 48; take smaller ones."),
    ],
)
def test_memory_that_ran_out_is_told_with_the_batch_that_was_tried(session, encoder, prepared, error):
    def played(_run):
        raise error

    session.isolation.behaviour["tf2-train"] = played
    with pytest.raises(StageKilledForMemoryError, match="a batch of 48") as raised:
        train(
            session,
            Wanted(init_checkpoint=str(encoder)),
            Data(prepared=prepared),
            TrainRequest(train_batch_size=48),
        )
    assert "--train_batch_size 24" in raised.value.next_step
