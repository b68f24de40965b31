"""finetune as a command, with a stage that is only played."""

from __future__ import annotations

import json

import numpy as np
import pytest
import small_fleet

from bertbuild.buildfile.load import load_build_file
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.cli.declared import read_flags
from bertbuild.cli.flags import number, truth
from bertbuild.cli.tasks.finetune import MODES, with_modes
from bertbuild.cli.tasks.finetune import finetune as task
from bertbuild.commands import build, entry_jobs
from bertbuild.commands import data as data_command
from bertbuild.commands.finetune import finetune
from bertbuild.commands.learnt import what_was_learnt
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import (
    BuildFailedError,
    CheckpointError,
    DataError,
    InterpreterMissingError,
    StageError,
    StageKilledForMemoryError,
    UnknownModelError,
    UsageError,
)
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.wanted import Wanted
from bertbuild.source import fetched
from bertbuild.stages import STAGES

TINY = {**small_fleet.TINY, "hidden_act": "relu"}
EVAL = {"eval_accuracy": 0.875, "eval_loss": 0.3, "loss": 0.25, "global_step": 344.0}


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    shapes = encoder_variables(config_from(TINY, name="tiny"))
    write_checkpoint(folder / "bert_model.ckpt", {name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    (folder / "bert_config.json").write_text(json.dumps(TINY))
    (folder / "vocab.txt").write_text("".join(f"w{i}\n" for i in range(20)))
    return folder


def give_head(checkpoint):
    """The checkpoint gets a classifier's head."""
    shapes = encoder_variables(config_from(TINY, name="tiny"))
    shapes |= {"output_weights": (2, TINY["hidden_size"]), "output_bias": (2,)}
    write_checkpoint(
        checkpoint / "bert_model.ckpt", {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    )


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "prepared.json").write_text(json.dumps({"task": "MRPC", "max_seq_length": 128, "do_lower_case": True}))
    (folder / "train.tf_record").write_bytes(b"records")
    return folder


@pytest.fixture
def facts():
    """What the stage tells of its run."""
    return {"eval": EVAL}


@pytest.fixture
def train(root, isolation, events, checkpoint, data, facts):
    """Runs the command; gives its events. Its stage does what `behaviour` says."""

    def behaviour(run):
        for name in STAGES["finetune"].outputs:
            (run.work / "out" / name).write_text("x")
        (run.work / "out" / "test_results.tsv").write_text(str(run.params.get("do_predict")))
        (run.work / "out" / "stage.json").write_text(json.dumps({"facts": facts}))

    isolation.behaviour["finetune"] = behaviour

    def run(*, task="", prepared=None, squad="", lower_case=None, output_dir="", **flags):
        session = Session(settings=Settings(artifacts=root), report=events)
        session.__dict__["isolation"] = isolation
        wanted = Wanted(checkpoint=str(checkpoint))
        folder = str(data) if prepared is None else prepared
        named = Named(task=task, data=str(data) if task else "", prepared=folder, squad=squad, do_lower_case=lower_case)
        finetune(session, wanted, named, FinetuneRequest(**flags), output_dir)
        return events

    return run


def test_the_result_has_the_tasks_name_and_its_figures_are_shown(train, root, data):
    result = train()[-1]
    link = root / "out" / "tiny" / "finetuned-mrpc"
    assert link.is_symlink()
    assert result["path"] == str(link)
    assert result["eval"] == EVAL
    assert result["lines"][0] == "eval_accuracy = 0.8750"
    assert result["lines"][-2:] == [
        f"next: invoke evaluate --checkpoint {link} --name tiny-mrpc --prepared {data}",
        f"next: invoke build-ir --checkpoint {link} --name tiny-mrpc   (or export, neuron-compile)",
    ]


def test_own_data_are_prepared_as_they_are_told_and_evaluated_as_they_were_prepared(
    root, isolation, events, checkpoint, train, tmp_path
):
    assert callable(train)  # its stage is played
    (tmp_path / "reviews.csv").write_text("review,stars\nx,1\n")
    asked = []

    def prepare(run):
        asked.append(run.params)
        for name in ("stage.json", *STAGES["prepare-data"].outputs):
            (run.work / "out" / name).write_text("x")

    isolation.behaviour["prepare-data"] = prepare
    session = Session(settings=Settings(artifacts=root), report=events)
    session.__dict__["isolation"] = isolation
    named = Named(task="own", data=str(tmp_path / "reviews.csv"), text_column="review", label_column="stars")
    finetune(session, Wanted(checkpoint=str(checkpoint)), named, FinetuneRequest(max_seq_length=12))
    told = {name: asked[0][name] for name in ("task", "own-name", "text-column", "label-column")}
    assert told == {"task": "own", "own-name": "own-reviews", "text-column": "review", "label-column": "stars"}
    link, prepared = (root / "out" / "tiny" / name for name in ("finetuned-own-reviews", "data-own-reviews-12"))
    assert events[-1]["path"] == str(link)
    assert (
        events[-1]["lines"][-2]
        == f"next: invoke evaluate --checkpoint {link} --name tiny-own-reviews --prepared {prepared}"
    )


def test_answers_to_questions_are_evaluated_on_these(train, tmp_path):
    asked = squad_file(tmp_path / "dev.json", "x")
    lines = train(squad=str(asked))[-1]["lines"]
    assert lines[-2].endswith(f" --squad-data-file {asked}")


MAJORITY = {"metric": "eval_accuracy", "value": 0.6838, "of": "the majority class"}


@pytest.mark.parametrize("accuracy", [0.6838, 0.68380001, 0.5, 0.7])
def test_what_was_learnt_is_told_against_the_majority_class(train, facts, accuracy):
    facts.update(eval={**EVAL, "eval_accuracy": accuracy}, baseline=MAJORITY)
    events = train()
    learnt = accuracy == 0.7
    assert events[-1]["learnt"] == {
        "metric": "eval_accuracy",
        "value": accuracy,
        "baseline": 0.6838,
        "of": "the majority class",
        "learnt": learnt,
    }
    words = f"eval_accuracy is {accuracy:.4f}; of the majority class alone it is 0.6838"
    assert ("learnt: " if learnt else "learnt nothing: ") + words in events[-1]["lines"]
    told = [f"It has learnt nothing of MRPC: {words}. Try a lower learning rate, or more steps."]
    assert [event["text"] for event in events.of("warning")] == ([] if learnt else told)


@pytest.mark.parametrize(("error", "learnt"), [(1.1, True), (1.2, False)])
def test_a_score_is_learnt_where_its_error_is_below_the_mean_scores(train, facts, error, learnt):
    told = {"eval_mean_squared_error": error}
    facts.update(eval=told, baseline={"metric": "eval_mean_squared_error", "value": 1.2, "of": "the mean score"})
    assert train()[-1]["learnt"]["learnt"] is learnt


def squad_file(path, *answers):
    asked = [
        {"id": number, "question": "?", "answers": [{"text": one, "answer_start": 0}] if one else []}
        for number, one in enumerate(answers)
    ]
    path.write_text(json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "a b", "qas": asked}]}]}))
    return path


