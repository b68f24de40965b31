"""Whether a JSON value is an in-toto Statement v1 with SLSA provenance v1: the specifications' rules, field by field.

https://github.com/in-toto/attestation/tree/main/spec/v1 (statement, resource_descriptor, digest_set, field_types) and
https://slsa.dev/spec/v1.0/provenance. Unknown fields are allowed, as they ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from bertbuild.provenance.statement import PREDICATE, STATEMENT

_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*[A-Z]")
_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?Z")
_HEX = re.compile(r"[0-9a-f]+")
_SHA256_LENGTH = 64

Check = Callable[[Any, str], Iterator[str]]


def problems(value: Any) -> list[str]:
    """What keeps a value from being such a statement: "field: what is wrong", nothing where it is one."""
    return list(_statement(value))


def _statement(value: Any) -> Iterator[str]:
    yield from _object(
        value,
        "statement",
        required={
            "_type": _exactly(STATEMENT),
            "subject": _subjects,
            "predicateType": _exactly(PREDICATE),
            "predicate": _predicate,
        },
    )


def _subjects(value: Any, where: str) -> Iterator[str]:
    yield from _each(_descriptor)(value, where)
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict) and not entry.get("digest"):
            yield f"{where}[{index}]: has no digest"
    names = [entry.get("name") for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield f"{where}: {name} stands there twice"


def _predicate(value: Any, where: str) -> Iterator[str]:
    yield from _object(value, where, required={"buildDefinition": _definition, "runDetails": _run})


def _definition(value: Any, where: str) -> Iterator[str]:
    yield from _object(
        value,
        where,
        required={"buildType": _uri, "externalParameters": _object},
        optional={"internalParameters": _object, "resolvedDependencies": _each(_descriptor)},
    )


def _run(value: Any, where: str) -> Iterator[str]:
    yield from _object(
        value, where, required={"builder": _builder}, optional={"metadata": _metadata, "byproducts": _each(_descriptor)}
    )


def _builder(value: Any, where: str) -> Iterator[str]:
    yield from _object(
        value,
        where,
        required={"id": _uri},
        optional={"version": _strings, "builderDependencies": _each(_descriptor)},
    )


def _metadata(value: Any, where: str) -> Iterator[str]:
    yield from _object(value, where, optional={"invocationId": _string, "startedOn": _time, "finishedOn": _time})


def _descriptor(value: Any, where: str) -> Iterator[str]:
    yield from _object(
        value,
        where,
        optional={
            "name": _string,
            "uri": _uri,
            "digest": _digests,
            "content": _string,
            "downloadLocation": _uri,
            "mediaType": _string,
            "annotations": _object,
        },
    )
    if isinstance(value, dict) and not any(value.get(name) for name in ("uri", "digest", "content")):
        yield f"{where}: has none of uri, digest and content"


def _digests(value: Any, where: str) -> Iterator[str]:
    yield from _strings(value, where)
    for name, text in value.items() if isinstance(value, dict) else ():
        wrong_length = name == "sha256" and len(str(text)) != _SHA256_LENGTH
        if isinstance(text, str) and (wrong_length or not _HEX.fullmatch(text)):
            yield f"{where}.{name}: {text!r} is not a lower-case hexadecimal digest"


def _object(
    value: Any, where: str, *, required: dict[str, Check] | None = None, optional: dict[str, Check] | None = None
) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: is not an object"
        return
    for name, check in (required or {}).items():
        if value.get(name) is None:
            yield f"{where}.{name}: is missing"
        else:
            yield from check(value[name], f"{where}.{name}")
    for name, check in (optional or {}).items():
        if value.get(name) is not None:  # unset and null mean the same
            yield from check(value[name], f"{where}.{name}")


def _each(check: Check) -> Check:
    def checked(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where}: is not an array"
            return
        for index, entry in enumerate(value):
            yield from check(entry, f"{where}[{index}]")

    return checked


def _exactly(expected: str) -> Check:
    def checked(value: Any, where: str) -> Iterator[str]:
        if value != expected:
            yield f"{where}: is {value!r}, not {expected!r}"

    return checked


def _string(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{where}: is not a string"


def _strings(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
        yield f"{where}: is not a map of strings"


def _uri(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str) or not _URI.fullmatch(value) or _HOST.match(value):
        yield f"{where}: {value!r} is not a URI with scheme and host in lower case"


def _time(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        yield f"{where}: {value!r} is not a time of RFC 3339 in UTC"
