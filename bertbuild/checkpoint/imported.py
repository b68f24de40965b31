"""Whether a checkpoint is what the stage `import` made of a Hugging Face folder, by the record beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.user_files import read_object
from bertbuild.errors import CheckpointError

RECORD: Final = "stage.json"
STAGE: Final = "import"


def import_facts(folder: Path) -> Mapping[str, Any] | None:
    """What the import told of itself (`left_out`, `gelu`, …); None for a checkpoint that was not imported."""
    if not (folder / RECORD).is_file():
        return None
    try:
        record = read_object(folder / RECORD)
    except CheckpointError:
        return None
    facts = record.get("facts")
    return facts if record.get("stage") == STAGE and isinstance(facts, dict) else None