@pytest.mark.parametrize(
    ("answers", "given", "negatives", "told"),
    [
        (("x", "y"), ("y", "x"), False, (0.0, 0.0, False)),
        (("x", "y"), ("x", "x"), False, (0.5, 0.0, True)),
        (("x", ""), ("", ""), True, (0.5, 0.5, False)),
        (("x", ""), ("x", ""), True, (1.0, 0.5, True)),
        (("x", ""), ("x", ""), False, None),
    ],
)
def test_answers_of_squad_are_told_against_no_answer(tmp_path, answers, given, negatives, told):
    asked = squad_file(tmp_path / "dev.json", *answers)
    (tmp_path / "predictions.json").write_text(json.dumps(dict(enumerate(given))))
    learnt = what_was_learnt(tmp_path, {"version_2_with_negative": negatives}, asked)
    assert (learnt and (learnt.value, learnt.baseline, learnt.learnt)) == told


def test_questions_that_nobody_can_judge_end_no_training(tmp_path):
    (tmp_path / "predictions.json").write_text("{}")
    (tmp_path / "dev.json").write_text("{}")
    assert what_was_learnt(tmp_path, {}, tmp_path / "dev.json") is None


def test_evaluating_with_a_head_of_another_kind_is_refused(train, checkpoint, data):
    give_head(checkpoint)
    (checkpoint / "task.json").write_text(json.dumps({"task": "MRPC", "head": "classifier", "labels": ["0", "1"]}))
    told = json.loads((data / "prepared.json").read_text())
    (data / "prepared.json").write_text(json.dumps({**told, "head": "multi-label"}))
    with pytest.raises(CheckpointError, match=r"a head of the kind classifier, and MRPC needs multi-label\."):
        train(do_train=False, do_eval=True)


def test_other_data_are_another_run_and_the_same_are_none(train, data, isolation):
    train()
    train()
    assert isolation.runs == ["finetune"]
    (data / "train.tf_record").write_bytes(b"others!")
    train()
    (data / "meta_data.json").write_text("no file that the stage reads")
    train()
    assert isolation.runs == ["finetune", "finetune"]


