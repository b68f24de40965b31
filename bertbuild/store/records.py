"""What is remembered of each target: its plan, its results' keys, its verdict. `verify` and `status` read it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bertbuild.errors import StoreError
from bertbuild.fields import fields_of
from bertbuild.files.disk import read_json, write_atomically
from bertbuild.gate.parity import Verdict
from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.store.store import Store, StoredObject, translated_os_errors

OF_A_STORE = ("objects", "downloads", "datasets", "probes")
"""Folders of a store in which sources lie."""

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One target as it was built.

    Attributes:
        plan: the steps that led to it, with the paths of its sources.
        target: the target itself.
        results: step id → (stage, key) in the store.
        verdict: its parity figures, None where it could not be run.
        contents: step id → the digest of its result's files; empty where it was recorded before they were noted.
        manifests: step id → the digest of its result's manifest; likewise.
    """

    model: str
    plan: Plan
    target: Target
    results: dict[str, tuple[str, str]]
    verdict: Verdict | None
    contents: Mapping[str, str] = field(default_factory=dict)
    manifests: Mapping[str, str] = field(default_factory=dict)


def write_record(
    store: Store, plan: Plan, target: Target, results: Mapping[str, StoredObject], verdict: Mapping[str, Any] | None
) -> None:
    """Remember a target, whether it passed its gate or not, or could not be asked; `verdict` as `Verdict.as_json`."""
    value = {
        "model": plan.model,
        "target": fields_of(target),
        "steps": [_step_as_json(step, store.root) for step in plan.steps],
        "results": {step_id: [stored.stage, stored.key] for step_id, stored in results.items()},
        "contents": {step_id: stored.digest for step_id, stored in results.items()},
        "manifests": {step_id: stored.manifest_digest for step_id, stored in results.items()},
        "verdict": verdict,
    }
    path = _path(store, plan.model, target.name)
    store.use(path)
    with translated_os_errors(store.root):
        if not _holds(store, path, value):
            write_atomically(Path(path), json.dumps(value, indent=1) + "\n")


def _holds(store: Store, path: str, value: Any) -> bool:
    """Whether a file is there that says just this: reading JSON is far quicker than writing it with line breaks."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return bool(_content(store, path) == value)
    return False


def _content(store: Store, path: str) -> Any:
    """The JSON of a record. A build asks for each twice: who judged it before, and whether it says the same now."""
    found = os.stat(path)  # noqa: PTH116 - see `_path`
    version = (found.st_mtime_ns, found.st_size, found.st_ino)
    known = store.recalled.get(path)
    if known is None or known[0] != version:
        known = store.recalled[path] = (version, read_json(path))
    return known[1]


def _step_as_json(step: Step, root: Path) -> dict[str, Any]:
    inputs = {
        name: _file_as_json(source, root) if isinstance(source, File) else source
        for name, source in step.inputs.items()
    }
    return {**fields_of(step), "inputs": inputs}


def _file_as_json(file: File, root: Path) -> dict[str, Any]:
    """A file with its path; one in the store by its place there, so that the store may be moved."""
    path = str(file.path).removeprefix(f"{root}/")  # pathlib takes ten times as long, for every file of every target
    return {"path": path, "digest": file.digest, "files": list(file.files)}


def read_records(store: Store, model: str = "", target: str = "") -> Iterator[Record]:
    """The records of all targets, or of one model, or of one target."""
    return _read(store, model, target, lambda value: _record(value, store.root))


def read_judged(store: Store, model: str, target: str = "") -> Iterator[tuple[Plan, Target]]:
    """Of the same records who judged each target: the target, and the steps that its gate asked, without their inputs.

    Every build asks for this; of a whole record most is the inputs' paths.
    """
    return _read(store, model, target, _judged)


def read_output(store: Store, model: str, target: str) -> str | None:
    """What a target gave when it was built last; None where it was not, or that is not told.

    Raises:
        StoreError: the record cannot be read.
    """
    return next(_read(store, model, target, _output), None)


def _output(value: Mapping[str, Any]) -> str | None:
    params = {step["id"]: step["params"] for step in value["steps"]}.get(value["target"]["reference"], {})
    return None if "output" not in params else str(params["output"])


def _read(store: Store, model: str, target: str, of: Callable[[Mapping[str, Any]], Read]) -> Iterator[Read]:
    one = [_path(store, model, target)] if model and target else None
    for path in one or sorted(map(str, (store.root / "targets").glob(f"{model or '*'}/{target or '*'}.json"))):
        try:
            with translated_os_errors(store.root):
                found = of(_content(store, path))
        except StoreError:
            if Path(path).exists():
                raise
            continue  # gc was quicker
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"The record {path} cannot be read: {error!r}.", next_step="Delete it, and build the target again."
            ) from error
        yield found


def _judged(value: Mapping[str, Any]) -> tuple[Plan, Target]:
    target = Target(**value["target"])
    steps = {step["id"]: step for step in value["steps"]}
    asked = (
        Step(id=name, stage=steps[name]["stage"], inputs={}, backend=steps[name].get("backend", ""))
        for name in target.asked
    )
    return Plan(model=value["model"], steps=tuple(asked)), target


def _record(value: Mapping[str, Any], root: Path) -> Record:
    return Record(
        model=value["model"],
        plan=Plan(model=value["model"], steps=tuple(_step(step, root) for step in value["steps"])),
        target=Target(**value["target"]),
        results={step_id: (stage, key) for step_id, (stage, key) in value["results"].items()},
        verdict=None if value["verdict"] is None else Verdict.from_json(value["verdict"]),
        contents=dict(value.get("contents", {})),
        manifests=dict(value.get("manifests", {})),
    )


def _step(value: Mapping[str, Any], root: Path) -> Step:
    inputs: dict[str, File | str] = {
        name: source if isinstance(source, str) else _file(source, root) for name, source in value["inputs"].items()
    }
    return Step(
        id=value["id"],
        stage=value["stage"],
        inputs=inputs,
        params=value["params"],
        limits=value.get("limits", {}),
        backend=value.get("backend", ""),
    )


def _file(value: Mapping[str, Any], root: Path) -> File:
    path = _in_place(Path(value["path"]), root)
    return File(path=path, digest=value["digest"], files=tuple(value.get("files", ())))


def _in_place(path: Path, root: Path) -> Path:
    """Where a recorded path lies now. Older records hold whole paths: those of a store that was moved lead nowhere."""
    if not path.is_absolute():
        return root / path
    if not path.exists():
        for number, part in enumerate(path.parts):
            if part in OF_A_STORE and (moved := root.joinpath(*path.parts[number:])).exists():
                return moved
    return path


def _path(store: Store, model: str, target: str) -> str:
    """Where a record lies; text, because pathlib takes longer to put it together than the system to look there."""
    return f"{store.root}/targets/{model}/{target}.json"
