"""Loaded by the program under test at its start: its clock is shifted, or it is killed at its n-th change of the disk.

FAULTS_CLOCK: seconds to add to what the clock says. FAULTS_STORE: the folder whose changes are counted;
FAULTS_KILL_AT: before which change the process kills itself (0: never); FAULTS_COUNTED: a file that gets their number.
"""

from __future__ import annotations

import atexit
import itertools
import os
import signal
import sys
import time
from pathlib import Path

CHANGES = {
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.mkdir",
    "os.chmod",
    "os.symlink",
    "os.truncate",
    "subprocess.Popen",
}


def shift_clock(seconds):
    now, now_ns, localtime, strftime = time.time, time.time_ns, time.localtime, time.strftime
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)
    time.localtime = lambda moment=None: localtime(time.time() if moment is None else moment)
    time.strftime = lambda form, moment=None: strftime(form, moment or time.localtime())


def count_changes(store, kill_at, counted):
    count = itertools.count(1)

    def is_change(event, words):
        if event == "open":
            written = isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)
            return bool(written) and store in str(words[0])
        if event not in CHANGES:
            return False
        return event == "subprocess.Popen" or any(store in str(word) for word in words)

    def hook(event, words):
        if (event == "open" or event in CHANGES) and is_change(event, words) and next(count) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    atexit.register(lambda: Path(counted).write_text(str(next(count) - 1)))


if "FAULTS_CLOCK" in os.environ:
    shift_clock(float(os.environ["FAULTS_CLOCK"]))
if "FAULTS_STORE" in os.environ:
    count_changes(os.environ["FAULTS_STORE"], int(os.environ["FAULTS_KILL_AT"]), os.environ["FAULTS_COUNTED"])
