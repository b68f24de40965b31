"""report: a page of a run."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Location, Name

RUN = Parameter(name="run", type=Name(), about="which run: the name of a log in artifacts/runs/ (default: the last)")
TO = Parameter(
    name="to",
    type=Location(),
    written="FILE",
    about="the file to write (default: artifacts/reports/RUN.html)",
)


def _report(session: Session, values: Values) -> None:
    from bertbuild.commands import report as command

    command.report(session, values.get(RUN.name, ""), values.get(TO.name, ""))


report = declared(
    "report",
    "Make one HTML page of a run: timeline, graph, parity figures, versions, failures.",
    lambda: (RUN, TO),
    (JSON,),
    _report,
    example="--to report.html",
)
