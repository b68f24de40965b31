"""Words that were renamed: the old ones are taken for one release more, as flags and as keys of bertbuild.toml.

They are in no help, and each is answered with a line that has the new word. What upstream's scripts call a flag is in
`cli/upstream.py`, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMES = "NAMES"
"""The new word of a flag whose value is typed without a flag now."""

_NEURON = {"dtype": "compute", "gelu": "gelu_approximation"}
_ONE_TARGET = {"model": NAMES, "target": NAMES}

RENAMED: Mapping[str, Mapping[str, str]] = {
    "build-ir": {"batch": "batch_size"},
    "neuron-ready": _NEURON,
    "neuron-compile": _NEURON,
    "report": {"output": "to"},
    "verify": _ONE_TARGET,
    "verify-provenance": _ONE_TARGET,
    "why": {"name": NAMES},
}
"""Command → old word → new word, as parameters are named. They hold for the keys of the kinds that it makes, too."""

ENDS = "the old word goes in the next release"


def renamed_in(command: str) -> Mapping[str, str]:
    """The old words that a command takes, and the new one of each."""
    return RENAMED.get(command, {})
