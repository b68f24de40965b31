"""What was made before: the last result of each step, and what its key was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.engine.gate import PARITY, judged_by, judged_from
from bertbuild.errors import StoreError
from bertbuild.files.digests import DigestCache
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File, Step, Target
from bertbuild.stages import MANIFEST, PROVENANCE
from bertbuild.store.other_keys import PROBES
from bertbuild.store.records import Record, read_records
from bertbuild.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A result, and the components of its key as far as they are still known.

    Attributes:
        stage: what made it.
        key: its key; "" where it is not known.
        place: its folder in objects/, which may be gone.
        params: flag → value.
        inputs: digests by name; only those of files where the result is gone.
        code: digest, None where the result is gone.
        environment: facts, None where the result is gone.
        isolation: the name of the place where its stage ran; "" where it did in none, or that is not known.
        made: unix seconds.
        digest: of its content, "" where the result is gone.
        format: the key format it was made under, None where the result is gone.
    """

    stage: str
    key: str
    place: Path
    params: Mapping[str, str]
    inputs: Mapping[str, str]
    code: str | None = None
    environment: Mapping[str, str] | None = None
    isolation: str = ""
    made: float = 0.0
    digest: str = ""
    format: int | None = None


class History:
    """The records and results of a store; each is read when it is first asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of_stage: dict[str, list[Past]] = {}

    @cached_property
    def _records(self) -> dict[tuple[str, str], Record]:
        paths = (self._store.root / "targets").glob("*/*.json")
        read = filter(None, (self._read(path.parent.name, path.stem) for path in paths))
        return {(record.model, record.target.name): record for record in read}

    def _read(self, model: str, target: str) -> Record | None:
        try:
            return next(read_records(self._store, model, target), None)
        except StoreError:
            return None  # a build will write it again

    def record(self, model: str, target: str) -> Record | None:
        """A target as it was last built, None where it never was."""
        return self._records.get((model, target))

    def of_step(self, model: str, target: Target, step: Step) -> Past | None:
        """The last result of a step of a target, if that target was ever built."""
        record = self.record(model, target.name)
        name = None if record is None else _counterpart(record, target, step)
        if record is None or name is None:
            return None
        stage, key = record.results[name]
        return self._past(stage, key) or _remembered(record.plan.step(name), key, self._store.objects / stage / key)

    def of_gate(self, model: str, target: Target) -> Past | None:
        """The last verdict on a target, if that target was ever judged: found by what it was made from."""
        record = self.record(model, target.name)
        if record is None:
            return None
        then = record.target
        steps = judged_from(then)
        made = {name: self._past(*record.results[step]) for name, step in steps.items() if step in record.results}
        inputs = {name: past.digest for name, past in made.items() if past is not None}
        unknown = Past(
            stage=PARITY,
            key="",
            place=self._store.objects / PARITY,
            params=judged_by(record.plan, then),
            inputs=inputs,
        )
        alike = (past for past in self._made(PARITY) if inputs and inputs.items() <= past.inputs.items())
        return next(alike, unknown)

    def of_source(self, model: str, stage: str) -> Past | None:
        """The newest result of a stage that targets of a model begin with: what was imported or trained."""
        folder = self._store.objects / stage
        made = {
            source.path.name
            for record in self._records.values()
            for step in record.plan.steps
            for source in step.inputs.values()
            if record.model == model and isinstance(source, File) and source.path.parent == folder.resolve()
        }
        return max(filter(None, (self._past(stage, key) for key in made)), key=lambda past: past.made, default=None)

    def of_digest(self, stage: str, digest: str) -> Past | None:
        """The newest result of a stage with this content."""
        return next((past for past in self._made(stage) if past.digest == digest), None)

    def nearest(self, stage: str, parts: Mapping[str, Any]) -> Past | None:
        """Of a stage's results that share an input with `parts` (components, unknown ones None), the one most alike."""
        alike = [past for past in self._made(stage) if _common(past.inputs, parts["inputs"]) - {PROBES}]
        return max(alike, key=lambda past: _likeness(past, parts), default=None)  # the first, which is the newest

    def fitting(self, stage: str, parts: Mapping[str, Any]) -> list[Past]:
        """The results of a stage whose components are `parts`, if what is unknown (None) turns out so."""
        return [past for past in self._made(stage) if _fits(past, parts)]

    def _made(self, stage: str) -> list[Past]:
        """All results of a stage, the newest first."""
        if stage not in self._of_stage:
            names = [path.name for path in (self._store.objects / stage).glob("*")]
            found = filter(None, (self._past(stage, key) for key in names))
            self._of_stage[stage] = sorted(found, key=lambda past: (-past.made, past.key))
        return self._of_stage[stage]

    def _past(self, stage: str, key: str) -> Past | None:
        place = self._store.objects / stage / key
        try:
            manifest = parse_json((place / MANIFEST).read_text(encoding="utf-8"))
            parts = manifest["components"]
            return Past(
                stage=stage,
                key=key,
                place=place,
                params=dict(parts["params"]),
                inputs=dict(parts["inputs"]),
                code=str(parts["code"]),
                environment=dict(parts["environment"]),
                isolation=str(manifest["isolation"] if "isolation" in manifest else _before(parts["environment"])),
                made=(place / MANIFEST).stat().st_mtime,
                digest=str(manifest["digest"]),
                format=int(parts["format"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # gone, or damaged


def _before(environment: Mapping[str, str]) -> str:
    """Where a result was made whose manifest does not say it yet: what only that place put into an environment."""
    return "docker" if "image" in environment else "venv" if "machine" in environment else ""


def changed_files(past: Past, name: str, file: File, digests: DigestCache) -> tuple[str, ...]:
    """The files of an input that are others now than when a result was made from it; none where that is not known.

    Args:
        past: the result, beside which provenance.json has the sha256 of each file.
        name: of the input.
        file: the input now.
        digests: of plain sha256.
    """
    before = dict(_files_before(past, name))
    if not before or not file.files:
        return ()
    now = {part: digests.of(file.path / part) for part in file.files}
    return tuple(part for part in sorted(before.keys() | now) if before.get(part) != now.get(part))


def _files_before(past: Past, name: str) -> Iterator[tuple[str, str]]:
    try:
        statement = parse_json((past.place / PROVENANCE).read_text(encoding="utf-8"))
        for entry in statement["predicate"]["buildDefinition"]["resolvedDependencies"]:
            if entry["name"].startswith(f"{name}/") and "sha256" in entry.get("digest", {}):
                yield entry["name"].removeprefix(f"{name}/"), entry["digest"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # made before there were any


def _counterpart(record: Record, target: Target, step: Step) -> str | None:
    """The step of a record that does what a step of the same target does now; names of steps follow parameters."""
    then = record.target
    roles = {target.step: then.step, target.reference: then.reference, target.answers: then.answers}
    made = {name: stage for name, (stage, _) in record.results.items() if stage == step.stage}
    same = roles.get(step.id, step.id)
    if same in made:
        return same
    others = [name for name in made if name not in roles.values()]
    return others[0] if len(others) == 1 and step.id not in roles else None


def _remembered(step: Step, key: str, place: Path) -> Past:
    """What the record of a result says that is gone."""
    inputs = {name: source.digest for name, source in step.inputs.items() if isinstance(source, File)}
    return Past(stage=step.stage, key=key, place=place, params=step.params, inputs=inputs)


def _common(one: Mapping[str, str], other: Mapping[str, str | None]) -> set[str]:
    return {name for name, value in one.items() if other.get(name) == value}


def _likeness(past: Past, parts: Mapping[str, Any]) -> int:
    equal: int = len(_common(past.params, parts["params"])) + len(_common(past.inputs, parts["inputs"]))
    equal += past.code == parts["code"]
    return equal + len(_common(past.environment or {}, parts["environment"] or {}))


def _fits(past: Past, parts: Mapping[str, Any]) -> bool:
    inputs: Mapping[str, str | None] = parts["inputs"]
    return (
        past.format == keys.KEY_FORMAT
        and past.code == parts["code"]
        and past.params == parts["params"]
        and parts["environment"] in (None, past.environment)
        and past.inputs.keys() == inputs.keys()
        and all(value in (None, past.inputs[name]) for name, value in inputs.items())
    )
