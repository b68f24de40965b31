"""init and schema: what belongs to the build file."""

from __future__ import annotations

import sys

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of


def _schema(session: Session, _values: Values) -> None:
    from bertbuild.commands import buildfile

    buildfile.schema(session)


def _init_flags() -> list[Parameter]:
    from bertbuild.commands.init import Init

    return list(parameters_of(Init).values())


def _init(session: Session, values: Values) -> None:
    from bertbuild.commands import init as command

    command.init(session, command.Init(**values), _agreed)


def _agreed(question: str) -> bool:
    """What the user says to a question; yes where there is no terminal to ask at."""
    if not sys.stdin.isatty():
        return True
    sys.stderr.write(f"{question} [Y/n] ")
    sys.stderr.flush()
    said = sys.stdin.readline()  # empty where it was closed
    return bool(said) and said.strip().casefold() in ("", "y", "yes")


init = declared(
    "init",
    "Look through a folder of models and write the bertbuild.toml that builds them all.",
    _init_flags,
    (JSON,),
    _init,
    example="--folder models",
)
schema = declared(
    "schema", "Print the JSON Schema of bertbuild.toml, for editors that complete and check.", tuple, (JSON,), _schema
)
