"""A build file read, checked and completed; nothing is fetched or looked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bertbuild.buildfile.entries import (
    BuildFile,
    EvaluateEntry,
    ModelEntry,
    ModelSource,
    Recipe,
    TargetEntry,
)
from bertbuild.buildfile.layers import Defaults, Given, read_defaults, read_layer
from bertbuild.buildfile.parameters import EVALUATE, FINETUNE, FROM, READ_SO, READING, SOURCES, TRAINED_ON
from bertbuild.buildfile.requests import absolute, located, make_evaluate, make_recipe, of_recipe
from bertbuild.buildfile.targets import (
    TargetTable,
    check_folder_name,
    check_names,
    in_the_file,
    make_targets,
    read_targets,
)
from bertbuild.config import CONFIG_FILE, TABLES, file_settings
from bertbuild.errors import UnknownModelError, UsageError
from bertbuild.names import did_you_mean
from bertbuild.parameters import Parameter
from bertbuild.plans.wanted import SOURCES as IN_WORDS
from bertbuild.plans.wanted import Wanted
from bertbuild.toml.document import Document, Place, read_document, shown, table_name

RECIPE = "finetune"
MEASURED = "evaluate"
_SOURCE_KEYS = (*SOURCES, RECIPE)
_RECIPE_KEYS: Mapping[str, Parameter] = {FROM.name: FROM, **TRAINED_ON, **FINETUNE}


def load_build_file(path: Path) -> BuildFile:
    """The build file at `path`.

    Raises:
        UsageError: it is not there, or something in it is invalid; the message names file, line and key.
        UnknownModelError: the catalogue has no such model; likewise.
    """
    document = read_document(path)
    if document is None:
        raise UsageError(
            f"There is no {path}.", next_step="docs/build-file.md shows how to write one; --file names another."
        )
    file_settings(document)
    defaults, targets = read_defaults(document), read_targets(document)
    names = list(document.table(("models",)))
    if not names or not targets:
        missing = "models" if not names else "targets"
        raise UsageError(
            f"{path} has no [{missing}.NAME], so there is nothing to build.",
            next_step="docs/build-file.md shows how to write one; --file names another.",
        )
    models = tuple(_model(document, name, defaults, targets) for name in names)
    _check_bases(document, {model.name: model.source for model in models})
    return BuildFile(path=path, models=models, warnings=tuple(dict.fromkeys(document.warnings)))


def find_build_file(named: str) -> BuildFile | None:
    """The build file that was named; else the folder's, None where it has none, or one that holds but settings.

    Raises:
        UsageError, UnknownModelError: as `load_build_file`.
    """
    if not named:
        document = read_document(Path(CONFIG_FILE))
        if document is None or not document.values.keys() & set(TABLES):
            return None
    return load_build_file(Path(named or CONFIG_FILE))


def _model(document: Document, name: str, defaults: Defaults, tables: Mapping[str, TargetTable]) -> ModelEntry:
    place: Place = ("models", name)
    check_folder_name(document, place, name)
    source = read_layer(document, place, SOURCES | READING, RECIPE, MEASURED, "targets", "override")
    wanted = _wanted(document, place, tables)
    override = (*place, "override")
    for target in document.table(override):
        _check_known(document, (*override, target), target, tables)
        if target not in wanted:
            raise document.refused(
                (*override, target),
                f'{table_name((*override, target))} is of no use: {name} does not list "{target}" in its targets.',
                next_step=f'Add "{target}" to targets, or leave this table out.',
            )
    entries = [
        entry
        for table in wanted
        for entry in make_targets(
            document,
            tables[table],
            defaults,
            read_layer(
                document,
                (*override, table),
                tables[table].kind.parameters,
                renamed=tables[table].kind.renamed,
            ),
            (*override, table),
        )
    ]
    check_names(document, ((entry.name, (*override, entry.table)) for entry in entries))
    found = _source(document, place, source)
    _check_calibrated(document, place, found, entries)
    measured = _evaluate(document, place, found, entries) if MEASURED in document.table(place) else None
    return ModelEntry(name=name, source=found, targets=tuple(entries), evaluate=measured)


def _check_calibrated(document: Document, place: Place, source: ModelSource, entries: Sequence[TargetEntry]) -> None:
    """Refuse targets that are calibrated on what a recipe trained their model on, of a model without one."""
    target = next((one for one in entries if of_recipe(one.request)), None)
    if target and not isinstance(source, Recipe):
        override = table_name((*place, "override", target.table))
        raise document.refused(
            place,
            f'"calibration" of {target.name} is "{RECIPE}", what a recipe trained the model on, and '
            f"{table_name(place)} has no recipe.",
            next_step=f'Give a folder of prepare-data in {override}; one that is called {RECIPE} is "./{RECIPE}".',
        )


def _evaluate(document: Document, place: Place, source: ModelSource, entries: Sequence[TargetEntry]) -> EvaluateEntry:
    """What the model's targets are measured on."""
    place = (*place, MEASURED)
    if isinstance(source, Wanted) and not (source.model or source.checkpoint):
        raise document.refused(
            place,
            f"{table_name(place)} measures a checkpoint and what is made of it, and this model is no checkpoint.",
            next_step="Leave it out.",
        )
    given = read_layer(document, place, EVALUATE)
    values = {name: one.value for name, one in given.items()}
    try:
        return make_evaluate(located(values, EVALUATE, document.path.absolute().parent), entries)
    except UsageError as error:
        raise in_the_file(document, error, given, EVALUATE, place) from error


