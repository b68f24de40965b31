"""schema: what belongs to the build file."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON
from bertbuild.commands.session import Session


def _schema(session: Session, _values: Values) -> None:
    from bertbuild.commands import buildfile

    buildfile.schema(session)


schema = declared(
    "schema", "Print the JSON Schema of bertbuild.toml, for editors that complete and check.", tuple, (JSON,), _schema
)
