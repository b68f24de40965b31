"""Flags that several commands have, and how a flag's number is read."""

from __future__ import annotations

import math

from bertbuild.backends import NAMES
from bertbuild.errors import UsageError
from bertbuild.parameters import Parameter
from bertbuild.places import PLACES, described
from bertbuild.toml.values import Choice, Location, Text, Truth

FROM = Parameter(
    name="from",
    type=Location(),
    written="FOLDER",
    about="folder with downloaded zips or unpacked models; nothing is downloaded",
)
MIRROR = Parameter(
    name="mirror", type=Text(), written="URL", about="base URL that takes the place of the models' public one"
)
JSON = Parameter(
    name="json",
    type=Truth(),
    unset=False,
    about="print one JSON object a line instead of text; the last is the result or the error",
)
REPLACE = Parameter(
    name="replace",
    type=Truth(),
    unset=False,
    about="let a model's names in out/ that were made from another source be made from this one",
)
OFFLINE = Parameter(
    name="offline",
    type=Truth(),
    unset=False,
    about="use no network: what is not here is listed, with the way to get it",
)
SCHEDULER = Parameter(
    name="scheduler",
    type=Text(),
    written="ADDRESS",
    about="the scheduler of a cluster: tls://host:port, or tcp://127.0.0.1:port on this machine (docs/cluster.md)",
)
ISOLATION = Parameter(name="isolation", type=Choice((*PLACES, "auto")), about=described())


NO_NETWORK = (ISOLATION, OFFLINE, JSON)
"""Of commands that ask the place where stages run."""
NAMES_ARE = "Names are models, targets, MODEL/TARGET, or a shell's patterns of these"


def build_file(default: str = "") -> Parameter:
    """The flag that names the build file; by default bertbuild.toml, which must be there where it is the default."""
    about = "the build file" if default else "the build file (default: bertbuild.toml, where there is one)"
    return Parameter(name="file", type=Location(), default=default, written="FILE", about=about)


def backends(default: str) -> Parameter:
    """The flag that names backends; `default` says which where it is not given."""
    about = f"only these backends, with commas (default: {default})"
    return Parameter(name="backend", type=Choice(NAMES), several=True, about=about)


def switch(name: str, about: str) -> Parameter:
    """A flag without a value."""
    return Parameter(name=name, type=Truth(), unset=False, about=about)


def whole_number(flag: str, text: str) -> int:
    """A flag's whole number. Invoke reads them too, and answers a wrong one with a traceback.

    Raises:
        UsageError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{flag} {text!r} is not a whole number.", next_step=f"--help explains --{flag}.") from None


def number(flag: str, text: str) -> float:
    """A flag's number, as 5e-5.

    Raises:
        UsageError: it is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--{flag} {text!r} is not a number.", next_step=f"--help explains --{flag}.")
    return value


def truth(flag: str, text: str) -> bool | None:
    """A flag's yes or no as absl's programs write it (--do_train=true); None where it was not given.

    Raises:
        UsageError: it is neither.
    """
    known = {"": None, "true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in known:
        raise UsageError(f"--{flag} {text!r} is neither true nor false.", next_step=f"--help explains --{flag}.")
    return known[text.lower()]
