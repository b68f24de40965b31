"""What CI has time for, and what only `invoke test --whole` runs."""

from __future__ import annotations

import os

WHOLE = "BERTBUILD_TEST_WHOLE"


def pytest_collection_modifyitems(config, items):
    """Leave tests marked `whole` out, unless all are wanted."""
    if os.environ.get(WHOLE):
        return
    left_out = [item for item in items if item.get_closest_marker("whole")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("whole")]
