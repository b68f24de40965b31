"""evaluate over stages that are only played: the gate, what is kept, and what is refused before anything runs."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from host_doubles import Events

from bertbuild.commands import data as data_command
from bertbuild.commands import evaluate
from bertbuild.commands.entry_jobs import asked_alone, planned
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.errors import (
    AccuracyError,
    DataError,
    InterpreterMissingError,
    StageError,
    StageKilledForMemoryError,
    UsageError,
)
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.kinds.evaluated_data import Data
from bertbuild.kinds.evaluation import EvaluateRequest
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.wanted import Wanted
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.prepared import fine_tuned

LABELS = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1], np.int32)
RIGHT = np.eye(2, dtype=np.float32)[LABELS] * 0.5 + 0.25
WANTED = Wanted(checkpoint="toy")
LATENCY = {"batch": {"rows": 4, "median_seconds": 0.008, "p95_seconds": 0.012}}
LATENCY["alone"] = {"rows": 1, "median_seconds": 0.004, "p95_seconds": 0.005}


@pytest.fixture
def session(root, tmp_path, monkeypatch, isolation, source):
    """A session whose model is `source`, with a head of two classes, and whose stages are played."""
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(root))
    monkeypatch.setattr(Session, "isolation", isolation)
    head = Inspected(
        source=replace(source, heads=(classifier_of(2),)), vocab_size=9, type_vocab_size=2, max_positions=512
    )
    monkeypatch.setattr(evaluate, "find", lambda *_: head)
    return Session(settings=load_settings({}, folder=tmp_path), report=Events())


@pytest.fixture
def play(isolation):
    """Sets what each target answers by the stage's inputs: "checkpoint", "frozen", "ir" → probabilities [N, C]."""
    given = {"checkpoint": RIGHT, "frozen": RIGHT, "ir": RIGHT}

    def infer(run):
        (asked,) = given.keys() & run.inputs.keys()
        np.savez(run.work / "out" / "answers.npz", probabilities=given[asked])
        (run.work / "out" / "stage.json").write_text(json.dumps({"facts": {"latency": LATENCY}}))

    def examples(run):
        np.savez(run.work / "out" / "features.npz", label_ids=LABELS)
        (run.work / "out" / "stage.json").write_text("{}")

    isolation.behaviour |= {"examples": examples, "tf1-infer": infer, "openvino-infer": infer}
    return given


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (EvaluateRequest(targets=("ir-fp32",)), [("openvino", "openvino", "ir-direct")]),
        (EvaluateRequest(targets=("ir-fp16",), openvino="2024.6"), [("openvino@2024.6", "openvino", "ir-direct")]),
        (EvaluateRequest(targets=("frozen",)), []),
    ],
)
def test_what_the_longest_chain_begins_with_is_imported_while_the_model_is_read(
    session, isolation, prepared, monkeypatch, request_, expected
):
    def find(*_):
        assert isolation.expected == expected
        raise UsageError("no model", next_step="none")

    monkeypatch.setattr(evaluate, "find", find)
    with pytest.raises(UsageError, match="no model"):
        evaluate.measure(session, WANTED, Data(prepared=str(prepared())), request_, "0.01")


@pytest.fixture
def prepared(tmp_path):
    """A prepared folder; keyword arguments change prepared.json."""

    def write(**changes):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        facts = {"task": "MRPC", "task_type": "classification", "labels": ["0", "1"], "max_seq_length": 128, **changes}
        (folder / "prepared.json").write_text(json.dumps(facts))
        (folder / "eval.tf_record").write_text("records")
        return folder

    return write


@pytest.fixture
def run(session, play, prepared):
    """Evaluates some targets; gives the result event."""
    assert play

    def targets(*names, data=None, max_drop="0.01"):
        request = EvaluateRequest(targets=names or ("frozen", "ir-fp32"))
        evaluate.targets(session, WANTED, data or Data(prepared=str(prepared())), request, max_drop)
        return session.report[-1]

    return targets


