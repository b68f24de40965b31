"""schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertbuild.buildfile.schema import build_file_schema
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema(Result):
    """The JSON Schema of `bertbuild.toml`."""

    schema: Mapping[str, Any]


def schema(session: Session) -> Schema:
    """Show the JSON Schema of `bertbuild.toml`."""
    made = build_file_schema()
    return session.result(Schema(schema=made), *json.dumps(made, indent=1, ensure_ascii=False).splitlines())
