"""fetch and fetch-data: what the two catalogues have, brought to disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, JSON, MIRROR, OFFLINE
from bertbuild.cli.task import Task
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Text, Truth


def _fetching(
    name: str,
    about: str,
    entry: Parameter,
    entries: str,
    places: tuple[Parameter, Parameter],
    run: Callable[[Session, tuple[str, ...]], object],
    show: Callable[[Session], object],
    example: str,
) -> Task:
    """A command that fetches entries of a catalogue, whose flag `entry` names one or, with commas, several of them.

    `entries` is what they are called together.
    """
    every = Parameter(name="list", type=Truth(), unset=False, about=f"show all {entries} and fetch nothing")

    def command(session: Session, values: Values) -> None:
        if values.get(every.name):
            show(session)
        else:
            run(session, tuple(one for given in values.get(entry.name, ()) for one in given.split(",")))

    return declared(
        name, about, lambda: (entry, every), (*places, OFFLINE, JSON), command, example=example, iterable=(entry.name,)
    )


def _fetch(session: Session, names: tuple[str, ...]) -> None:
    from bertbuild.commands import models

    models.fetch(session, names)


def _list_models(session: Session) -> None:
    from bertbuild.commands import models

    models.list_models(session)


def _fetch_data(session: Session, names: tuple[str, ...]) -> None:
    from bertbuild.commands import datasets

    datasets.fetch_data(session, names)


def _list_datasets(session: Session) -> None:
    from bertbuild.commands import datasets

    datasets.list_datasets(session)


fetch = _fetching(
    "fetch",
    "Download models of the catalogue; every file is checked against the hash on record.",
    Parameter(
        name="model",
        type=Text(),
        written="MODEL",
        about="a model of the catalogue to fetch; may be given more than once",
    ),
    "models",
    (FROM, MIRROR),
    _fetch,
    _list_models,
    "--model minilm-l6",
)
fetch_data = _fetching(
    "fetch-data",
    "Download GLUE, SQuAD and XNLI; every file is checked, and says how it is licensed.",
    Parameter(
        name="task",
        type=Text(),
        written="TASK[,TASK…]",
        about="a data set to fetch, e.g. MRPC or SQuAD-1.1; GLUE and SQuAD mean all of theirs; several with commas",
    ),
    "data sets",
    (
        replace(FROM, about="folder with downloaded zips or unpacked data sets; nothing is downloaded"),
        replace(MIRROR, about="base URL of a server or folder that has the published files side by side"),
    ),
    _fetch_data,
    _list_datasets,
    "--task MRPC",
)