@pytest.mark.parametrize(
    ("task", "said", "targets", "error", "words"),
    [
        ("MRCP", "", ("tf2",), UsageError, "--task must be one of"),
        ("MRPC", "1.15", ("tf2",), InterpreterMissingError, "toy is to be judged by TensorFlow 1.15; "),
        ("MRPC", "", ("neuron-ready",), InterpreterMissingError, "A model for Neuron is proved in TensorFlow 1.15, "),
        ("MRPC", "2.20", ("neuron-ready",), UsageError, "neuron-ready runs in TensorFlow 1.15 alone"),
    ],
)
def test_it_is_refused_before_data_or_model_are_fetched(
    session, monkeypatch, isolation, task, said, targets, error, words
):
    isolation.lacking = ("tf1",)
    monkeypatch.setattr(evaluate, "find", lambda *_: pytest.fail("it is fetched"))
    session = replace(session, reference=said)
    with pytest.raises(error) as raised:
        evaluate.targets(session, WANTED, Data(task=task), EvaluateRequest(targets=targets), "0.01")
    assert str(raised.value).startswith(words)


def wrong(count):
    """`RIGHT` with so many answers turned round."""
    return np.concatenate([RIGHT[:count, ::-1], RIGHT[count:]])


def test_the_table_has_each_target_once(run, session):
    found = run()
    (table,) = session.report.of("table")
    assert table["rows"] == [
        ["tf1", "1.0000", "1.0000", "100.00%", "0.0e+00", "2.00", "4.00", "–", "ok"],
        ["frozen", "1.0000", "1.0000", "100.00%", "0.0e+00", "2.00", "4.00", "0.0000", "ok"],
        ["ir-fp32", "1.0000", "1.0000", "100.00%", "0.0e+00", "2.00", "4.00", "0.0000", "ok"],
    ]
    assert (found["event"], found["passed"], found["max_drop"]) == ("result", True, 0.01)
    assert session.report.texts("warning") == []


def test_a_drop_of_just_what_is_allowed_passes(run, play):
    play["ir"] = wrong(1)  # 1.0 - 0.9 is a little more than 0.1 in floats
    assert run(max_drop="0.1")["passed"]


def test_a_target_that_is_better_than_its_source_passes(run, play, session):
    play["checkpoint"] = wrong(3)
    assert run()["passed"]
    (table,) = session.report.of("table")
    assert [row[-2] for row in table["rows"]] == ["–", "-0.3000", "-0.3000"]


def test_a_drop_that_is_too_large_fails_and_its_figures_are_kept(run, play, session):
    play["ir"] = wrong(2)
    with pytest.raises(AccuracyError) as caught:
        run()
    assert str(caught.value) == (
        "On MRPC, toy does not keep its accuracy (1.0000) in every target: "
        "ir-fp32: accuracy 0.8000, 0.2000 below the source's; 0.01 is allowed."
    )
    (table,) = session.report.of("table")
    assert [row[-1] for row in table["rows"]] == ["ok", "ok", "FAIL"]
    kept = json.loads((session.store.root / "evaluations" / "toy" / "MRPC" / "evaluation.json").read_text())
    assert [row["passed"] for row in kept["targets"]] == [True, True, False]
    assert all(row["keys"]["answers"] for row in kept["targets"])


def test_a_model_that_always_says_the_same_is_told_of(run, play, session):
    play.update(dict.fromkeys(play, np.full((10, 2), 0.5, np.float32)))
    run()
    assert session.report.texts("warning") == ["toy gives every example the same class: it has learnt nothing of MRPC"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (RIGHT * np.nan, "an answer that is not finite"),
        (RIGHT[:-1], r"answers of shape \[9, 2\], where the source's are \[10, 2\]"),
    ],
)
def test_answers_that_are_none_fail(run, play, session, answers, reason):
    play["ir"] = answers
    with pytest.raises(AccuracyError, match=reason):
        run()
    assert session.report.of("table")[0]["rows"][-1][1:] == ["–", "–", "–", "–", "2.00", "4.00", "–", "FAIL"]
    assert session.report.of("evaluation")[0]["targets"][-1]["max_abs"] is None


