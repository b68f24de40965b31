"""Removes files: unused.py FOLDER PATTERNS, or unused.py --same-as OTHER FOLDER.

PATTERNS has a line for each pattern of paths below FOLDER; `!` before one keeps what it matches. With --same-as all
files go that OTHER has at the same place with the same bytes, and folders that are empty then.
"""

import filecmp
import os
import shutil
import sys
from pathlib import Path


def remove_unused(folder, patterns):
    """Remove what the patterns of a file match."""
    with open(patterns) as file:
        lines = [line.split("#")[0].strip() for line in file]
    kept = {path for line in lines if line.startswith("!") for path in Path(folder).glob(line[1:])}
    for line in lines:
        for path in sorted(Path(folder).glob(line)) if line and not line.startswith("!") else ():
            if path in kept or not (path.exists() or path.is_symlink()):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(str(path))
            else:
                path.unlink()


def remove_same(other, folder):
    """Remove what another folder has too."""
    for place, folders, files in os.walk(folder, topdown=False):
        there = os.path.join(other, os.path.relpath(place, folder))
        for name in files + [name for name in folders if os.path.islink(os.path.join(place, name))]:
            if is_same(os.path.join(place, name), os.path.join(there, name)):
                os.unlink(os.path.join(place, name))
        if place != folder and not os.listdir(place):
            os.rmdir(place)


def is_same(one, other):
    """Whether two paths are the same link, or files of the same bytes."""
    if os.path.islink(one) or os.path.islink(other):
        return os.path.islink(one) and os.path.islink(other) and os.readlink(one) == os.readlink(other)
    return os.path.isfile(other) and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    if sys.argv[1] == "--same-as":
        remove_same(*sys.argv[2:])
    else:
        remove_unused(*sys.argv[1:])
