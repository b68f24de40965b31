"""Locks between processes, so that two of them never fetch or build the same thing at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(path: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock at `path` (a file, made if missing, or a folder that exists); wait while another process has it.

    `on_wait` is called once, before waiting. The kernel lets go of the lock when its process dies, so a crash leaves
    nothing to clean up. Only who holds a lock may remove its file: whoever waited for it finds the file gone, and
    locks the new one.
    """
    told = False
    while True:
        handle = _opened(path)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if on_wait is not None and not told:
                    on_wait()
                told = True
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, path):
                yield
                return
        finally:
            os.close(handle)


@contextlib.contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold the lock at `path` if nobody has it; gives whether it is held."""
    while True:
        handle = _opened(path)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            if _is_at(handle, path):
                yield True
                return
        finally:
            os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a process has the lock at `path` now. Makes no file, and works in a folder that is read-only."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def remove_lock(path: Path) -> bool:
    """Remove a lock file that nobody holds; gives whether it is gone."""
    with if_free(path) as free:
        if free:
            path.unlink()
    return free


def _opened(path: Path) -> int:
    if path.is_dir():
        return os.open(path, os.O_RDONLY)
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is still the one that others find at `path`, neither removed nor replaced."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
