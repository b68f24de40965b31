"""What lies in a folder, links told of as links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping


def files_below(folder: str, prefix: str = "") -> dict[str, os.stat_result]:
    """What is in a folder and in those below it, other than folders: path → what the system says of it.

    A link is told of as itself, wherever it leads. Raises OSError.
    """
    found: dict[str, os.stat_result] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found |= files_below(entry.path, f"{prefix}{entry.name}/")
            else:
                found[prefix + entry.name] = entry.stat(follow_symlinks=False)
    return found


def links(present: Mapping[str, os.stat_result]) -> Iterator[str]:
    """The links among them: what they lead to is not the folder's, and may change at any time."""
    return iter(sorted(name for name, found in present.items() if stat.S_ISLNK(found.st_mode)))