def test_the_reference_itself_must_be_finite(run, play):
    play["checkpoint"] = RIGHT * np.nan
    with pytest.raises(AccuracyError, match="tf1: gave an answer that is not finite"):
        run("tf1")


def test_cola_is_held_to_its_matthews_correlation(run, play, prepared):
    play["ir"] = wrong(1)
    with pytest.raises(AccuracyError, match=r"matthews 0\.8"):
        run(data=Data(prepared=str(prepared(task="COLA"))), max_drop="0.15")


def test_what_was_asked_once_is_not_asked_again(run, isolation):
    run()
    before = list(isolation.runs)
    run()
    assert isolation.runs == before


def test_an_ir_that_its_own_command_made_is_not_made_again(run, session, isolation, source):
    """Made by build-ir it carries the model's tokenizer and labels, and evaluate asks for it without them."""
    (source.file.path.parent / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n")
    plan, _ = planned(session, asked_alone(Ir()), evaluate.find(session, WANTED))
    (made,) = plan.targets
    results = session.engine.run(replace(plan, steps=plan.needed(made.step), targets=()))
    assert (results[made.step].path / "tokenizer.json").is_file()
    before = len(isolation.runs)
    run("ir-fp32")
    after = [one if isinstance(one, str) else one.stage for one in isolation.runs[before:]]
    assert "openvino-infer" in after
    assert "ir-direct" not in after


@pytest.mark.parametrize(
    "error",
    [
        StageKilledForMemoryError("The stage infer was killed.", details="log"),
        StageError("The stage infer failed with exit code -6.", details="terminate: std::bad_alloc"),
        StageError("The stage openvino-infer stopped: memory ran out with 8 examples at a time; try fewer."),
    ],
)
def test_memory_that_runs_out_is_told_with_the_batch_size(run, isolation, error):
    def killed(_run):
        raise error

    isolation.behaviour["openvino-infer"] = killed
    with pytest.raises(StageKilledForMemoryError, match="It had 8 examples at a time") as caught:
        run()
    assert "--batch-size" in caught.value.next_step


def test_examples_of_the_same_vocabulary_and_task_are_taken(run, source, prepared):
    (source.file.path / "vocab.txt").write_text("a\n")
    (source.file.path / "task.json").write_text(json.dumps({"task": "mrpc", "labels": ["0", "1"]}))
    digest = hashlib.sha256(b"a\n").hexdigest()
    assert run(data=Data(task="mrpc", prepared=str(prepared(vocab_sha256=digest))))["passed"]


UNFIT = {
    "another vocabulary": ({"vocab_sha256": "0" * 64}, None, "prepared with another vocab.txt than toy's"),
    "another task": ({}, {"task": "RTE"}, "fine-tuned on RTE, and the data are MRPC's"),
    "labels in another order": ({}, {"task": "MRPC", "labels": ["1", "0"]}, "on the classes 1, 0, in this order"),
    "a head of another size": ({"labels": ["a", "b", "c"]}, None, r"has 2 classes, and MRPC has 3 \(a, b, c\)"),
    "too long": ({"max_seq_length": 513}, None, "513 tokens long, longer than the position table"),
    "no length": ({"max_seq_length": None}, None, "is not as prepare-data writes it"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_data_that_do_not_fit_the_model_are_refused_before_anything_runs(run, isolation, source, prepared, name):
    changes, tuned, sentence = UNFIT[name]
    (source.file.path / "vocab.txt").write_text("a\n")
    if tuned:
        (source.file.path / "task.json").write_text(json.dumps(tuned))
    with pytest.raises(DataError, match=sentence) as caught:
        run(data=Data(prepared=str(prepared(**changes))))
    assert caught.value.next_step
    assert isolation.runs == []


@pytest.fixture
def prepare_data(monkeypatch, prepared):
    """What commands/data.py was asked to make; a prepared folder is its answer."""
    asked = []

    def make(_session, what):
        asked.append(what)
        return SimpleNamespace(made=SimpleNamespace(path=prepared(task=what.task.upper())))

    monkeypatch.setattr(data_command, "make", make)
    return asked


def test_data_are_prepared_as_the_checkpoint_was_fine_tuned(run, source, prepare_data):
    told = {"task": "MRPC", "labels": ["0", "1"], "max_seq_length": 64, "do_lower_case": False}
    (source.file.path / "task.json").write_text(json.dumps(told))
    assert run(data=Data(data="glue/MRPC"))["task"] == "MRPC"
    (asked,) = prepare_data
    assert (asked.task, asked.data, asked.checkpoint) == ("MRPC", "glue/MRPC", "toy")
    assert (asked.do_lower_case, asked.max_seq_length) == (False, 64)


def test_what_another_checkpoint_of_the_folder_was_fine_tuned_for_is_not_asked(source):
    (source.file.path / "task.json").write_text('{"task": "MRPC"}')
    (source.file.path / "bert_model.ckpt.index").touch()
    assert fine_tuned(source.file.path, "bert_model.ckpt") == {"task": "MRPC"}
    assert fine_tuned(source.file.path, "model.ckpt-9") == {}


def test_without_a_word_on_that_the_usual_is_taken(run, prepare_data):
    run(data=Data(task="mrpc"))
    assert (prepare_data[0].do_lower_case, prepare_data[0].max_seq_length) == (None, 128)


def test_a_checkpoint_of_no_known_task_needs_one(run, prepare_data):
    with pytest.raises(UsageError, match="toy does not tell what it was fine-tuned on"):
        run(data=Data())
    assert prepare_data == []


def test_files_and_what_is_made_of_them_are_not_both_taken(run, prepared):
    with pytest.raises(UsageError, match="--data and --prepared were both given"):
        run(data=Data(data="x", prepared=str(prepared())))


def test_a_folder_of_another_task_than_was_named_is_refused(run, prepared):
    with pytest.raises(DataError, match="holds MRPC, not RTE"):
        run(data=Data(task="RTE", prepared=str(prepared())))


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("prepared.json", None, r"prepared\.json cannot be read: No such file"),
        ("prepared.json", "{", r"prepared\.json is not JSON"),
        pytest.param("prepared.json", "[" * 200_000, r"prepared\.json is not JSON", id="nested without end"),
        ("prepared.json", "[]", r"prepared\.json holds no JSON object"),
        ("prepared.json", "{}", r"prepared\.json names no task"),
        ("eval.tf_record", None, r"has no eval\.tf_record"),
    ],
)
def test_a_folder_that_nothing_is_prepared_in_is_refused(run, prepared, file, content, sentence):
    folder = prepared()
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(DataError, match=sentence):
        run(data=Data(prepared=str(folder)))


def test_a_named_pipe_in_place_of_what_was_prepared_is_refused_unopened(run, prepared):
    folder = prepared()
    for name in ("eval.tf_record", "prepared.json"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    with pytest.raises(DataError, match=r"prepared\.json is a named pipe, not a regular file"):
        run(data=Data(prepared=str(folder)))


@pytest.mark.parametrize("text", ["much", "-0.1", "1.5", "nan", ""])
def test_an_allowance_that_means_nothing_is_refused(run, text):
    with pytest.raises(UsageError, match="--max-drop"):
        run(max_drop=text)


def test_an_evaluation_names_who_answered_for_the_source(run, session, isolation, monkeypatch):
    assert run()["reference"] == "TensorFlow 1.15.5"
    monkeypatch.setattr(isolation, "lacking", ("tf1",))
    monkeypatch.setattr(isolation, "prepared", [])
    del session.__dict__["has_tensorflow_1"]
    del session.__dict__["usual_reference"]
    assert run()["reference"] == "TensorFlow 2.20.0 in v1 mode"
    assert "tf1" not in isolation.prepared


def test_an_evaluation_has_one_reference(run, session):
    session.__dict__["reference"] = "both"
    with pytest.raises(UsageError, match="evaluate compares with one reference"):
        run()
