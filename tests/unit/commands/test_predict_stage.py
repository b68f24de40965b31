"""predict and the stage that answers: what it is given, by the code that reads it in an image."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from host_doubles import FakeIsolation

from bertbuild.commands import predicted
from bertbuild.commands.predict import predict
from bertbuild.commands.predict_texts import Predict
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.engine.engine import Engine
from bertbuild.project import ROOT
from bertbuild.text.answer_spans import Spans
from bertbuild.text.facts import Text
from bertbuild.text.words import WordPieces

LENGTH = 16
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad")


@pytest.fixture
def stage(monkeypatch):
    """docker/common/features.py over a model that says yes to as much as is good; keeps what it was given."""
    monkeypatch.syspath_prepend(str(ROOT / "docker" / "common"))
    features, answers = importlib.import_module("features"), importlib.import_module("answers")
    seen, lengths = [], []

    def model(feeds):
        lengths.append(feeds["input_ids"].shape[1])
        share = (feeds["input_ids"] == WORDS.index("good")).mean(axis=1)
        logits = np.where(feeds["input_mask"] == 1, feeds["input_ids"], 9).astype(np.float32)  # padding is the best
        answers = {"start_logits": logits, "end_logits": logits}
        return {**answers, "probabilities": np.stack([1 - share, share], axis=1).astype(np.float32)}

    def run(run):
        seen.append(run)
        report = SimpleNamespace(facts={})
        padded = run.params.get("pad-to-max") == "true"
        asked = features.Examples(str(run.inputs["examples"]), int(run.params["batch-size"]), report, padded)
        answers.write_answers(str(run.work / "out"), asked.answer(model))
        (run.work / "out" / "stage.json").write_text("{}")

    return SimpleNamespace(run=run, seen=seen, lengths=lengths)


@pytest.fixture
def target(tmp_path):
    """Make the folder of a target with a head."""

    def make(head, labels=()):
        folder = tmp_path / "elsewhere"
        folder.mkdir(exist_ok=True)
        content = "".join(f"{word}\n" for word in WORDS).encode()
        (folder / "vocab.txt").write_bytes(content)
        asked = {"stage": "openvino-infer", "flag": "ir", "params": {}}
        text = Text(head=head, labels=labels, asked=asked, max_seq_length=LENGTH, max_positions=2 * LENGTH)
        (folder / "text.json").write_text(
            json.dumps({**text.as_json(WordPieces(WORDS)), "vocab_sha256": hashlib.sha256(content).hexdigest()})
        )
        return folder

    return make


@pytest.fixture
def ask(tmp_path, stage, target):
    folder = target("classifier", ("no", "yes"))
    isolation, events = FakeIsolation(), []
    isolation.behaviour["openvino-infer"] = stage.run
    session = Session(settings=Settings(artifacts=tmp_path / "artifacts"), report=events.append)
    session.__dict__.update(
        isolation=isolation, engine=Engine(session.store, isolation, events.append), has_tensorflow_1=True
    )
    return SimpleNamespace(
        session=session,
        events=events,
        folder=folder,
        of=lambda **named: predict(session, Predict(target=str(folder), **named)),
    )


def test_the_stage_is_given_the_target_and_the_texts(ask, stage):
    result = ask.of(text="good good good", batch_size=3)
    assert [row["label"] for row in result.answers] == ["yes"]
    assert {event["model"] for event in ask.events if event["event"] == "stage"} == {str(ask.folder)}
    (run,) = stage.seen
    assert (run.backend, run.stage, run.inputs["ir"], run.params["batch-size"]) == (
        "openvino",
        "infer",
        ask.folder,
        "3",
    )


def test_each_text_of_a_file_has_its_own_answer(ask, tmp_path):
    (tmp_path / "texts.txt").write_text("bad bad\ngood good good good good\nbad good bad good bad\ngood\n" * 7)
    answers = ask.of(file=str(tmp_path / "texts.txt"), batch_size=4).answers
    assert len(answers) == 28
    assert [row["label"] for row in answers[:4]] == ["no", "yes", "no", "no"]
    assert answers[1]["probability"] == pytest.approx(5 / 7)


def test_nothing_is_kept_in_the_store(ask):
    ask.of(text="good")
    left = [path for path in (ask.session.store.root / "objects").rglob("*") if path.is_file()]
    assert left == []
    assert list((ask.session.store.root / "work").iterdir()) == []


def test_questions_are_asked_with_their_padding_and_have_the_n_best_of_run_squad(ask, stage, target, monkeypatch):
    target("span")
    monkeypatch.setattr(predicted, "Spans", functools.partial(Spans, n_best=LENGTH - 5))
    (answer,) = ask.of(question="good", context="bad good").answers
    assert set(stage.lengths) == {LENGTH}
    # Of [CLS] good [SEP] bad good [SEP] and ten places of padding, which are the best, eleven are looked at.
    assert (answer["answer"], answer["probability"], answer["score"]) == ("bad", 1.0, 12.0)


def test_all_other_texts_are_asked_without_padding(ask, stage):
    ask.of(text="good bad")
    assert set(stage.lengths) == {4}
    assert "pad-to-max" not in stage.seen[0].params