@pytest.mark.parametrize(
    "error",
    [
        StageKilledForMemoryError("The stage finetune was killed."),
        StageError("The stage finetune failed with exit code -6.", details="what(): std::bad_alloc"),
        StageError("The stage finetune stopped: memory ran out with batches of 48 sequences of 128; try half: …."),
    ],
)
def test_out_of_memory_says_what_was_tried_and_what_to_try(train, isolation, checkpoint, error):
    def behaviour(_run):
        raise error

    isolation.behaviour["finetune"] = behaviour
    with pytest.raises(StageKilledForMemoryError) as raised:
        train(train_batch_size=48)
    assert "a batch of 48 sequences of 128 tokens" in str(raised.value)
    assert "--train-batch-size 24" in raised.value.next_step
    assert raised.value.exit_code == 14
    assert raised.value.details == error.details
    give_head(checkpoint)
    with pytest.raises(StageKilledForMemoryError, match="a batch of 8 sequences") as raised:
        train(do_train=False)
    assert "--eval-batch-size 4" in raised.value.next_step


def test_the_result_is_copied_where_upstream_would_have_written_it(train, tmp_path):
    result = train(output_dir=str(tmp_path / "out"))[-1]
    assert result["path"] == str(tmp_path / "out")
    assert "test_results.tsv" in {path.name for path in (tmp_path / "out").iterdir()}
    assert result["lines"][-1].startswith(f"next: invoke build-ir --checkpoint {tmp_path / 'out'} ")


def test_predictions_are_made_with_the_checkpoint_in_the_output_folder(train, isolation, checkpoint, tmp_path):
    """As the second call of AWS's tune_save.sh, which names the published checkpoint once more."""
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    for path in checkpoint.iterdir():
        (tuned / path.name).write_bytes(path.read_bytes())
    give_head(tuned)

    def behaviour(run):
        for name in STAGES["finetune"].outputs:
            own = tuned / name
            (run.work / "out" / name).write_bytes(own.read_bytes() if own.exists() else b"x")
        (run.work / "out" / "stage.json").write_text(json.dumps({"facts": {}}))

    isolation.behaviour["finetune"] = behaviour
    events = train(do_train=False, do_eval=False, do_predict=True, output_dir=str(tuned))
    assert events[-1]["model"] == "tuned"
    assert f"the checkpoint in --output-dir {tuned} is taken" in "".join(events.texts("note"))


def test_without_a_head_there_is_nothing_to_predict_with(train, isolation):
    with pytest.raises(CheckpointError, match="tiny has no head to evaluate or predict MRPC with") as raised:
        train(do_train=False, do_eval=True)
    assert "invoke freeze" in raised.value.next_step
    assert isolation.runs == []


def test_another_failure_stays_what_it_was(train, isolation):
    def behaviour(_run):
        raise StageError("no", details="ValueError")

    isolation.behaviour["finetune"] = behaviour
    with pytest.raises(StageError, match=r"^no$") as raised:
        train()
    assert not isinstance(raised.value, StageKilledForMemoryError)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"prepared": ""}, "Name what to train on"),
        ({"output_dir": __file__}, "is a file"),
        ({"task": "MRPC"}, "Name what to train on"),
        ({"task": "XNLI", "prepared": ""}, "trains XNLI on Chinese, the Model Garden on English"),
        ({"lower_case": False}, "--do-lower-case false is not how"),
        ({"prepared": "nowhere"}, r"nowhere/prepared\.json cannot be read: No such file"),
        ({"squad": "nowhere.json"}, r"--squad nowhere\.json is not a file"),
    ],
)
def test_what_is_not_there_is_told_before_anything_runs(train, isolation, flags, sentence):
    with pytest.raises((UsageError, DataError), match=sentence) as raised:
        train(**flags)
    assert raised.value.next_step
    assert isolation.runs == []


@pytest.mark.parametrize(
    ("task", "model", "error"),
    [
        ("MRPC", "minilm-l6", InterpreterMissingError),
        ("MRCP", "minilm-l6", UsageError),
        ("MRPC", "minilm-l", UnknownModelError),
    ],
)
def test_it_is_refused_before_data_or_model_are_fetched(root, isolation, events, monkeypatch, task, model, error):
    for place, name in ((fetched, "fetch_dataset"), (data_command, "checkpoint_folder"), (entry_jobs, "located")):
        monkeypatch.setattr(place, name, lambda *_: pytest.fail("it is fetched"))
    isolation.lacking = ("tf1",)
    session = Session(settings=Settings(artifacts=root), report=events)
    session.__dict__["isolation"] = isolation
    with pytest.raises(error) as raised:
        finetune(session, Wanted(model=model), Named(task=task), FinetuneRequest())
    if error is InterpreterMissingError:
        assert str(raised.value).startswith("finetune runs Google's run_classifier")
        assert "invoke train" in raised.value.next_step
    assert isolation.runs == []


