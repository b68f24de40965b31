"""What a statement of ours says: of a result, or of a package and the target that was packed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertbuild.provenance.statement import KEY_DIGEST, PACKAGE_TYPE, TARGET
from bertbuild.store.store import MADE


class Made:
    """What a statement of ours says, by our names for it."""

    def __init__(self, statement: Mapping[str, Any]) -> None:
        definition = statement["predicate"]["buildDefinition"]
        external, internal = definition["externalParameters"], definition["internalParameters"]
        named = {_name(entry): entry for entry in definition["resolvedDependencies"]}
        self.packed: tuple[str, str, str] | None = None
        """Of a package: stage, key and digest of the target that was packed; else None."""
        if definition["buildType"] == PACKAGE_TYPE:
            external, internal, target = external[TARGET], internal[TARGET], named[TARGET]
            facts = target["annotations"]
            self.packed = str(facts["stage"]), str(facts["key"]), str(target["digest"][KEY_DIGEST])
        self.files: dict[str, str] = {_name(entry): entry["digest"]["sha256"] for entry in statement["subject"]}
        self.made = {_name(entry): note for entry in statement["subject"] if (note := _made(entry)) is not None}
        self.inputs_made = {name: note for name, entry in named.items() if (note := _made(entry)) is not None}
        self.inputs = {name: named[name] for name in external["inputs"]}
        self.sha256: dict[str, str] = {
            name: entry["digest"]["sha256"] for name, entry in named.items() if "sha256" in (entry.get("digest") or {})
        }
        self.key = str(internal["key"])
        self.stage = str(external["stage"])
        self.isolation = internal.get("isolation")
        self.environment = dict(internal["environment"])
        self.components = {
            "format": internal["keyFormat"],
            "stage": self.stage,
            "code": internal["code"],
            "environment": self.environment,
            "params": external["params"],
            "inputs": {name: entry["digest"][KEY_DIGEST] for name, entry in self.inputs.items()},
        }

    @property
    def label(self) -> str:
        """How people are told of it."""
        return f"{self.stage} {self.key[:12]}"

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Its files as a manifest has them, but for their sizes."""
        return {
            name: {"sha256": sha256, **({MADE: self.made[name]} if name in self.made else {})}
            for name, sha256 in self.files.items()
        }

    def files_of(self, name: str) -> dict[str, str]:
        """The sha256 of an input's files by name, its statement among them."""
        return {path[len(name) + 1 :]: value for path, value in self.sha256.items() if path.startswith(f"{name}/")}


def _made(entry: Mapping[str, Any]) -> str | None:
    """Of a file that the host added to, its sha256 as the stage wrote it; None of others."""
    notes = entry.get("annotations")
    found = notes.get(MADE) if isinstance(notes, dict) else None
    return found if isinstance(found, str) else None


def _name(entry: Mapping[str, Any]) -> str:
    name = entry["name"]
    if not isinstance(name, str) or not name:
        raise ValueError("something without a name")
    return name
