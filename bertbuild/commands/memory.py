"""A stage that got no memory, told with what was tried."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bertbuild.errors import StageError, StageKilledForMemoryError

ABORTED = "bad_alloc"
"""What the C++ library says when it ends a program that got no memory."""

REFUSED = " stopped: memory ran out"
"""What the engine says of a stage that got none, noticed it, and said so."""


@contextlib.contextmanager
def memory_told(tried: str, next_step: str) -> Iterator[None]:
    """Say of a stage that ends in this block for want of memory what was tried, and what to try instead.

    Raises:
        StageKilledForMemoryError: it did; other errors stay as they are.
    """
    try:
        yield
    except StageError as error:
        told = of_memory(error, tried, next_step)
        if told is None:
            raise
        raise told from error


def of_memory(error: StageError, tried: str, next_step: str) -> StageKilledForMemoryError | None:
    """The error of a stage that ended for want of memory, with what was tried; None of another."""
    stage, refused, _ = str(error).partition(REFUSED)
    if not (refused or isinstance(error, StageKilledForMemoryError) or ABORTED in error.details):
        return None
    said = f"{stage} got no memory." if refused else str(error)
    return StageKilledForMemoryError(f"{said} {tried}", next_step=next_step, details=error.details)
