"""Whether every byte of a checkpoint is the one that was written, for those that are inspected no further."""

from __future__ import annotations

from pathlib import Path

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.checksums import check_tensors
from bertbuild.checkpoint.data_files import check_data_files
from bertbuild.errors import CheckpointError


def require_intact(prefix: Path) -> None:
    """Raise `CheckpointError` unless a checkpoint's data files are there, whole, and as their checksums say."""
    reader = CheckpointReader(prefix)
    data = check_data_files(reader)
    problems = [*data.problems, *check_tensors(reader, data.readable).problems]
    if problems:
        raise CheckpointError(
            f"The checkpoint {prefix} cannot be used: {problems[0]}",
            next_step="Copy or download the checkpoint again.",
            details="\n".join(problems),
        )
