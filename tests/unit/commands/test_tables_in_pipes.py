"""Every table that a command prints into a pipe: a line for each row, tabs between whole words, however long."""

from __future__ import annotations

import pytest
from small_fleet import Fleet

from bertbuild.buildfile.load import load_build_file
from bertbuild.commands import datasets, doctor, dry_run, models, status
from bertbuild.report.text import TextReporter

NAME = "a-name-that-is-much-longer-than-what-a-table-on-a-terminal-has-room-for-in-one-column-of-several"
BUILD_FILE = f"""
[targets.frozen-{NAME}]
kind = "frozen"

[models.{NAME}]
checkpoint = "checkpoints/one"
"""


@pytest.fixture
def piped(tmp_path, monkeypatch, isolation, capsys):
    """What a command prints into a pipe that is 40 columns wide, in a folder with long names; its lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")
    fleet = Fleet(tmp_path)
    fleet.write(BUILD_FILE)

    def run(command):
        session = fleet.session()
        session.__dict__["isolation"] = isolation
        object.__setattr__(session, "report", TextReporter())
        command(session, fleet)
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(
    ("command", "columns", "words"),
    [
        (lambda session, _: models.list_models(session), 4, "uncased_L-12_H-768_A-12"),
        (lambda session, _: datasets.list_datasets(session), 5, "MRPC"),
        (lambda session, _: status.status(session, "bertbuild.toml"), 10, f"frozen-{NAME}"),
        (lambda session, _: doctor.doctor(session), 3, "Python of bertbuild"),
        (
            lambda session, fleet: dry_run.dry_run(session, load_build_file(fleet.folder / "bertbuild.toml")),
            3,
            f"{NAME}/frozen-{NAME}",
        ),
    ],
    ids=["models", "data sets", "status", "doctor", "dry run"],
)
def test_rows_are_lines_and_words_are_whole(piped, command, columns, words):
    lines = piped(command)
    rows = [line.split("\t") for line in lines if "\t" in line]
    assert rows
    assert {len(row) for row in rows} == {columns}
    assert any(words in cell for row in rows for cell in row)
    assert not [line for line in lines if "…" in line or "───" in line]
