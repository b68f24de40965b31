"""Results whose keys were made under another key format, by another version of bertbuild: no lookup finds them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.json_text import parse_json
from bertbuild.stages import MANIFEST
from bertbuild.store.store import Store

PROBES = "probes"
"""The input that models of the same size share, so that it says nothing of what they have in common."""


class OtherKeys:
    """Such results of a store, looked for once of each stage: what is made meanwhile has today's keys."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of: dict[str, list[tuple[Mapping[str, str], int]]] = {}

    def format(self, stage: str, parts: Mapping[str, Any]) -> int | None:
        """The key format of a result that was made from some of these inputs, where it is another one; else None."""
        if stage not in self._of:
            found = (_made(path) for path in (self._store.objects / stage).glob(f"*/{MANIFEST}"))
            self._of[stage] = [made for made in found if made and made[1] != keys.KEY_FORMAT]
        wanted = {(name, value) for name, value in parts["inputs"].items() if name != PROBES}
        return next((number for inputs, number in self._of[stage] if wanted & set(inputs.items())), None)


def _made(manifest: Path) -> tuple[Mapping[str, str], int] | None:
    """The inputs of a result, by name, and the format of its key."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # it is gone, or damaged
        made = parse_json(manifest.read_text(encoding="utf-8"))["components"]
        return {str(name): str(value) for name, value in made["inputs"].items()}, int(made["format"])
    return None
