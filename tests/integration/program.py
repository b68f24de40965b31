"""The `bertbuild` program run as users run it, and the store it leaves behind read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from event_schema import check
from matrix import WHOLE
from warm_runs import warm_runs

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
"""Real checkpoints, GLUE and SQuAD, where they lie beside the repository."""
BERTBUILD = Path(sys.executable).parent / "bertbuild"
KEPT = ("BERTBUILD_ENVIRONMENTS", "BERTBUILD_PYTHON37", "BERTBUILD_PYTHON311")
"""The only settings of the person who runs the tests that reach the program."""
WITH_ISOLATION = ("images", "freeze", "build-ir", "verify")
"""Commands that take the flag; the rest (`inspect` of a Hugging Face folder) have it from the environment."""
STAY = {ROOT}
"""Checkouts that no test changes."""


def environment(artifacts, root=ROOT):
    """Variables of a run: the checkout at `root`, its artifacts in a folder of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BERTBUILD_") or name in KEPT}
    return {**kept, "PYTHONPATH": str(root), "BERTBUILD_ARTIFACTS": str(artifacts), "BERTBUILD_ISOLATION": "venv"}


def command(words, isolation="venv"):
    flags = ["--isolation", isolation] if words[0] in WITH_ISOLATION else []
    return [str(BERTBUILD), *map(str, words), *flags, "--json"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended."""

    code: int
    events: list[dict[str, Any]]
    stderr: str
    seconds: float

    @property
    def last(self):
        return self.events[-1]

    @property
    def notes(self):
        return [event["text"] for event in self.events if event["event"] == "note"]

    @property
    def warnings(self):
        return [event["text"] for event in self.events if event["event"] == "warning"]

    def of(self, kind):
        return [event for event in self.events if event["event"] == kind]

    def ids(self, state):
        """Steps that came to a state: "cached", "started", "done", "failed"."""
        return [event["id"] for event in self.of("stage") if event["state"] == state]

    def verdict(self, target):
        return next(event for event in self.of("verdict") if event["target"] == target)

    @property
    def figures(self):
        """Step id or event → seconds, for the report of a failed assertion."""
        return {event["id"]: event.get("seconds") for event in self.of("stage") if event["state"] == "done"}


class Bertbuild:
    """The program over one artifacts folder."""

    def __init__(self, artifacts, root=ROOT, variables=None):
        self.artifacts = Path(artifacts)
        self.root = root
        self.variables = variables or {}

    def having(self, **variables):
        """The same program with some more variables in its environment."""
        texts = {name: str(value) for name, value in variables.items()}
        return Bertbuild(self.artifacts, self.root, self.variables | texts)

    def _may_be_warm(self, command):
        """Whether a run may be forked: of a checkout that stays as it is, with no variables but the program's own."""
        own = command[0] == str(BERTBUILD) and all(name.startswith("BERTBUILD_") for name in self.variables)
        stays = self.root in STAY and self.variables.get("BERTBUILD_ISOLATION", "venv") == "venv"
        return own and stays and not WHOLE

    def _command(self, words):
        return command(words, self.variables.get("BERTBUILD_ISOLATION", "venv"))

    def _environment(self):
        return environment(self.artifacts, self.root) | self.variables

    def __call__(self, *words):
        """Run to the end, whatever the end."""
        started, command = time.monotonic(), self._command(words)
        how = {"env": self._environment(), "cwd": self.artifacts.parent, "timeout": 600}
        done = warm_runs().run(command, **how) if self._may_be_warm(command) else None
        done = done or subprocess.run(command, **how, capture_output=True, text=True, check=False)
        return self._outcome(done.returncode, done.stdout, done.stderr, started)

    def ok(self, *words):
        """Run to a good end, or fail the test with all there is to say."""
        outcome = self(*words)
        assert outcome.code == 0, json.dumps([outcome.last, outcome.stderr], indent=1)
        assert outcome.last["event"] == "result"
        return outcome

    def refused(self, *words, code):
        """Run to an end with this exit code; gives the error event."""
        outcome = self(*words)
        assert outcome.code == code, json.dumps([outcome.last, outcome.stderr], indent=1)
        assert outcome.last["event"] == "error"
        assert outcome.last["exit_code"] == code
        assert "Traceback" not in outcome.stderr
        return outcome.last

    def start(self, *words):
        """Start, and read its events from `stdout` line by line."""
        return subprocess.Popen(
            self._command(words),
            env=self._environment(),
            cwd=self.artifacts.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process):
        """Wait for a started run."""
        started = time.monotonic()
        stdout, stderr = process.communicate(timeout=600)
        return self._outcome(process.returncode, stdout, stderr, started)

    @staticmethod
    def _outcome(code, stdout, stderr, started):
        events = [json.loads(line) for line in stdout.splitlines()]
        assert events, stderr
        for event in events:
            check(event)
        return Outcome(code=code, events=events, stderr=stderr, seconds=time.monotonic() - started)

    def out(self, model, target):
        """The named link people open."""
        return self.artifacts / "out" / model / target

    def record(self, model, target):
        """What is remembered of a target."""
        return json.loads((self.artifacts / "targets" / model / f"{target}.json").read_text())

    def result(self, model, target, step):
        """The folder of the result of one step of a target."""
        stage, key = self.record(model, target)["results"][step]
        return self.artifacts / "objects" / stage / key

    def answers(self, model, target, step=None):
        """Probe answers: of the target, or of the step "reference"."""
        step = step or self.record(model, target)["target"]["answers"]
        return arrays(self.result(model, target, step) / "answers.npz")

    def probes(self, model, target):
        """The probe inputs by name: dicts of role → int32 [B, S]."""
        steps = {step["id"]: step for step in self.record(model, target)["steps"]}
        path = self.artifacts / steps["reference"]["inputs"]["probes"]["path"]
        return {
            probe["name"]: {
                role: np.array(probe[role], np.int32) for role in ("input_ids", "input_mask", "segment_ids")
            }
            for probe in json.loads(path.read_text())["probes"]
        }

    def digests(self):
        """(stage, key) → digest of every published result."""
        found = {}
        for path in self.artifacts.glob("objects/*/*/manifest.json"):
            found[path.parent.parent.name, path.parent.name] = json.loads(path.read_text())["digest"]
        return found


def arrays(path):
    """All arrays of an .npz."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def events_until(process, wanted):
    """Read a started run's events up to one for which `wanted` is true; the events read, or None when it never came."""
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if wanted(events[-1]):
            return events
    return None
