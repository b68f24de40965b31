"""What can go wrong with a compiler, on demand: `--stand-in fail|hang|empty|killed|few|slow`."""

import os
import signal
import subprocess
import sys
import time

ACTS = ("fail", "hang", "empty", "killed", "few", "slow")
"""`few` is heeded by the stand-in for tensorflow-neuron, which then places a handful of operators on the device."""

HOUR = 3600
SLOW_SECONDS = 3
SLOW_BYTES = 200 << 20


def misbehave(act):
    """Do what was asked for; returns when the compilation is to go on."""
    if act == "fail":
        raise SystemExit("[neuron-cc stand-in]: ERROR: told to fail")
    if act == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "hang":
        # The real compiler starts processes of its own; who kills only the parent leaves them behind.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(%d)" % HOUR])
        time.sleep(HOUR)
    elif act == "slow":
        eaten = bytearray(b"x") * SLOW_BYTES
        time.sleep(SLOW_SECONDS)
        del eaten
