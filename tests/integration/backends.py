"""Scripts run by the backends' own Pythons: what is built is judged by TensorFlow and OpenVINO themselves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from matrix import WHOLE
from warm_runs import warm_runs

from bertbuild.config import load_settings
from bertbuild.isolation.venv import VenvIsolation

SCRIPTS = Path(__file__).resolve().parent / "scripts"


def python(backend):
    """The Python of a backend's virtual environment."""
    return VenvIsolation(load_settings({}).environments)._path(backend) / "bin" / "python"


def run(backend, script, timeout=300, **request):
    """Run `scripts/<script>.py` in a backend's environment; request and answer are JSON."""
    path, told = SCRIPTS / f"{script}.py", json.dumps(request, default=str)
    done = None if WHOLE else warm_runs().script(backend, python(backend), path, told, timeout)
    done = done or subprocess.run(
        [str(python(backend)), str(path)],
        input=told,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "CI": "true"},  # without it OpenVINO sends usage data
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
