"""Files of predictions judged: what they are worth, and what is wrong with them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from host_doubles import Events

from bertbuild.commands import evaluate_files
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.errors import DataError, UsageError
from bertbuild.gate.prediction_files import read_dev_labels
from bertbuild.kinds.evaluated_data import Data
from bertbuild.metrics.glue import TASKS
from bertbuild.project import ROOT
from bertbuild.source import fetched

MRPC = (
    '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tHe "said\t"so\n0\t3\t4\tü\u2028x\ty\n1\t5\t6\ta\tb\r\n'
)
COLA = "gj04\t1\t\tGood .\ngj04\t0\t*\tBad .\n"
QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta\tb\t1\n4\t5\tbroken\n6\t7\t8\tc\td\t0\n"
STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n" + "".join(
    f"{i}\tg\tf\ty\to\ts\ts\ta\tb\t{score}\n" for i, score in enumerate(("5.000", "0.5", "2.25"))
)
SQUAD = {
    "data": [
        {
            "paragraphs": [
                {
                    "context": "c",
                    "qas": [
                        {"id": "a", "question": "?", "answers": [{"text": "cat", "answer_start": 0}]},
                        {"id": "b", "question": "?", "answers": [{"text": "sky", "answer_start": 0}]},
                    ],
                }
            ]
        }
    ]
}
NEGATIVE = json.loads(json.dumps(SQUAD).replace('[{"text": "sky", "answer_start": 0}]', "[]"))


@pytest.fixture
def shared_data():
    """The folder of data that lies beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data beside the repository")
    return folder


@pytest.fixture
def session(root, tmp_path, monkeypatch):
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(root))
    return Session(settings=load_settings({}, folder=tmp_path), report=Events())


@pytest.fixture
def write(tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode())
        return str(path)

    return file


@pytest.fixture
def judged(session, write, tmp_path):
    """The result of a task's dev.tsv and test_results.tsv."""

    def run(task, dev, results):
        write(TASKS[task].file if task in TASKS else "dev.tsv", dev)
        evaluate_files.predictions(session, Data(task=task, data=str(tmp_path)), write("test_results.tsv", results))
        return session.report[-1]

    return run


@pytest.fixture
def squad(session, write):
    """The result of SQuAD's files."""

    def run(data, answers, odds=None, *, negative=False):
        odds = write("null_odds.json", odds) if odds is not None else ""
        files = (write("predictions.json", answers), write("dev.json", data), odds)
        evaluate_files.squad(session, *files, with_negative=negative)
        return session.report[-1]

    return run


def test_classes_are_judged_by_the_largest_number_of_their_row(judged, session):
    found = judged("MRPC", MRPC, "0.2\t0.8\n0.9\t0.1\n3.5\t-1.5\n")
    assert found["metrics"] == {"accuracy": pytest.approx(2 / 3), "f1": pytest.approx(2 / 3)}
    assert found["examples"] == 3
    (table,) = session.report.of("table")
    assert (table["title"], table["rows"][0]) == ("MRPC, 3 examples", ["accuracy", "0.666667"])


def test_scores_are_judged_by_correlation(judged):
    found = judged("STS-B", STSB, "4.5\n1.0\n2.0\n")
    assert found["metrics"]["spearman"] == pytest.approx(1.0)
    assert found["metrics"]["pearson"] == pytest.approx(np.corrcoef([5, 0.5, 2.25], [4.5, 1, 2])[0, 1])


def test_a_model_that_always_says_the_same_has_no_correlation(judged):
    assert judged("STS-B", STSB, "1\n1\n1\n")["metrics"] == {"pearson": None, "spearman": None}


def test_a_file_without_header_is_read_from_its_first_line(judged):
    assert judged("COLA", COLA, "0\t1\n1\t0\n")["metrics"] == {"matthews": 1.0, "accuracy": 1.0}


def test_rows_that_the_model_garden_skips_are_skipped(judged):
    assert judged("QQP", QQP, "0\t1\n1\t0\n")["examples"] == 2


@pytest.mark.parametrize(
    ("name", "counts"), [("CoLA", [322, 721]), ("MRPC", [129, 279]), ("RTE", [146, 131]), ("WNLI", [40, 31])]
)
def test_the_dev_sets_of_glue_have_the_labels_that_are_published(shared_data, name, counts):
    labels = read_dev_labels(TASKS[name.upper()], shared_data / "glue" / name)
    assert np.bincount(labels).tolist() == counts


def test_the_dev_set_of_sts_b(shared_data):
    scores = read_dev_labels(TASKS["STS-B"], shared_data / "glue" / "STS-B")
    assert (len(scores), scores.min(), scores.max()) == (1500, 0.0, 5.0)


