"""A result that is wanted: what makes it, of what, and what is known of it and of what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bertbuild import keys
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File
from bertbuild.stages import FACTS
from bertbuild.store.store import StoredObject

Inputs = Mapping[str, File | StoredObject]


@dataclass(frozen=True, kw_only=True)
class Order:
    """A result that is wanted.

    Attributes:
        stage: what makes it.
        parts: what its key is made of.
        sources: what it is made from, by the names that `parts` has.
        told: what each event about it holds: `id`, and `job` and `model` where it belongs to one.
        backend: of the stage; empty for what the host makes itself.
        shared: whether it may come from the remote store, and go there.
    """

    stage: str
    parts: dict[str, Any]
    sources: Inputs
    told: Mapping[str, str]
    backend: str = ""
    shared: bool = False

    @cached_property
    def key(self) -> str:
        """The digest of the parts."""
        return keys.digest(self.parts)


def made_by(inputs: Inputs) -> list[str]:
    """The stages that made a step's inputs."""
    return [source.stage for source in inputs.values() if isinstance(source, StoredObject)]


def input_bytes(inputs: Inputs) -> int:
    """The size of what a step reads."""
    return sum(
        object_bytes(source) if isinstance(source, StoredObject) else _file_bytes(source) for source in inputs.values()
    )


def object_bytes(stored: StoredObject) -> int:
    """The size of a result."""
    return sum(int(entry["bytes"]) for entry in stored.manifest["files"].values())


def _file_bytes(file: File) -> int:
    paths = [file.path / name for name in file.files] or [file.path]
    return sum(path.stat().st_size for path in paths if path.is_file())


def figures_of(stored: StoredObject) -> dict[str, Any]:
    """What is told of a result that was just made: its size, and what its stage says it took."""
    figures: dict[str, Any] = {"bytes": object_bytes(stored)}
    try:
        ran = parse_json((stored.path / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return figures  # made by the host itself
    for name, told in (("peak_memory_bytes", "peak_memory"), ("cpu_seconds", "cpu_seconds")):
        if isinstance(ran, dict) and name in ran:
            figures[told] = ran[name]
    return figures
