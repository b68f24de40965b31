"""The TOML tables beside this file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_table(name: str) -> dict[str, Any]:
    """The table in the file `name` of this folder."""
    with Path(__file__).with_name(name).open("rb") as stream:
        return tomllib.load(stream)
