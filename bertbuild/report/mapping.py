"""The table of a converted model's variables: what each was called and is called now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.object_graph import without_suffix
from bertbuild.json_text import parse_json
from bertbuild.plans.parts import Part

MAPPING = "mapping.json"
"""The file in a converted model's folder that has it."""


def parts_left_out(folder: Path) -> list[Part]:
    """What the table in a folder says was left out, by the reason why."""
    names: dict[str, list[str]] = {}
    for row in _read(folder)["left_out"]:
        names.setdefault(row["reason"], []).append(row["source"])
    return [Part(kind=reason, what=reason, names=tuple(found)) for reason, found in names.items()]


def mapping_table(folder: Path, sides: Sequence[str]) -> dict[str, Any]:
    """The event "table" of a converted model's folder; `sides` are what it was made from and what it is."""
    table = _read(folder)
    rows = [
        [without_suffix(row["source"]), without_suffix(row["target"]), str(row["shape"]), row["change"]]
        for row in table["variables"]
    ]
    rows += [[row["source"], "left out", "", row["reason"]] for row in table["left_out"]]
    return {"event": "table", "title": "mapping", "columns": [*sides, "shape", "change"], "rows": rows}


def _read(folder: Path) -> dict[str, Any]:
    return dict(parse_json((folder / MAPPING).read_text(encoding="utf-8")))
