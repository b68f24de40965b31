"""prepare-data."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, OFFLINE, REPLACE
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of


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
