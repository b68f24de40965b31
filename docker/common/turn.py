"""A stage that measures how long something takes waits until nothing else runs on the machine.

Python 3.6 of the standard library. The host (isolation/venv.py) puts a file into the stage's temporary folder and takes
it away when the stage's turn has come; where there is none (in a container, by hand) nobody is waited for.
"""

import os
import tempfile
import time

from stage import emit, step

FILE = "bertbuild-waits"
SECONDS = 0.02
"""Between two looks."""

REST = 0.03
"""Seconds that ONNX Runtime's threads take a core for after an answer, while they wait for work without sleeping."""


def wait(report):
    """Wait for the turn; the report does not count how long that took."""
    path = os.path.join(tempfile.gettempdir(), FILE)
    if not os.path.exists(path):
        return
    began = time.monotonic()
    step("waiting until nothing else runs")
    emit("ready")
    while os.path.exists(path):
        time.sleep(SECONDS)
    time.sleep(REST)
    step("answering and measuring")
    report.waited += time.monotonic() - began
