"""Programs rely on exit codes and JSON lines: what docs/reference.md says of them is so, and all there is to say."""

from __future__ import annotations

import json
import re

import event_schema
import pytest
from event_schema import KINDS, SCHEMA
from host_doubles import GOLDEN
from jsonschema import Draft202012Validator

from bertbuild import errors
from bertbuild.errors import BertbuildError
from bertbuild.project import ROOT

CLASSES = {
    cls.__name__: cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, BertbuildError)
}
OF_THE_SHELL = {"0", "141"}
OPEN = {"result", "inspection"}
"""Events with fields of the command's own."""
UNKNOWN = "unheard-of"
"""An event in the golden report, to show what reporters make of one."""


def table(page, heading):
    """The rows of the table below a heading of a page: lists of cells."""
    section = re.search(rf"^#+ {heading}\n(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    rows = [line.strip("|").split("|") for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


REFERENCE = ROOT / "docs" / "reference.md"
CODES = {row[0]: row for row in table(REFERENCE, "Exit codes")}
EVENTS = {kind: row[1] for row in table(REFERENCE, "JSON") for kind in quoted(row[0])}


def test_the_table_of_exit_codes_has_every_class_and_no_other():
    told = {name: code for code, row in CODES.items() for name in quoted(row[1])}
    assert told == {name: str(cls.exit_code) for name, cls in CLASSES.items()}
    assert {code for code, row in CODES.items() if not quoted(row[1])} == OF_THE_SHELL
    assert all(row[2] for row in CODES.values())


def test_classes_that_share_a_code_are_of_one_family():
    for row in CODES.values():
        first, *others = (CLASSES[name] for name in quoted(row[1])) if quoted(row[1]) else (BertbuildError,)
        assert all(issubclass(other, first) for other in others)


def test_the_page_on_ci_tells_of_codes_that_there_are():
    told = [code for row in table(ROOT / "docs" / "ci.md", "Exit codes") for code in quoted(row[0])]
    assert told
    assert set(told) <= CODES.keys()


def test_the_table_of_events_has_every_event_of_the_schema_once_and_no_other():
    told = [kind for row in table(REFERENCE, "JSON") for kind in quoted(row[0])]
    assert sorted(told) == sorted(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - OPEN))
def test_the_table_of_events_has_every_field_and_no_other(kind):
    fields = dict(KINDS[kind]["properties"])
    told = {*quoted(EVENTS[kind]), "event", "time"}
    assert not fields.keys() - told
    values = {str(value) for field in fields.values() for value in field.get("enum", ())}
    assert not told - fields.keys() - values
    assert KINDS[kind]["additionalProperties"] is False


def test_the_schema_is_one_of_draft_2020_12():
    Draft202012Validator.check_schema(SCHEMA)
    refs = sorted(option["$ref"] for option in SCHEMA["oneOf"])
    assert refs == sorted(f"#/$defs/{event_schema.PREFIX}{kind}" for kind in KINDS)


def lines(name):
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


def test_what_is_printed_is_what_the_schema_describes():
    """As any validator sees it; `build_events.jsonl` is without keys and times, which differ from run to run."""
    validator = Draft202012Validator(SCHEMA)
    for event in lines("json_report.jsonl"):
        assert validator.is_valid(event) == (event["event"] != UNKNOWN), event
    assert {event["event"] for event in lines("build_events.jsonl")} <= KINDS.keys()


@pytest.mark.parametrize(
    "event",
    [
        {"event": UNKNOWN},
        {"event": "note"},
        {"event": "note", "text": "x", "mood": "glad"},
        {"event": "stage", "id": "freeze", "stage": "freeze", "state": "done", "key": "0" * 64},
        {"event": "stage", "id": "freeze", "stage": "freeze", "state": "finished", "key": "0" * 64, "seconds": 1.0},
        {"event": "error", "error": "StoreError", "exit_code": 0, "message": "", "next_step": "", "details": ""},
    ],
)
def test_an_event_that_is_not_described_fails_the_test_that_saw_it(event):
    with pytest.raises(AssertionError):
        event_schema.check(event)
    assert not Draft202012Validator(SCHEMA).is_valid(event)
