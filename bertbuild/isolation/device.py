"""The Neuron device, which runs what was compiled for it."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "BERTBUILD_NEURON_DEVICE"
USUAL = "/dev/neuron0"


def neuron_device() -> Path | None:
    """The machine's Neuron device: the one that BERTBUILD_NEURON_DEVICE names, or the first; None without one."""
    path = Path(os.environ.get(VARIABLE) or USUAL)
    return path if path.exists() else None
