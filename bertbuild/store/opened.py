"""What the names in out/ really lead to, held against what is on record of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bertbuild.errors import StoreError
from bertbuild.store.naming import Given
from bertbuild.store.records import Record
from bertbuild.store.store import Store

OUT = "out"

Manifests = Mapping[tuple[str, str], Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misled:
    """A name in out/ that does not lead to the result on record.

    Attributes:
        model: its folder in out/; empty where something lies in out/ itself.
        target: the name in there.
        problem: what is wrong, as a sentence without its end.
    """

    model: str
    target: str
    problem: str

    @property
    def name(self) -> str:
        """As people type it."""
        return f"{self.model}/{self.target}".lstrip("/")


def misled(
    store: Store, records: Iterable[Record], wanted: Callable[[str, str], bool] = lambda _model, _target: True
) -> list[Misled]:
    """The names in out/ that lead elsewhere than to the result on record of them, or are on no record.

    Args:
        store: whose names; only their results' manifests are read.
        records: of all targets.
        wanted: whether a name (model, target) is looked at; all are where it is not given.
    """
    recorded = list(records)
    of = {(record.model, record.target.name): given(record) for record in recorded}
    manifests = manifests_of(recorded)
    found = []
    for model, target in _names(store.root / OUT):
        if wanted(model, target):
            known = of.get((model, target)) or store.names.given(model, target)
            problem = _problem(store, model, target, known, manifests)
            if problem:
                found.append(Misled(model=model, target=target, problem=problem))
    return found


def given(record: Record) -> Given:
    """The result that a target's record names; `changed` looks at its manifest."""
    stage, key = record.results[record.target.step]
    return Given(stage=stage, key=key, manifest="")


def manifests_of(records: Iterable[Record]) -> dict[tuple[str, str], set[str]]:
    """(stage, key) of a result → its manifests on record, by digest: several where it was made again in between."""
    found: dict[tuple[str, str], set[str]] = {}
    for record in records:
        for step, manifest in record.manifests.items():
            found.setdefault(record.results[step], set()).add(manifest)
    return found


def changed(store: Store, record: Record, manifests: Manifests) -> Iterator[tuple[Path, str]]:
    """Results of a record whose files, manifest and statement were changed together: folder, what is wrong.

    What is missing or does not fit its own manifest is not told here.

    Args:
        store: where they lie.
        record: whose results.
        manifests: `manifests_of` all records: what another target's build made again is known by that one's.
    """
    for step, (stage, key) in record.results.items():
        path = store.objects / stage / key
        known = record.contents.get(step)
        try:
            stored = store.peek(path)
        except StoreError:
            continue
        if known is not None and stored.digest != known:
            yield path, f"{stage} {key[:12]} has other content than when it was recorded"
        elif step in record.manifests and stored.manifest_digest not in manifests[stage, key]:
            yield path, _other_statement(stage, key)


def _names(out: Path) -> Iterator[tuple[str, str]]:
    """All that lies in out/MODEL/, and what lies in out/ and is no folder; names with a dot are temporary."""
    for folder in sorted(out.glob("*")):
        if not folder.name.startswith("."):
            if folder.is_dir():
                yield from ((folder.name, path.name) for path in sorted(folder.glob("*")) if path.name[0] != ".")
            else:
                yield "", folder.name


def _problem(store: Store, model: str, target: str, known: Given | None, manifests: Manifests) -> str:
    place = store.root / OUT / model / target
    name = f"{OUT}/{model}/{target}" if model else f"{OUT}/{target}"
    if known is None:
        return f"{name} is on no record: bertbuild did not give this name"
    if not place.is_symlink():
        return f"{name} is no longer a name: something else lies in its place"
    if known.stage == "":  # given before results were noted: any of this store's
        of_store = Path(os.path.realpath(place)).parent.parent == store.objects.resolve()
        return "" if of_store else f"{name} leads to {os.path.realpath(place)}, which is not a result of this store"
    return _misleading(store, place, name, known, manifests)


def _misleading(store: Store, place: Path, name: str, known: Given, manifests: Manifests) -> str:
    """What is wrong with a name's link; damage is told of the result."""
    real = os.path.realpath(place)
    there = store.objects / known.stage / known.key
    if real != os.path.realpath(there):
        return f"{name} leads to {_told(store, real)}, and {known.stage} {known.key[:12]} is on record of it"
    if not there.exists():
        return f"{name} leads to {known.stage} {known.key[:12]}, which is not there"
    with contextlib.suppress(StoreError):
        of_a_build = manifests.get((known.stage, known.key), ())
        if known.manifest and store.peek(there).manifest_digest not in {known.manifest, *of_a_build}:
            return f"{name}: {_other_statement(known.stage, known.key)}"
    return ""


def _other_statement(stage: str, key: str) -> str:
    return f"{stage} {key[:12]} has another manifest or statement than when it was recorded"


def _told(store: Store, real: str) -> str:
    """A path in short: a result of the store by stage and key."""
    path, objects = Path(real), store.objects.resolve()
    if path.is_relative_to(objects) and len(path.relative_to(objects).parts) == 2:
        return f"{path.parent.name} {path.name[:12]}"
    return real
