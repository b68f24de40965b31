"""A place to run stages in, played: all that a new place is, besides its row in the table (toy_kind_program.py)."""

from __future__ import annotations

from host_doubles import FakeIsolation

from bertbuild.backends import BACKENDS
from bertbuild.isolation.base import Finding


class ToyIsolation(FakeIsolation):
    """Has every environment."""

    name = "toy"

    def __init__(self):
        super().__init__()
        self.prepared.extend(BACKENDS)

    def by_hand(self):
        return ["by hand: toy"]


def isolation(_settings):
    return ToyIsolation()


def why_not(_settings, *, used_last):  # noqa: ARG001 - the protocol's
    return ""


def findings(_settings):
    yield Finding(what="Toys", ok=True, text="in their box", needed_for="toy")