REFUSED = {
    "too few rows": ("MRPC", MRPC, "0.2\t0.8\n", "has 1 row, and the dev set of MRPC has 3 examples"),
    "columns of another task": ("MRPC", MRPC, "1\t2\t3\n" * 3, "has 3 columns, and MRPC needs 2"),
    "scores for classes": ("MRPC", MRPC, "1\n" * 3, "has 1 column, and MRPC needs 2"),
    "rows of two lengths": ("MRPC", MRPC, "1\t2\n1\n1\t2\n", "line 2 has 1 column, the first 2"),
    "words": ("MRPC", MRPC, "index\tprediction\n0\t1\n", "line 1 has 'index', which is not a number"),
    "no number": ("MRPC", MRPC, "nan\t1\n" * 3, "line 1 has 'nan', which is not a number"),
    "nothing": ("MRPC", MRPC, "", "test_results.tsv is empty"),
    "an empty dev set": ("MRPC", "Quality\t#1 ID\n", "1\t0\n", "dev.tsv has no example"),
    "a label outside the task": ("MRPC", MRPC.replace("0\t3", "2\t3"), "1\t0\n" * 3, "line 3 has the label '2'"),
    "missing columns": ("COLA", "gj04\n", "1\t0\n", "line 1 has 1 column; the label is in column 2"),
    "another task's file": ("RTE", MRPC, "1\t0\n" * 3, "not one of RTE's (entailment, not_entailment)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_files_of_glue_is_said(judged, name):
    task, dev, results, sentence = REFUSED[name]
    with pytest.raises(DataError) as caught:
        judged(task, dev, results)
    assert sentence in str(caught.value)
    assert caught.value.next_step


def test_a_file_that_is_not_utf_8_is_refused(tmp_path, session):
    (tmp_path / "dev.tsv").write_bytes(MRPC.encode("utf-16"))
    (tmp_path / "r.tsv").write_text("1\t0\n")
    with pytest.raises(DataError, match=r"dev\.tsv is UTF-16; save it as UTF-8\.$"):
        evaluate_files.predictions(session, Data(task="MRPC", data=str(tmp_path)), str(tmp_path / "r.tsv"))
    (tmp_path / "dev.tsv").write_bytes(MRPC.encode() + b"1\t1\t2\tcaf\xe9\tb\n")
    with pytest.raises(DataError, match=r"dev\.tsv is not UTF-8 in line \d; save it as UTF-8\.$"):
        evaluate_files.predictions(session, Data(task="MRPC", data=str(tmp_path)), str(tmp_path / "r.tsv"))


@pytest.mark.parametrize(("task", "sentence"), [("", "The task is needed"), ("SQUAD", "--task must be one of CoLA, ")])
def test_a_task_that_has_no_dev_labels_is_refused(judged, task, sentence):
    with pytest.raises(UsageError, match=sentence):
        judged(task, MRPC, "1\t0\n")


def test_squad_1_1(squad, session):
    found = squad(SQUAD, {"a": "the Cat", "b": "blue sky"})
    assert found["metrics"] == {"exact_match": 50.0, "f1": pytest.approx(100 * (1 + 2 / 3) / 2), "total": 2}
    assert session.report.of("warning") == []


def test_ids_that_are_numbers_are_those_of_the_answers(squad):
    numbered = json.loads(json.dumps(SQUAD).replace('"id": "a"', '"id": 1').replace('"id": "b"', '"id": 2'))
    assert squad(numbered, {"1": "the Cat", "2": "blue sky"}) == squad(SQUAD, {"a": "the Cat", "b": "blue sky"})
    negative = json.loads(json.dumps(NEGATIVE).replace('"id": "a"', '"id": 1').replace('"id": "b"', '"id": 2'))
    found = squad(negative, {"1": "cat", "2": ""}, {"1": -2.0, "2": 0.5}, negative=True)
    assert found == squad(NEGATIVE, {"a": "cat", "b": ""}, {"a": -2.0, "b": 0.5}, negative=True)


@pytest.mark.parametrize("name", ["null", "1.5", "true"])
def test_an_id_that_is_neither_text_nor_number_is_refused(squad, name):
    with pytest.raises(DataError, match="is not a SQuAD data set"):
        squad(json.loads(json.dumps(SQUAD).replace('"id": "a"', f'"id": {name}')), {"a": "cat"})


def test_a_tab_in_a_text_moves_no_label(judged):
    dev = "sentence\tlabel\na fine\tfilm\t1\nplain\t0\n"
    assert judged("SST-2", dev, "0.2\t0.8\n0.9\t0.1\n")["metrics"] == {"accuracy": 1.0}


def test_squad_2_0_with_thresholds(squad):
    found = squad(NEGATIVE, {"a": "cat", "b": "x"}, {"a": -2.0, "b": 0.5}, negative=True)
    assert found["metrics"]["exact"] == 50.0
    assert (found["metrics"]["best_f1"], found["metrics"]["best_f1_thresh"]) == (100.0, -2.0)


def test_questions_without_a_prediction_are_counted(squad, session):
    squad(SQUAD, {"a": "cat"})
    squad(SQUAD, {"a": "cat"}, negative=True)
    assert session.report.texts("warning") == [
        "1 of 2 questions has no prediction: each counts 0",
        "1 of 2 questions has no prediction: they are left out",
    ]


def changed(*texts):
    """The SQuAD file with texts of its JSON replaced, each by the one after it."""
    content = json.dumps(SQUAD)
    for text, other in zip(texts[::2], texts[1::2], strict=True):
        content = content.replace(text, other)
    return json.loads(content)


def test_an_id_of_more_digits_than_python_turns_into_a_number_is_the_text_it_is(squad):
    data = json.dumps(SQUAD).replace('"id": "a"', '"id": ' + "9" * 5000)
    assert squad(data, {"9" * 5000: "cat", "b": "sky"})["metrics"]["exact_match"] == 100.0


SQUAD_REFUSED = {
    "other questions": ((SQUAD, {"z": "cat"}), {}, DataError, "answers no question of"),
    "no predictions": ((SQUAD, {}), {}, DataError, "answers no question of"),
    "2.0 for 1.1": ((NEGATIVE, {"a": "cat"}), {}, DataError, "1 question of .* has no answer"),
    "odds for 1.1": ((SQUAD, {"a": "cat"}, {"a": 1}), {}, UsageError, "--null-odds is for SQuAD 2.0 alone"),
    "odds of others": ((SQUAD, {"a": "c"}, {"b": 1}), {"negative": True}, DataError, "has no figure for question a"),
    "odds in words": ((SQUAD, {"a": "c"}, {"a": "1"}), {"negative": True}, DataError, "question ids to numbers"),
    "n-best lists": ((SQUAD, {"a": [{"text": "c"}]}), {}, DataError, "question ids to answers"),
    "no JSON": ((SQUAD, "{"), {}, DataError, "predictions.json is not JSON"),
    "no SQuAD": (({"version": "1.1"}, {"a": "c"}), {}, DataError, "is not a SQuAD data set: the file has no data"),
    "a list": (([], {"a": "c"}), {}, DataError, "is not a SQuAD data set: the file has no data"),
    "answers in words": (
        (changed('[{"text": "cat", "answer_start": 0}]', '"cat"'), {"a": "c"}),
        {},
        DataError,
        "no list",
    ),
    "an answer that is a number": (
        (changed('"cat"', "3"), {"a": "c"}),
        {},
        DataError,
        "of question a is 3, .* no text",
    ),
    "one id twice": (
        (changed('"b"', '"a"'), {"a": "c"}),
        {},
        DataError,
        "2 questions with the id a, which predictions",
    ),
    "a number like a text": (
        (changed('"id": "a"', '"id": 1', '"id": "b"', '"id": "1"'), {"1": "c"}),
        {},
        DataError,
        "2 questions with the id 1, which predictions",
    ),
    "nested without end": (("[" * 200_000, {"a": "c"}), {}, DataError, "dev.json is not JSON: its lists"),
    "nested predictions": ((SQUAD, "[" * 200_000), {}, DataError, "predictions.json is not JSON: its lists"),
    "no questions": (({"data": []}, {"a": "c"}), {}, DataError, "has no question"),
}


@pytest.mark.parametrize("name", SQUAD_REFUSED)
def test_what_is_wrong_with_files_of_squad_is_said(squad, name):
    files, flags, error, sentence = SQUAD_REFUSED[name]
    with pytest.raises(error, match=sentence) as caught:
        squad(*files, **flags)
    assert caught.value.next_step


def test_without_a_folder_the_dev_set_is_what_fetch_data_brings(session, write, tmp_path, monkeypatch):
    write("dev.tsv", MRPC)
    monkeypatch.setattr(fetched, "fetch_dataset", lambda name, *_: tmp_path if name == "MRPC" else None)
    evaluate_files.predictions(session, Data(task="mrpc"), write("r.tsv", "0\t1\n1\t0\n0\t1\n"))
    assert session.report[-1]["metrics"]["accuracy"] == 1.0


def test_a_file_that_is_not_there_is_named(session):
    with pytest.raises(DataError, match=r"nowhere\.json cannot be read: No such file"):
        evaluate_files.squad(session, "nowhere.json", "nowhere.json", "", with_negative=False)