def test_so_is_a_recipe_of_a_build_file(root, isolation, events, monkeypatch, checkpoint, tmp_path):
    monkeypatch.setattr(fetched, "fetch_dataset", lambda *_: pytest.fail("it is fetched"))
    isolation.lacking = ("tf1",)
    session = Session(settings=Settings(artifacts=root), report=events)
    session.__dict__["isolation"] = isolation
    file = tmp_path / "bertbuild.toml"
    file.write_text(
        f'[targets.graph]\nkind = "frozen"\n\n[models.base]\ncheckpoint = "{checkpoint}"\ntargets = []\n\n'
        '[models.tuned.finetune]\nfrom = "base"\ntask = "MRPC"\n'
    )
    with pytest.raises(BuildFailedError) as raised:
        build.build(session, load_build_file(file), keep_going=False)
    (failure,) = raised.value.failures
    assert isinstance(failure, InterpreterMissingError)
    assert str(failure).startswith("finetune runs Google's")


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_spoilt_prepared_json_is_told(train, data, content):
    (data / "prepared.json").write_text(content)
    with pytest.raises(DataError, match=r"prepared\.json"):
        train()


@pytest.mark.parametrize(("text", "value"), [("", None), ("true", True), ("False", False), ("0", False), ("T", True)])
def test_yes_and_no_are_read_as_absl_reads_them(text, value):
    assert truth("do_train", text) is value


@pytest.mark.parametrize("text", ["x", "nan", "inf", ""])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UsageError, match="is not a number"):
        number("learning_rate", text)


def test_what_is_neither_yes_nor_no_is_refused():
    with pytest.raises(UsageError, match="'maybe' is neither true nor false"):
        truth("do_train", "maybe")


def test_a_task_is_prepared_first_with_the_models_vocabulary(train, isolation, data, root):
    (data / "train.tsv").write_text("x")
    seen = {}

    def behaviour(run):
        seen.update(run.inputs, **run.params)
        for name in (*STAGES["prepare-data"].outputs, "stage.json"):
            (run.work / "out" / name).write_text("x")

    isolation.behaviour["prepare-data"] = behaviour
    train(task="MRPC", prepared="", max_seq_length=12)
    assert isolation.runs == ["prepare-data", "finetune"]
    assert seen["vocab"].name == "vocab.txt"
    assert (seen["task"], seen["max-seq-length"]) == ("MRPC", "12")
    assert {path.name for path in (root / "out" / "tiny").iterdir()} == {"data-MRPC-12", "finetuned-mrpc"}


def test_a_recipe_of_a_build_file_is_the_same_training(train, isolation, events, checkpoint, data, root, tmp_path):
    (data / "train.tsv").write_text("x")

    def behaviour(run):
        for name in (*STAGES["prepare-data"].outputs, "stage.json"):
            (run.work / "out" / name).write_text("x")

    isolation.behaviour["prepare-data"] = behaviour
    train(task="MRPC", prepared="", max_seq_length=12, train_batch_size=2)
    file = tmp_path / "bertbuild.toml"
    file.write_text(
        f'[targets.graph]\nkind = "frozen"\n\n[models.base]\ncheckpoint = "{checkpoint}"\ntargets = []\n\n'
        f'[models.tuned.finetune]\nfrom = "base"\ntask = "MRPC"\ndata = "{data}"\nmax_seq_length = 12\n'
        "train_batch_size = 2\n"
    )
    session = Session(settings=Settings(artifacts=root), report=events)
    session.__dict__["isolation"] = isolation
    with pytest.raises(BuildFailedError) as raised:
        build.build(session, load_build_file(file), keep_going=False)
    assert isinstance(raised.value.failures[0], CheckpointError)  # the played training wrote none
    assert isolation.runs == ["prepare-data", "finetune"]


def test_squad_answers_the_dev_set_that_lies_beside_the_training_set(train, isolation, data):
    (data / "train-v1.1.json").write_text("{}")
    (data / "dev-v1.1.json").write_text("{}")
    given = []
    trains = isolation.behaviour["finetune"]

    def behaviour(run):
        given.append(run.inputs["squad"].name)
        trains(run)

    isolation.behaviour["finetune"] = behaviour
    train(task="SQUAD-1.1", prepared="", max_seq_length=12)
    assert given == ["dev-v1.1.json"]


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        ((None, None, None), (None, None, None)),
        (("true", "true", None), (True, True, False)),
        ((True, None, None), (True, False, False)),
        ((None, None, "true"), (False, False, True)),
        (("false", None, None), (False, None, None)),
        ((None, "false", None), (None, False, None)),
        (("False", None, "True"), (False, False, True)),
    ],
)
def test_one_mode_that_is_asked_for_leaves_the_others_out_as_upstream(flags, asked):
    typed = dict(zip(MODES, flags, strict=True))
    values = with_modes(read_flags({one.name: one for one in task.parameters.values()}, typed))
    assert tuple(values.get(name) for name in MODES) == asked
