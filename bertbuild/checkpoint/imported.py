"""Whether a checkpoint is what the stage `import` made of a Hugging Face folder, by the record beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.folder import CheckpointFiles
from bertbuild.checkpoint.user_files import read_object, read_regular
from bertbuild.errors import CheckpointError

RECORD: Final = "stage.json"
MANIFEST: Final = "manifest.json"
STAGE: Final = "import"
PREFIX: Final = "bert_model.ckpt"
"""What the import calls its checkpoint; any other in the folder came later."""


def import_facts(files: CheckpointFiles) -> Mapping[str, Any] | None:
    """What the import told of itself (`left_out`, `gelu`, …); None for a checkpoint that it did not write.

    A record holds for the checkpoint `PREFIX` of its folder alone. Where a manifest.json lies beside it, the index must
    be the one it lists too: with the checksums in it, that tells of every tensor.
    """
    if files.prefix.name != PREFIX or files.v1:
        return None
    record = _object(files.folder / RECORD)
    facts = record.get("facts")
    if record.get("stage") != STAGE or not isinstance(facts, dict):
        return None
    return facts if _as_listed(files) else None


def _as_listed(files: CheckpointFiles) -> bool:
    """Whether the index is the one that the manifest lists; true where no manifest tells."""
    listed = _object(files.folder / MANIFEST).get("files")
    entry = listed.get(files.index.name) if isinstance(listed, dict) else None
    if not isinstance(entry, dict):
        return True
    try:
        return entry.get("sha256") == hashlib.sha256(read_regular(files.index)).hexdigest()
    except OSError:
        return False


def _object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file; empty where there is none."""
    try:
        return read_object(path) if path.is_file() else {}
    except CheckpointError:
        return {}
