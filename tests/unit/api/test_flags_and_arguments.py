"""The commands that look at and keep what is built: a method's arguments are the flags of its command."""

from __future__ import annotations

import inspect

import pytest

from bertbuild.api import Project
from bertbuild.cli.tasks import TASKS
from bertbuild.cli.tasks.build import DRY_RUN

COMMANDS = [
    "doctor",
    "init",
    "images",
    "inspect",
    "verify",
    "verify-provenance",
    "sbom",
    "status",
    "why",
    "graph",
    "schema",
    "log",
    "gc",
    "verify-store",
    "report",
    "worker",
]
OF_PROJECT = {"json", "isolation", "offline", "jobs", "memory", "mirror", "from", "fetch", "scheduler"}
"""Flags that are arguments of `Project`, or of no meaning in Python."""
OF_SOURCE = set(TASKS["inspect"].parameters)
"""Flags that are arguments of a source's class."""


def flags_of(name):
    flags = {flag.parameter.strip("_") for flag in TASKS[name].flags.values()}
    return (flags | ({"names"} if TASKS[name].takes_names else set())) - OF_PROJECT


def arguments_of(method):
    return set(inspect.signature(method).parameters) - {"self"}


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_are_flags(name):
    flags, arguments = flags_of(name), arguments_of(getattr(Project, name.replace("-", "_")))
    if name in ("images", "sbom", "worker"):
        assert (flags - {"backend"}, flags & {"backend"}) == (arguments - {"backends"}, {"backend"})
    elif name == "init":
        assert flags - {"yes"} == arguments  # nothing is asked in Python
    elif name == "inspect":
        assert (flags - OF_SOURCE, arguments) == (set(), {"source"})
    else:
        assert flags == arguments


def test_build_is_two_methods():
    flags = flags_of("build") - {DRY_RUN.name}
    assert flags == arguments_of(Project.build_file)
    assert flags > arguments_of(Project.dry_run)
