"""fetch-data as typed, from the user's own disk. QQP, because none of its files has a hash or a number of rows."""

from __future__ import annotations

import json
import signal

import pytest

from bertbuild.cli.call import run as run_line
from bertbuild.config import Settings
from bertbuild.source.fetched import fetch_dataset

TABLES = ("train.tsv", "dev.tsv", "test.tsv")


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine" / "qqp"
    folder.mkdir(parents=True)
    for name in TABLES:
        (folder / name).write_text("id\tquestion1\n0\tWhy?\n")
    return folder.parent


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs fetch-data in this process: its code and its lines."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def run(*words):
        code = 0
        try:
            run_line(["bertbuild", "fetch-data", *words])
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    yield run
    signal.signal(signal.SIGTERM, handler)


def test_the_licence_comes_first_and_the_folder_last(command, mine, tmp_path):
    code, lines, _ = command("--task", "qqp", "--from", str(mine))
    assert code == 0
    assert lines[0] == "  QQP, licence: Quora's terms of service apply; they allow non-commercial use."
    assert lines[-1] == "QQP: artifacts/datasets/QQP"
    assert all((tmp_path / "artifacts" / "datasets" / "QQP" / name).is_file() for name in TABLES)
    assert set(json.loads((tmp_path / "models.lock.json").read_text())["files"]) == {f"QQP/{name}" for name in TABLES}
    assert command("--task", "QQP") == (0, ["QQP: artifacts/datasets/QQP"], [])


def test_programs_get_events_and_the_folders(command, mine, tmp_path):
    _, lines, _ = command("--task", "QQP", "--from", str(mine), "--json")
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["note", "note", "note", "result"]
    assert "recorded in models.lock.json" in events[2]["text"]
    assert events[-1]["folders"] == {"QQP": str(tmp_path / "artifacts" / "datasets" / "QQP")}


def test_what_cannot_be_had_does_not_keep_the_rest_from_coming(command, mine):
    code, lines, errors = command("--task", "GLUE", "--from", str(mine))
    assert code == 5
    assert lines[-1] == "  QQP: artifacts/datasets/QQP"
    names = "AX, CoLA, MNLI, MRPC, QNLI, RTE, SST-2, STS-B, WNLI"
    assert errors[-2] == f"error: 9 of 10 data sets could not be had: {names}."
    assert f"  | {mine} has no AX." in errors


def test_a_table_that_is_no_text_ends_with_6(command, mine):
    (mine / "qqp" / "dev.tsv").write_bytes("id\tquestion1\n0\tWieso\u00df?\n".encode("latin-1"))
    code, _, lines = command("--task", "QQP", "--from", str(mine))
    assert code == 6
    assert lines[-2] == "error: QQP/dev.tsv is not UTF-8 text: line 2 cannot be read."


def test_the_list_has_every_data_set_and_fetches_none(command, tmp_path):
    code, lines, _ = command("--list", "--json")
    table = json.loads(lines[0])
    assert code == 0
    assert [row[0] for row in table["rows"]][:2] == ["AX", "CoLA"]
    assert len(table["rows"]) == 13
    assert not (tmp_path / "artifacts").exists()


def test_other_commands_get_the_folder_of_a_data_set(mine, store, events, tmp_path):
    settings = Settings(local=mine, models_lock=tmp_path / "models.lock.json")
    folder = fetch_dataset("qqp", settings, store, events)
    assert folder == store.root / "datasets" / "QQP"
    assert {path.name for path in folder.iterdir()} == {*TABLES, "fetched.json"}
