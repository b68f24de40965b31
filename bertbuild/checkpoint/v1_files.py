"""Which files are checkpoints of the first format (V1): tables that are not a V2 index. numpy is not needed."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.regular import irregular

MAGIC: Final = 0xDB4775248B80FB57
"""The number at the end of every table of TensorFlow's."""
SHARD: Final = re.compile(r"(?P<prefix>.+)-\d{5}-of-(?P<count>\d{5})")


def is_v1(path: Path) -> bool:
    """Whether a file is a table and not, by its name, the index of a V2 checkpoint. Looks at its last 8 bytes."""
    if irregular(path):
        return False
    try:
        with path.open("rb") as file:
            file.seek(-8, 2)
            if file.read(8) != struct.pack("<Q", MAGIC):
                return False
    except OSError:
        return False
    return path.suffix != ".index"


def v1_checkpoints(folder: Path, names: Iterable[str]) -> dict[str, tuple[Path, ...]]:
    """The V1 checkpoints among files of a folder: name → its file, or its shards in order."""
    found: dict[str, tuple[Path, ...]] = {}
    for name in sorted(names):
        if is_v1(folder / name):
            shard = SHARD.fullmatch(name)
            prefix = shard["prefix"] if shard else name
            found[prefix] = (*found.get(prefix, ()), folder / name)
    return found
