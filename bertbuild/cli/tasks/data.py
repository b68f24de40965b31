"""The commands on data sets as Invoke tasks."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import COMMON_HELP, FROM, ISOLATION, JSON, MIRROR, OFFLINE, OFFLINE_HELP, REPLACE
from bertbuild.cli.frame import running
from bertbuild.cli.task import task
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of


@task(
    iterable=["task"],
    help=COMMON_HELP
    | OFFLINE_HELP
    | {
        "task": "a data set to fetch, e.g. MRPC or SQuAD-1.1; GLUE and SQuAD mean all of theirs; several with commas",
        "list": "show all data sets and fetch nothing",
        "from": "folder with downloaded zips or unpacked data sets; nothing is downloaded",
        "mirror": "base URL of a server or folder that has the published files side by side",
    },
)
def fetch_data(
    task: list[str],
    list: bool = False,  # noqa: A002 - the flag's name
    from_: str = "",
    mirror: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Download GLUE, SQuAD and XNLI; every file is checked, and says how it is licensed."""
    from bertbuild.commands import datasets

    with running(json=json, offline=offline, local=from_, mirror=mirror) as session:
        if list:
            datasets.list_datasets(session)
        else:
            datasets.fetch_data(session, tuple(name for names in task for name in names.split(",")))


def _flags() -> list[Parameter]:
    from bertbuild.commands.data import Asked

    return list(parameters_of(Asked).values())


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import data as commands

    commands.prepare_data(session, commands.Asked(**values))


prepare_data = declared(
    "prepare-data",
    "Make TFRecords to fine-tune BERT with, of GLUE, XNLI or SQuAD, as the Model Garden's.",
    _flags,
    (
        replace(FROM, about="folder with downloaded models and data sets; nothing is downloaded"),
        replace(MIRROR, about="base URL that takes the place of the public one"),
        *(ISOLATION, OFFLINE, REPLACE, JSON),
    ),
    _run,
    example="--task MRPC --model minilm-l6",
)
