"""The table of a converted model's variables: what each was called and is called now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.object_graph import without_suffix

MAPPING = "mapping.json"
"""The file in a converted model's folder that has it."""


def mapping_table(folder: Path, sides: Sequence[str]) -> dict[str, Any]:
    """The event "table" of a converted model's folder; `sides` are what it was made from and what it is."""
    table = json.loads((folder / MAPPING).read_text(encoding="utf-8"))
    rows = [
        [without_suffix(row["source"]), without_suffix(row["target"]), str(row["shape"]), row["change"]]
        for row in table["variables"]
    ]
    rows += [[row["source"], "left out", "", row["reason"]] for row in table["left_out"]]
    return {"event": "table", "title": "mapping", "columns": [*sides, "shape", "change"], "rows": rows}
