"""Matrices of like cases: `invoke test --whole` runs every cell, CI one of every row and column."""

from __future__ import annotations

import os

WHOLE = bool(os.environ.get("BERTBUILD_TEST_WHOLE"))


def cells(every, *ordinary):
    """All cases, or where CI runs those named: of a mapping their rows, of a sequence a tuple in its order."""
    assert set(ordinary) <= set(every), set(ordinary) - set(every)
    wanted = every if WHOLE else [name for name in every if name in ordinary]
    return {name: every[name] for name in wanted} if isinstance(every, dict) else tuple(wanted)
