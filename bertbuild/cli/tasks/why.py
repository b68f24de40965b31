"""The commands that look at what is built and would be: why, status, graph."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import NAMES_ARE, NO_NETWORK, build_file
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Choice

FRAME = (build_file(), *NO_NETWORK)


def _why(session: Session, values: Values) -> None:
    from bertbuild.commands import why as whys

    whys.why(session, values.get("names", ()), values.get("file", ""))


def _status(session: Session, values: Values) -> None:
    from bertbuild.commands import status as statuses

    statuses.status(session, values.get("file", ""))


def _graph_flags() -> list[Parameter]:
    from bertbuild.report.graphs import FORMATS

    about = "text; dot, for Graphviz; mermaid"
    return [Parameter(name="format", type=Choice(FORMATS), default="text", about=about)]


def _graph(session: Session, values: Values) -> None:
    from bertbuild.commands import graph as graphs

    graphs.graph(session, values.get("names", ()), values.get("file", ""), values.get("format", "text"))


why = declared(
    "why",
    "Say what would run for targets, and which part of each key changed: old and new value.",
    tuple,
    FRAME,
    _why,
    example="minilm-l6/ir-fp32",
    names=f"{NAMES_ARE}; or stages alone; default: all targets.",
)
status = declared(
    "status",
    "Show all targets: built, stale, missing, failed; when, how long, size, parity figure, path.",
    tuple,
    FRAME,
    _status,
)
graph = declared(
    "graph",
    "Draw the jobs behind targets, and which of them would run.",
    _graph_flags,
    FRAME,
    _graph,
    example="minilm-l6 --format mermaid",
    names=f"{NAMES_ARE}; default: all.",
)
