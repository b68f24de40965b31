"""How a command ends: a dataclass of its own, whose fields are the fields of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from bertbuild.fields import fields_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command gives back; each command has a subclass."""

    def facts(self) -> dict[str, Any]:
        """Its fields as JSON has them: what the event `result` holds beside `lines`."""
        return {name: _as_json(value) for name, value in fields_of(self).items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _as_json(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_as_json(one) for one in value]
    if hasattr(value, "as_json"):
        return _as_json(value.as_json())
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _as_json(one) for name, one in fields_of(value).items()}
    return value
