"""What would run and why, in words and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bertbuild.engine.staleness import CODE, ENVIRONMENT, FORMAT, INPUT, NEW, PARAMETER, UP_TO_DATE, Change, Check

SHOWN_DIGITS = 12

Files = Callable[[Check, Change], tuple[str, ...]]
"""Which files of an input changed, as far as that is known."""


def in_short(check: Check) -> str:
    """Why a job would run, in a few words."""
    if check.state == UP_TO_DATE:
        return check.reason or UP_TO_DATE
    words = [check.reason] if check.reason else []
    if check.own:
        words += [_short_change(change) for change in check.changes]
    if check.reason != NEW:
        words += [f"{_awaited(name)} made again" for name, _ in check.awaits if _awaited(name) not in words]
    return "; ".join(dict.fromkeys(words))


def in_full(check: Check, files: Files) -> Iterator[str]:
    """The same with old and new values: a line for each reason."""
    if check.reason:
        yield check.reason
    if check.past is not None and check.changes and not check.own:
        yield f"most like it is {check.stage} {_digits(check.past.key)}, but for:"
    yield from (_full_change(check, change, files(check, change)) for change in check.changes)
    again = [(name, job) for name, job in check.awaits if name != ENVIRONMENT and check.reason != NEW]
    yield from (f"{INPUT} {name}: made again first, by {job}" for name, job in again)
    if not (check.reason or check.changes or again):
        yield f"{ENVIRONMENT}: made first"


def as_json(check: Check, files: Files | None = None) -> dict[str, Any]:
    """For programs; `past` is the last result of the step, `nearest` one like it where there is none."""
    return {
        "job": check.job,
        "kind": check.kind,
        "model": check.model,
        "id": check.name,
        "stage": check.stage,
        "state": check.state,
        "key": check.key,
        "reason": in_short(check),
        "changes": [_change_as_json(change, files(check, change) if files else ()) for change in check.changes],
        "awaits": [{"input": name, "job": job} for name, job in check.awaits],
        "past": (check.past.key or None) if check.past and check.own else None,
        "nearest": check.past.key if check.past and not check.own else None,
    }


def _change_as_json(change: Change, files: tuple[str, ...]) -> dict[str, Any]:
    value: dict[str, Any] = {"kind": change.kind, "name": change.name, "old": change.old, "new": change.new}
    if change.kind == INPUT:
        value |= {"made_by": change.made_by, "files": list(files)}
        value["path"] = str(change.file.path) if change.file else None
    return value


def _short_change(change: Change) -> str:
    if change.kind == PARAMETER:
        return f"{PARAMETER} {change.name} {_value(change.old)} → {_value(change.new)}"
    return f"{change.kind} {change.name}" if change.kind == INPUT else change.kind


def _full_change(check: Check, change: Change, files: tuple[str, ...]) -> str:
    if change.kind == FORMAT:
        return f"{FORMAT}: {change.old} → {change.new}, another version of bertbuild made it"
    what = f"{CODE} of the {check.kind}" if change.kind == CODE else f"{change.kind} {change.name}"
    shown = _value if change.kind == PARAMETER else _digits
    line = f"{what}: {shown(change.old)} → {shown(change.new)}"
    if change.made_by:
        return f"{line}, made by {change.made_by}"
    if change.file is None:
        return line
    return f"{line}, {change.file.path}" + (f" ({', '.join(files)} changed)" if files else "")


def _awaited(name: str) -> str:
    return ENVIRONMENT if name == ENVIRONMENT else f"{INPUT} {name}"


def _value(value: str | None) -> str:
    return "none" if value is None else value


def _digits(value: str | None) -> str:
    """A digest cut short; facts that are none, as a version, whole."""
    text = _value(value)
    digest = text.removeprefix("sha256:")
    return digest[:SHOWN_DIGITS] if len(digest) == 64 else text
