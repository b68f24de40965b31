"""log: which logs are a target's, and what is said where there is none."""

from __future__ import annotations

import json
import os
import time

import pytest
from host_doubles import Events
from small_store import build, make

from bertbuild.commands.log import log
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import UsageError


@pytest.fixture
def show(root):
    """Runs the command; gives its result."""

    def run(*names, stage=""):
        events = Events()
        log(Session(settings=Settings(artifacts=root), report=events), names, stage)
        return events[-1]

    return run


def write(store, when, result, text):
    stage, key = result if isinstance(result, tuple) else (result.stage, result.key)
    path = store.logs / f"20260101-{when}-{stage}-{key[:12]}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def stages(result):
    return [row["stage"] for row in result["logs"]]


def test_the_last_log_of_each_stage_is_shown_the_newest_last(store, show):
    made = build(store)
    write(store, "000000", made["freeze"], "an earlier run\n")
    path = write(store, "000003", made["freeze"], "one\ntwo\n")
    write(store, "000002", made["ir-fp32"], "")
    write(store, "000001", ("ir", "another key's"), "of another target")
    (store.logs / "a note.txt").write_text("mine")
    result = show("toy/ir-fp32")
    assert stages(result) == ["tf1-infer", "openvino-infer", "ir", "freeze"]
    assert result["logs"][-1] == {
        "stage": "freeze",
        "key": made["freeze"].key,
        "path": str(path),
        "lines": path.read_text().splitlines(),
    }
    assert result["lines"][-3].startswith(f"── freeze {made['freeze'].key[:12]}   2026-01-01 00:00:03   2 lines   ")
    assert result["lines"][-2] == "one"
    assert "   0 lines   " in result["lines"][-4]


def test_the_import_of_a_target_s_model_is_one_of_its_stages(store, show):
    imported = make(store, "import", "of a Hugging Face folder")
    build(store, of=imported)
    write(store, "000001", imported, "read 5 tensors\n")
    assert "import" in stages(show("toy/ir-fp32"))
    assert [row["lines"] for row in show("toy", stage="import")["logs"]] == [["read 5 tensors"]]


def test_what_a_target_s_training_was_made_from_is_shown_with_it(store, show):
    data = make(store, "prepare-data", "examples")
    trained = make(store, "finetune", "weights", statement=[data])
    build(store, of=trained)
    assert {"prepare-data", "finetune"} <= set(stages(show("toy/ir-fp32")))


def test_the_import_is_known_from_a_run_that_failed_before_there_was_a_record(store, show):
    write_run(store, ("import", "a" * 64, "done"), ("ir", "1" * 64, "failed"), untold=("import",))
    assert stages(show("toy/ir-fp32")) == ["import", "ir"]


def test_a_result_without_a_log_says_so(store, show):
    build(store)
    result = show("toy/ir-fp32", stage="freeze")
    assert [(row["path"], row["lines"]) for row in result["logs"]] == [(None, [])]
    assert "no log here. Its result came from another store, or the log was removed." in result["lines"][0]


def test_names_are_those_of_the_other_commands(store, show):
    build(store)
    assert stages(show("toy")) == stages(show("toy/ir-fp32"))
    other = build(store, "ir-fp16")
    assert other["freeze"].key in {row["key"] for row in show("toy")["logs"]}
    both = show("toy/ir-fp32", "*/ir-fp16")
    assert {row["key"] for row in both["logs"]} == {row["key"] for row in show("toy")["logs"]}
    assert len({row["key"] for row in both["logs"]}) == len(both["logs"])
    with pytest.raises(UsageError, match="toy/ir-fp16, toy/ir-fp32 have no stage freze"):
        show("toy", stage="freze")


def test_a_stage_in_the_targets_place_shows_its_last_log_of_all(store, show):
    write(store, "000001", ("tf2-infer", "a" * 64), "of another stage")
    write(store, "000002", ("freeze", "a" * 64), "older")
    write(store, "000003", ("freeze", "b" * 64), "newer")
    assert [row["lines"] for row in show("freeze")["logs"]] == [["newer"]]
    with pytest.raises(UsageError, match="The stage ir has no log here"):
        show("ir")


@pytest.mark.parametrize(
    ("wanted", "stage", "message", "next_step"),
    [
        ("toy/ir-fp23", "", "There is no target toy/ir-fp23.", "Did you mean toy/ir-fp32?"),
        ("tyo", "", "There is no target tyo.", "Did you mean toy?"),
        ("frezee", "", "There is no target frezee.", "Did you mean freeze?"),
        ("xxxxxxxx", "", "There is no target xxxxxxxx.", "Name one as MODEL/TARGET: toy/ir-fp32;"),
        ("toy", "freze", "toy/ir-fp32 has no stage freze.", "Did you mean freeze?"),
    ],
)
def test_an_unknown_target_is_refused_with_the_nearest_known(store, show, wanted, stage, message, next_step):
    build(store)
    with pytest.raises(UsageError) as raised:
        show(wanted, stage=stage)
    assert str(raised.value) == message
    assert next_step in raised.value.next_step
    assert raised.value.exit_code == 2


def test_a_target_is_to_be_named(show):
    with pytest.raises(UsageError, match="No target is named"):
        show()


def test_nothing_built_is_told(show):
    with pytest.raises(UsageError, match="nothing is built yet"):
        show("toy/ir-fp32")


def test_a_target_that_never_was_built_is_known_from_the_run_that_failed(store, show):
    write(store, "000001", ("freeze", "f" * 64), "made")
    write(store, "000002", ("ir", "1" * 64), "Traceback")
    write_run(store, ("freeze", "f" * 64, "done"), ("ir", "1" * 64, "failed"))
    result = show("toy/ir-fp32")
    assert [row["lines"] for row in result["logs"]] == [["made"], ["Traceback"]]


def test_of_a_record_and_a_run_the_later_counts(store, root, show):
    made = build(store)
    write_run(store, ("freeze", made["freeze"].key, "cached"), ("ir", "1" * 64, "failed"))
    assert stages(show("toy/ir-fp32")) == ["freeze", "ir"]
    earlier = time.time() - 60
    os.utime(next((root / "runs").iterdir()), (earlier, earlier))
    assert len(stages(show("toy/ir-fp32"))) == 4


def write_run(store, *results, untold=()):
    """A run's log; of the stages in `untold` it was not known yet which targets they are for."""
    jobs = [
        {"job": f"toy/{stage}", "stage": stage, "model": "toy", "targets": [] if stage in untold else ["ir-fp32"]}
        for stage, _, _ in results
    ]
    events = [{"event": "run", "time": 1.0}, {"event": "graph", "jobs": jobs}]
    for stage, key, state in results:
        events.append({"event": "stage", "job": f"toy/{stage}", "stage": stage, "key": key, "state": state})
    path = store.root / "runs" / "20260101-000000-abcd.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, events)) + "\n")
