"""The table of places where stages run: data. A place is a row here and a module, which is loaded when it is used.

What a module has is said by `isolation.base.Place`. Flags, settings, help, doctor and the choice between places follow
this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """A place to run stages in.

    Attributes:
        name: what flags, records and people call it.
        module: what runs stages there.
        title: what it is called in a sentence.
        environment: what a backend's environment is there, in two words at most.
        available: why it is chosen where it can be used.
    """

    name: str
    module: str
    title: str
    environment: str
    available: str


PLACES: dict[str, PlaceRow] = {
    row.name: row
    for row in (
        PlaceRow(
            name="docker",
            module="bertbuild.isolation.docker",
            title="Docker",
            environment="image",
            available="an engine answers",
        ),
        PlaceRow(
            name="venv",
            module="bertbuild.isolation.virtual_environments",
            title="virtual environments",
            environment="virtual environment",
            available="a Python for virtual environments is found",
        ),
    )
}
"""In the order of preference: `auto` takes the first that can be used, and the last where none can."""

AUTO = "auto"


def isolation_values() -> tuple[str, ...]:
    """What the setting `isolation` may be."""
    return (AUTO, *PLACES)


def described() -> str:
    """What the setting means, in a line."""
    *preferred, last = PLACES.values()
    first = ", ".join(f"{row.name} where {row.available}" for row in preferred)
    return f"{', '.join(PLACES)}, or {AUTO} (default): as the store's last build, else {first}, else {last.name}"
