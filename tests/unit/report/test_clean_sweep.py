"""Every kind of event and of error with hostile words wherever words may be: nothing of them steers the terminal."""

from __future__ import annotations

import io
import sys

import pytest
from event_schema import KINDS, SCHEMA
from event_schema import check as check_event

from bertbuild import errors
from bertbuild.commands.opening import error_event
from bertbuild.errors import BertbuildError, Lacking, OfflineError
from bertbuild.report.text import TextReporter

RAW = "a\x1b]0;title\x07b\x1b[2J\r\nerror: invented\n\x9b31m\u202e\u2028\x85warning: invented"
STEERS = "\x07\r\x85\x9b\u202e\u2028"
STATES = ("cached", "started", "done", "failed", "interrupted", "line", "up to date", "built", "not verified")


def hostile(schema):  # noqa: PLR0911 - a way for each form of a schema
    """A value that fits a part of the schema, its words hostile where any may be."""
    if "$ref" in schema:
        return hostile(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    for word in ("const", "enum"):
        if word in schema:
            return schema[word] if word == "const" else schema[word][0]
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return hostile(schema[word][0])
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        known = {name: hostile(part) for name, part in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties", True)
        return known if known or more is False else {RAW: hostile(more) if isinstance(more, dict) else RAW}
    if kind == "array":
        return [hostile(schema.get("items", {}))]
    if kind == "string":
        return "a" * 64 if "pattern" in schema else RAW
    return {"integer": 1, "number": 1.0, "boolean": True, "null": None}[kind]


def events():
    for kind, schema in KINDS.items():
        event = {**hostile(schema), "event": kind}
        states = schema.get("properties", {}).get("state", {}).get("enum", STATES if "state" in event else [None])
        for state in states:
            for passed in (True, False) if "passed" in event else (None,):
                changed = event if state is None else {**event, "state": state}
                yield changed if passed is None else {**changed, "passed": passed}


EVENTS = list(events())


def check(text):
    assert not set(STEERS) & set(text)
    assert "\x1b]0" not in text
    assert "\x1b[2J" not in text
    assert not any(line.startswith(("error: invented", "warning: invented")) for line in text.splitlines())


def test_the_sweep_has_every_kind_and_what_it_makes_is_an_event():
    assert {event["event"] for event in EVENTS} == set(KINDS)
    sound = 0
    for event in EVENTS:
        try:
            check_event(event)
        except Exception:  # noqa: BLE001, S112 - some states allow other fields; reporters get them all the same
            continue
        sound += 1
    assert sound > len(KINDS) // 2


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event['event']} {event.get('state', '')}")
@pytest.mark.parametrize("many", [None, "bertbuild.toml"])
def test_no_event_steers_a_pipe(shown, event, many):
    run = {"event": "run", "build_file": many, "jobs": 2 if many else 1}
    seen = shown(run, event)
    check(seen.out)
    check(seen.err)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event['event']} {event.get('state', '')}")
def test_no_event_steers_a_terminal(monkeypatch, event):
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    reporter = TextReporter()
    reporter({"event": "run", "build_file": None, "jobs": 1})
    reporter(event)
    reporter.close()
    # What draws the live line is rich's own: it goes to the line's start and clears it.
    text = out.getvalue().replace("\r", "").replace("\x1b[2K", "")
    check(text)
    check(err.getvalue())


CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, BertbuildError)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_no_error_steers_a_terminal_or_begins_a_line(shown, cls):
    if cls is OfflineError:
        error = cls([Lacking(what=RAW, get=RAW, details=RAW)])
    elif cls is errors.BuildFailedError:
        error = cls(RAW, failures=[BertbuildError(RAW)], next_step=RAW)
    else:
        error = cls(RAW, next_step=RAW, details=RAW)
    seen = shown(error_event(error))
    check(seen.out)
    check(seen.err)
    assert len([line for line in seen.err.splitlines() if line.startswith("error: ")]) == 1
