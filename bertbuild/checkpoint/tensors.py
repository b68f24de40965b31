"""The tensors of a checkpoint of either format."""

from __future__ import annotations

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.folder import CheckpointFiles
from bertbuild.checkpoint.v1 import V1Reader

Reader = CheckpointReader | V1Reader


def open_tensors(files: CheckpointFiles) -> Reader:
    """The reader of a checkpoint's tensors. Raises `CheckpointError` where the checkpoint is damaged."""
    return V1Reader(files.data) if files.v1 else CheckpointReader(files.prefix)
