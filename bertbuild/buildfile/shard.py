"""`build --shard 2/5`: a build file's targets split over machines that do not know of each other.

Models with one source, or trained one from another, have steps in common: they stay together, so that no two machines
make the same step. The split follows from the build file alone, so all machines come to the same.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bertbuild.buildfile.entries import BuildFile, ModelEntry, Recipe
from bertbuild.errors import UsageError

MOST = 10_000
_SHARD = re.compile(r"([1-9][0-9]{0,4})/([1-9][0-9]{0,4})")


def shard(build_file: BuildFile, text: str) -> BuildFile:
    """The part of a build file that `text`, as "2/5", names: the second of five; all of it where `text` is empty.

    Raises:
        UsageError: it names no part.
    """
    if not text:
        return build_file
    found = _SHARD.fullmatch(text)
    if found is None or not int(found[1]) <= int(found[2]) <= MOST:
        raise UsageError(
            f"--shard {text[:40]!r} names no part of a build.", next_step="Write 2/5 for the second of five parts."
        )
    number, count = int(found[1]), int(found[2])
    parts: list[list[ModelEntry]] = [[] for _ in range(count)]
    loads = [0] * count
    for group in sorted(_groups(build_file), key=_size, reverse=True):  # the largest first, each to who has least
        lightest = loads.index(min(loads))
        parts[lightest] += group
        loads[lightest] += _size(group)
    names = {model.name for model in parts[number - 1]}
    return replace(build_file, models=tuple(model for model in build_file.models if model.name in names))


def _size(group: list[ModelEntry]) -> int:
    return sum(max(1, len(model.targets)) for model in group)


def _groups(build_file: BuildFile) -> list[list[ModelEntry]]:
    """Models that have steps in common, in the order of the file."""
    groups: dict[object, list[ModelEntry]] = {}
    for model in build_file.models:
        groups.setdefault(_root(build_file, model), []).append(model)
    return list(groups.values())


def _root(build_file: BuildFile, model: ModelEntry) -> object:
    """What a model is made from in the end: a source, without the name that its results get."""
    while isinstance(model.source, Recipe):
        model = build_file.model(model.source.base)
    return replace(model.source, name="")
