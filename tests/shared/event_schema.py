"""Events held against bertbuild/report/events.schema.json: one that it does not describe fails the test that saw it."""

from __future__ import annotations

import json
from functools import cache

import fastjsonschema

from bertbuild.project import ROOT

SCHEMA = json.loads((ROOT / "bertbuild" / "report" / "events.schema.json").read_text(encoding="utf-8"))
PREFIX = "event_"
KINDS = {name.removeprefix(PREFIX): value for name, value in SCHEMA["$defs"].items() if name.startswith(PREFIX)}


@cache
def _validator(kind):
    """Compiled for one kind of event: quicker than to try all, and what is wrong is said of the right one."""
    return fastjsonschema.compile({"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{PREFIX}{kind}"})


def check(event):
    """Fail where the event is of no known kind, lacks a field, or has one that is not described."""
    assert event["event"] in KINDS, f"{event['event']}: no such event in events.schema.json"
    try:
        _validator(event["event"])(dict(event))
    except fastjsonschema.JsonSchemaValueException as error:
        raise AssertionError(f"{error.message} (events.schema.json): {json.dumps(event)[:500]}") from None
