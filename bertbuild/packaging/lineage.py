"""The models, trainings and data sets that a target comes from, as far as the store and the catalogue know them.

A result's statement names what it was made from: a result of another stage by its key, files by their sha256. Files
that the user named are looked for by that among the store's results and in the catalogue; what neither has is the
user's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.catalogue.datasets import Dataset, find_dataset
from bertbuild.catalogue.lockfile import read_lock
from bertbuild.catalogue.models import Model, find_model, load_models
from bertbuild.errors import UnknownModelError
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.files.disk import read_json
from bertbuild.json_text import parse_json
from bertbuild.stages import MANIFEST, PROVENANCE
from bertbuild.store.store import Store
from bertbuild.text.words import TOKENIZER_FILES

SHARED = (*TOKENIZER_FILES, CONFIG_FILE, "tokenizer.json", "text.json")
"""Files that models of several origins have alike."""
WEIGHTS = (".data-00000-of-00001", ".safetensors")
TRAININGS = ("finetune", "tf2-train")
DATA = "prepare-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a target comes from.

    Attributes:
        models: of the catalogue.
        datasets: likewise.
        own_tasks: names of tasks on the user's own data.
        trainings: stage, and its parameters but for paths, the first of them first.
    """

    models: tuple[Model, ...]
    datasets: tuple[Dataset, ...]
    own_tasks: tuple[str, ...]
    trainings: tuple[tuple[str, Mapping[str, str]], ...]

    @property
    def is_known(self) -> bool:
        """Whether the weights were traced to the catalogue."""
        return bool(self.models)


def lineage(store: Store, stage: str, key: str, task: str, lock: Path) -> Lineage:
    """The lineage of a result of the store.

    Args:
        store: that has it.
        stage: that made it.
        key: of it.
        task: that its text.json names, "" for none.
        lock: models.lock.json, which has hashes of models that nobody published any of.
    """
    models: dict[str, Model] = {}
    tasks = [task] if task else []
    trainings: list[tuple[str, Mapping[str, str]]] = []
    known, weights = _results(store), _weights(lock)
    seen, waiting = set(), [(stage, key)]
    while waiting:
        result = waiting.pop()
        if result in seen:
            continue
        seen.add(result)
        params, inputs = _made(store.objects.joinpath(*result))
        if result[0] in TRAININGS:
            trainings.insert(0, (result[0], params))
        if result[0] == DATA:
            tasks.append(params.get("own-name") or params.get("task", ""))
        for source in inputs:
            found = source.result or _alike(source.files, known)
            if found:
                waiting.append(found)
            for sha256 in source.files.values():
                if name := weights.get(sha256):
                    models[name] = find_model(name)
    datasets = {name: _dataset(name) for name in dict.fromkeys(filter(None, tasks))}
    return Lineage(
        models=tuple(models[name] for name in sorted(models)),
        datasets=tuple(found for _, found in sorted(datasets.items()) if found),
        own_tasks=tuple(name for name, found in sorted(datasets.items()) if not found),
        trainings=tuple(trainings),
    )


def _dataset(task: str) -> Dataset | None:
    try:
        return find_dataset(task)
    except UnknownModelError:
        return None


@dataclass(frozen=True, slots=True)
class _Source:
    """An input of a result: the result that it is, if the statement says so, and the sha256 of its files."""

    result: tuple[str, str] | None
    files: Mapping[str, str]


def _made(folder: Path) -> tuple[dict[str, str], list[_Source]]:
    """Parameters and inputs of a result; nothing of one that is gone or has no statement."""
    try:
        definition = parse_json((folder / PROVENANCE).read_text(encoding="utf-8"))["predicate"]["buildDefinition"]
        names = definition["externalParameters"]["inputs"]
        entries = definition["resolvedDependencies"]
        return dict(definition["externalParameters"]["params"]), [_source(name, entries) for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, []


def _source(name: str, entries: list[Any]) -> _Source:
    files = {
        entry["name"].removeprefix(f"{name}/"): entry["digest"]["sha256"]
        for entry in entries
        if entry["name"].startswith(f"{name}/") and entry["name"] != f"{name}/{PROVENANCE}"
    }
    notes = next((entry.get("annotations") or {} for entry in entries if entry["name"] == name), {})
    return _Source((notes["stage"], notes["key"]) if "stage" in notes else None, files)


def _results(store: Store) -> dict[str, tuple[str, str]]:
    """sha256 of a file that is no other model's too → the result that has it."""
    found: dict[str, tuple[str, str]] = {}
    for stage in (*TRAININGS, DATA, "import", "convert-tf1", "complete"):
        for path in sorted((store.objects / stage).glob(f"*/{MANIFEST}")):
            for name, sha256 in _files(path):
                if name not in SHARED:
                    found.setdefault(sha256, (stage, path.parent.name))
    return found


def _files(manifest: Path) -> Iterator[tuple[str, str]]:
    try:
        yield from ((name, entry["sha256"]) for name, entry in read_json(manifest)["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # damaged, which `verify-store` tells


def _alike(files: Mapping[str, str], known: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    own = (sha256 for name, sha256 in sorted(files.items()) if name not in SHARED)
    return next((known[sha256] for sha256 in own if sha256 in known), None)


def _weights(lock: Path) -> dict[str, str]:
    """sha256 of a file of weights → the model of the catalogue that has it."""
    recorded = {name: entry.sha256 for name, entry in read_lock(lock).items()}
    found = {}
    for model in load_models().values():
        for file in model.files:
            sha256 = file.sha256 or recorded.get(f"{model.name}/{file.name}")
            if sha256 and file.name.endswith(WEIGHTS):
                found[sha256] = model.name
    return found
