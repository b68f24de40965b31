"""schema."""

from __future__ import annotations

import json

from bertbuild.buildfile.schema import build_file_schema
from bertbuild.commands.session import Session


def schema(session: Session) -> None:
    """Show the JSON Schema of `bertbuild.toml`."""
    made = build_file_schema()
    session.result({"schema": made}, json.dumps(made, indent=1, ensure_ascii=False))
