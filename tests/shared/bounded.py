"""What reading a small file may cost."""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from contextlib import contextmanager


@contextmanager
def within(*, size, steps):
    """At most ten times the input and 100 MB of memory, and so many steps: lines of Python, loops' included."""
    counted = itertools.count()

    def count(_frame, event, _argument):
        if event == "line":
            next(counted)
        return count

    tracemalloc.start()
    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= 10 * size + 100_000_000
    assert next(counted) <= steps
