"""package."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import ISOLATION, JSON, OFFLINE
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.parameters import Parameter, parameters_of


def _flags() -> list[Parameter]:
    from bertbuild.commands.package_request import Package

    return list(parameters_of(Package).values())


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands.package import package
    from bertbuild.commands.package_request import Package

    names = values.pop("names", ())
    if len(names) > 1:
        raise UsageError(f"package makes one package (got {' '.join(names)}).", next_step="Name one target at a time.")
    package(session, Package(target="".join(names), **values))


package = declared(
    "package",
    "Make a folder of a built target that is complete in itself: for a server, or for a program.",
    _flags,
    (ISOLATION, OFFLINE, JSON),
    _run,
    example="my-model/ir-fp32 --format openvino-model-server",
    names="The target is MODEL/TARGET, as status lists it.",
)
