"""The in-toto statement beside each result: how it was made, as SLSA's provenance says it.

Fields: https://slsa.dev/spec/v1.0/provenance and https://github.com/in-toto/attestation/tree/main/spec/v1;
docs/provenance.md says what ours mean.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bertbuild import __version__, keys
from bertbuild.backends import lock_name
from bertbuild.files.digests import DigestCache, sha256_file
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File
from bertbuild.provenance.sbom import Materials
from bertbuild.stages import FACTS, MANIFEST, PROVENANCE
from bertbuild.store.store import MADE, StoredObject

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://bertbuild.org/stage/v1"
PACKAGE_TYPE = "https://bertbuild.org/package/v1"
"""The buildType of a package's statement (`packaging/origin.py`)."""
TARGET = "target"
"""What that calls the target it was made of: the first dependency, and the target's own parameters."""
BUILDER = "https://bertbuild.org/builder"
"""Followed by where the stage ran, the name of a place, as /docker or /venv; or /host for what bertbuild makes."""

HOST = "host"

KEY_DIGEST = "bertbuild"
"""The name in a DigestSet of the digest that a key holds of an input: of several files, or of one in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a result was made from, under one name.

    Attributes:
        name: the stage's flag.
        digest: what the key holds of it.
        files: plain sha256 of each file, by its name below the input.
        stage: of a result of another stage: which; else empty.
        key: likewise, its key.
        provenance: likewise, the sha256 of its own statement; None where it was made before there were any.
        made: likewise, of the files that the host added to, their sha256 as the stage wrote them ("" for none).
    """

    name: str
    digest: str
    files: Mapping[str, str]
    stage: str = ""
    key: str = ""
    provenance: str | None = None
    made: Mapping[str, str] = field(default_factory=dict)


def file_named(name: str, file: File, digests: DigestCache) -> Input:
    """A file or folder that was given (all of one without a list of files); `digests` remembers plain sha256."""
    parts = file.files
    if file.path.is_dir() and not parts:
        parts = tuple(str(path.relative_to(file.path)) for path in file.path.rglob("*") if path.is_file())
    paths = {part: file.path / part for part in parts} or {file.path.name: file.path}
    return Input(name=name, digest=file.digest, files={part: digests.of(path) for part, path in paths.items()})


def result_named(name: str, stored: StoredObject) -> Input:
    """A result of another stage: its manifest has all there is to say."""
    files: Mapping[str, Any] = stored.manifest["files"]
    return Input(
        name=name,
        digest=stored.digest,
        files={part: entry["sha256"] for part, entry in files.items() if part != PROVENANCE},
        stage=stored.stage,
        key=stored.key,
        provenance=files[PROVENANCE]["sha256"] if PROVENANCE in files else None,
        made={part: entry[MADE] for part, entry in files.items() if MADE in entry},
    )


def facts_in(folder: Path) -> dict[str, Any] | None:
    """What a stage left in its stage.json, None where there is none that can be read."""
    try:
        facts = parse_json((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def statement(
    *,
    parts: Mapping[str, Any],
    files: Mapping[str, Any],
    inputs: Iterable[Input],
    isolation: str,
    environment: Iterable[Mapping[str, Any]],
    materials: Materials | None,
    facts: Mapping[str, Any] | None,
    log: Path | None,
    started: float,
    finished: float,
    run: str,
) -> dict[str, Any]:
    """Say how a result was made.

    Args:
        parts: the components of its key (`key.components`).
        files: its files: name → {"bytes", "sha256"}, as `Store.publish` gives them.
        inputs: one for each name in the components' inputs.
        isolation: the name of the place where it was made; "" for what bertbuild made itself.
        environment: what the environment is made of besides its lock file (`Isolation.dependencies`).
        materials: the backend it was made by, its lock file and SBOM; None for what bertbuild made itself.
        facts: what its stage.json says (`facts_in`), or None.
        log: of the stage that made it, ended and whole; None where there was none.
        started: when that began, in unix seconds.
        finished: when it had ended.
        run: the id of the command's run.
    """
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": entry["sha256"]}, **_as_made(entry.get(MADE))}
            for name, entry in sorted(files.items())
            if name not in {MANIFEST, PROVENANCE}
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "stage": parts["stage"],
                    "params": dict(parts["params"]),
                    "inputs": sorted(parts["inputs"]),
                },
                "internalParameters": {
                    "key": keys.digest(dict(parts)),
                    "keyFormat": parts["format"],
                    "code": parts["code"],
                    "isolation": isolation or HOST,
                    "environment": dict(parts["environment"]),
                },
                "resolvedDependencies": [
                    *(entry for source in inputs for entry in _dependencies(source)),
                    *map(dict, environment),
                    *(_materials(materials) if materials else ()),
                ],
            },
            "runDetails": {
                "builder": {
                    "id": f"{BUILDER}/{isolation or HOST}",
                    "version": {"bertbuild": __version__, "python": platform.python_version()},
                },
                "metadata": {
                    "invocationId": run,
                    "startedOn": timestamp(started),
                    "finishedOn": timestamp(finished),
                },
                "byproducts": list(_byproducts(files, facts, log)),
            },
        },
    }


def timestamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def result_uri(stage: str, key: str) -> str:
    """The name of a result, in whichever store it lies."""
    return f"bertbuild:{stage}/{key}"


def _dependencies(source: Input) -> Iterator[dict[str, Any]]:
    """The input as the key knows it; then what others can check: another stage's statement, or the files."""
    entry: dict[str, Any] = {"name": source.name, "digest": {KEY_DIGEST: source.digest}}
    if source.stage:
        entry["uri"] = result_uri(source.stage, source.key)
        entry["annotations"] = {"stage": source.stage, "key": source.key}
    yield entry
    if source.provenance is not None:
        yield {
            "name": f"{source.name}/{PROVENANCE}",
            "digest": {"sha256": source.provenance},
            "mediaType": "application/json",
        }
    for name, sha256 in sorted(source.files.items()):
        yield {"name": f"{source.name}/{name}", "digest": {"sha256": sha256}, **_as_made(source.made.get(name))}


def _as_made(sha256: str | None) -> dict[str, Any]:
    """The note on a file that the host added to: its sha256 as the stage wrote it; "" where it wrote none."""
    return {} if sha256 is None else {"annotations": {MADE: sha256}}


def _materials(materials: Materials) -> Iterator[dict[str, Any]]:
    yield {
        "name": lock_name(materials.backend),
        "digest": {"sha256": materials.lock},
        "mediaType": "text/plain",
    }
    yield {
        "name": f"sbom/{materials.name}",
        "digest": {"sha256": materials.sha256},
        "mediaType": "application/vnd.cyclonedx+json; version=1.6",
    }


def _byproducts(
    files: Mapping[str, Any], facts: Mapping[str, Any] | None, log: Path | None
) -> Iterator[dict[str, Any]]:
    if log is not None:
        yield {"name": f"logs/{log.name}", "digest": {"sha256": sha256_file(log)}, "mediaType": "text/plain"}
    if facts is not None and FACTS in files:
        yield {
            "name": FACTS,
            "digest": {"sha256": files[FACTS]["sha256"]},
            "mediaType": "application/json",
            "annotations": {"python": facts.get("python", ""), "packages": facts.get("packages", {})},
        }
