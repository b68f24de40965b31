"""The data sets that can be fetched: datasets.toml as frozen dataclasses, found by name, alias or group."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from bertbuild.catalogue.models import ExpectedFile
from bertbuild.catalogue.names import by_name, suggestion
from bertbuild.catalogue.tables import read_table
from bertbuild.errors import UnknownDatasetError

EVERYTHING = "all"
_TABLE = "datasets.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile(ExpectedFile):
    """A file of a data set's folder."""

    rows: int | None = None
    """Examples: lines without the header line, or questions of a SQuAD file."""
    header: bool = False
    """Whether it is a table that begins with a line of column names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file as it is published: a zip to unpack, a file to take as it is, or what a recipe works on."""

    file: str
    urls: tuple[str, ...]
    """Its address, then its mirrors."""
    bytes: int | None = None
    sha256: str | None = None
    source: str | None = None
    """Who vouches for `sha256` and `bytes`, in words."""
    also: tuple[str, ...] = ()
    """Other names that people have it under."""
    gives: str = ""
    """What it is called in the data set's folder, if it is taken as it is."""

    @property
    def is_zip(self) -> bool:
        """Whether it is to be unpacked."""
        return self.file.endswith(".zip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A row of the catalogue."""

    name: str
    title: str
    group: str
    licence: str
    """A sentence, shown before the data set is brought."""
    parts: tuple[Part, ...]
    files: tuple[DataFile, ...]
    spdx: str = ""
    """The licence's SPDX identifier, LicenseRef-… for terms that SPDX does not list; empty where none are stated."""
    restricted: bool = False
    """Whether it forbids to publish the data, or commercial use."""
    aliases: tuple[str, ...] = ()
    recipe: Literal["", "mrpc"] = ""

    @property
    def kind(self) -> str:
        """What its record says it is."""
        return "dataset"

    @property
    def url(self) -> str:
        """Where it is published."""
        return self.parts[0].urls[0]


def load_datasets() -> dict[str, Dataset]:
    """All data sets by name, in the order of datasets.toml."""
    return {dataset.name: dataset for dataset in _read()}


def find_dataset(name: str) -> Dataset:
    """The data set of this name or alias; case does not matter.

    Raises UnknownDatasetError, which suggests the nearest names.
    """
    known = by_name(_read())
    wanted = name.strip().casefold()
    if wanted in known:
        return known[wanted]
    raise UnknownDatasetError(
        f"The catalogue has no data set named {name!r}.{suggestion(wanted, known)}",
        next_step="`invoke fetch-data --list` shows every name; GLUE, SQuAD and all mean several.",
    )


def select(names: Iterable[str]) -> tuple[Dataset, ...]:
    """The data sets that `names` mean, each once: names, aliases, groups (GLUE, SQuAD), or "all".

    Raises UnknownDatasetError.
    """
    chosen: dict[str, Dataset] = {}
    for name in names:
        group = name.strip().casefold()
        members = [dataset for dataset in _read() if group in (EVERYTHING, dataset.group.casefold())]
        for dataset in members or [find_dataset(name)]:
            chosen[dataset.name] = dataset
    return tuple(chosen.values())


@functools.cache
def _read() -> tuple[Dataset, ...]:
    table = read_table(_TABLE)
    return tuple(_dataset(row, table["sources"]) for row in table["dataset"])


def _dataset(row: dict[str, Any], sources: dict[str, str]) -> Dataset:
    parts = tuple(_part(entry, sources) for entry in row["parts"])
    as_it_is = {part.gives: part for part in parts}
    files = tuple(_file(entry, as_it_is.get(entry["name"]), sources) for entry in row["files"])
    return Dataset(**{**row, "aliases": tuple(row["aliases"]), "parts": parts, "files": files})


def _part(entry: dict[str, Any], sources: dict[str, str]) -> Part:
    rest = {key: value for key, value in entry.items() if key not in ("url", "mirrors")}
    source = entry.get("source")
    rest |= {"also": tuple(entry.get("also", ())), "source": sources[source] if source else None}
    return Part(urls=(entry["url"], *entry.get("mirrors", ())), **rest)


def _file(entry: dict[str, Any], part: Part | None, sources: dict[str, str]) -> DataFile:
    entry = {"header": entry["name"].endswith(".tsv"), **entry}
    if part is not None:
        return DataFile(**entry, bytes=part.bytes, sha256=part.sha256, source=part.source)
    source = entry.get("source")
    return DataFile(**{**entry, "source": sources[source] if source else None})