def _wanted(document: Document, place: Place, tables: Mapping[str, TargetTable]) -> list[str]:
    """The names of [targets.*] that a model lists; all where it lists none."""
    listed = document.table(place).get("targets")
    if listed is None:
        return list(tables)
    place = (*place, "targets")
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        wrong = next(name for name in listed if not isinstance(name, str)) if isinstance(listed, list) else listed
        header = table_name((*place[:-1], "override", "NAME"))
        raise document.refused(
            place,
            f'"targets" of {table_name(place[:-1])} must be an array of names of [targets.*], not {shown(wrong)}.',
            next_step=f"Parameters that are others for this model stand in {header}.",
        )
    for index, name in enumerate(listed):
        _check_known(document, (*place, index), name, tables)
        if name in listed[:index]:
            raise document.refused(
                (*place, index),
                f'"targets" of {table_name(place[:-1])} has "{name}" twice.',
                next_step="Leave one out.",
            )
    return listed


def _check_known(document: Document, place: Place, name: str, tables: Iterable[str]) -> None:
    if name not in tables:
        raise document.refused(
            place,
            f"there is no [targets.*] named {shown(name)}{did_you_mean(name, tables)}",
            next_step=f"Targets of this file: {', '.join(tables)}.",
        )


def _source(document: Document, place: Place, given: Mapping[str, Given]) -> ModelSource:
    """Where the model comes from."""
    found = [name for name in document.table(place) if name in _SOURCE_KEYS]
    if len(found) != 1:
        says = f'has both "{found[0]}" and "{found[1]}"' if found else "does not say where the model comes from"
        raise document.refused(
            (*place, found[1]) if found else place,
            f"{table_name(place)} {says}.",
            next_step=f"Give just one of {', '.join(_SOURCE_KEYS)}.",
        )
    reading = [one for one in given if one in READING]
    odd = next((one for one in reading if found != [READ_SO[one]]), "")
    if odd:
        what = READ_SO[odd]
        raise document.refused(
            (*place, odd),
            f'"{odd}" of {table_name(place)} says how {IN_WORDS[what]} is read, and none is named.',
            next_step=f'Leave it out, or name a "{what}".',
        )
    if found == [RECIPE]:
        return _recipe(document, (*place, RECIPE))
    value, name = str(given[found[0]].value), str(place[-1])
    if found == ["model"]:
        from bertbuild.catalogue.models import find_model

        try:
            return Wanted(model=find_model(value).name, name=name)
        except UnknownModelError as error:
            at = f"{document.path}, line {document.line((*place, 'model'))}"
            raise UnknownModelError(f"{at}: {table_name(place)}: {error}", next_step=error.next_step) from error
    path = str(absolute(value, document.path.absolute().parent))
    how: dict[str, Any] = {one: given[one].value for one in reading}
    field = "checkpoint" if found == ["huggingface"] else found[0]
    return Wanted(**{field: path, **how}, name=name)


def _recipe(document: Document, place: Place) -> Recipe:
    given = read_layer(document, place, _RECIPE_KEYS)
    if FROM.name not in given:
        raise document.refused(
            place, f'{table_name(place)} has no "from".', next_step="Name the model of this file to begin with."
        )
    if ("task" in given) == ("prepared" in given):
        says = 'has both "task" and "prepared"' if "task" in given else 'has neither "task" nor "prepared"'
        raise document.refused(place, f"{table_name(place)} {says}.", next_step="Give just one of them to train on.")
    values = {name: one.value for name, one in given.items()}
    base = str(values.pop(FROM.name))
    try:
        return make_recipe(base, located(values, _RECIPE_KEYS, document.path.absolute().parent))
    except UsageError as error:
        raise in_the_file(document, error, given, _RECIPE_KEYS, place) from error


def _check_bases(document: Document, sources: Mapping[str, ModelSource]) -> None:
    """Refuse recipes that begin with a model that is not there, or in the end with themselves."""
    for name in sources:
        chain = [name]
        while isinstance(source := sources[chain[-1]], Recipe):
            place: Place = ("models", chain[-1], RECIPE, FROM.name)
            if source.base not in sources:
                raise document.refused(
                    place,
                    f"there is no model named {shown(source.base)}{did_you_mean(source.base, sources)}",
                    next_step=f"Models of this file: {', '.join(sources)}.",
                )
            chain.append(source.base)
            if source.base in chain[:-1]:
                raise document.refused(
                    place,
                    f"{' begins with '.join(chain[chain.index(source.base) :])}: that has no beginning.",
                    next_step="Let one of them begin with a model of the catalogue or a checkpoint.",
                )
