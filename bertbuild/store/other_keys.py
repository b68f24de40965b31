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


def other_format(store: Store, stage: str, parts: Mapping[str, Any]) -> int | None:
    """The key format of a result that was made from some of these inputs, where it is another one; else None."""
    found = (_format(path, parts) for path in (store.objects / stage).glob(f"*/{MANIFEST}"))
    return next((number for number in found if number not in (None, keys.KEY_FORMAT)), None)


def _format(manifest: Path, parts: Mapping[str, Any]) -> int | None:
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # it is gone, or damaged
        made = parse_json(manifest.read_text(encoding="utf-8"))["components"]
        if any(made["inputs"].get(name) == value for name, value in parts["inputs"].items() if name != PROBES):
            return int(made["format"])
    return None
