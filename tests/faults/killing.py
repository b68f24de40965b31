"""Runs that are killed, and what must hold of the store afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from processes import left_after

WHOLE = bool(os.environ.get("BERTBUILD_TEST_WHOLE"))
"""Set by `invoke test --whole`: the high counts, in the place of what CI has time for."""

OF_A_RUN = ("logs", "runs")
"""What each run adds to the store."""


def descendants(pid):
    """Process ids of all that a process started, and of what those started, in whatever sessions."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            children[int(fields[1])].append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        new = children[waiting.pop()]
        found += new
        waiting += new
    return found


def kill_tree(process):
    """Kill -9 a program and all it started; the program first, so that it cannot start more."""
    below = descendants(process.pid)
    process.kill()
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_host(process):
    """Kill -9 the program alone: the stages must notice."""
    process.kill()


def events_of(stdout):
    """The events of a run that may have been ended in the middle of a line."""
    found = []
    for line in stdout.splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def in_a_stage(events):
    """Whether a run was ended while a step was being made."""
    return set(keys_that(events, "started")) - set(keys_that(events, "done", "failed", "interrupted")) != set()


def keys_that(events, *states):
    """Keys of steps that came to one of these states."""
    return [event["key"] for event in events if event["event"] == "stage" and event["state"] in states]


def published(program):
    """(stage, key) → what tells a result from one that was built again: its manifest's inode and time."""
    found = {}
    for path in program.artifacts.glob("objects/*/*/manifest.json"):
        facts = path.stat()
        found[path.parent.parent.name, path.parent.name] = facts.st_ino, facts.st_mtime_ns
    return found


def assert_whole(program, results=None):
    """Every published result (or these) has all the bytes of its manifest."""
    for stage, key in published(program) if results is None else results:
        path = program.artifacts / "objects" / stage / key
        for name, entry in json.loads((path / "manifest.json").read_text())["files"].items():
            assert hashlib.sha256((path / name).read_bytes()).hexdigest() == entry["sha256"], path / name


def names_in(program):
    """All paths in a store but those that each run adds, so that what crashes leave behind is seen."""
    root = program.artifacts
    paths = (path.relative_to(root) for path in root.rglob("*"))
    return {str(path) for path in paths if path.parts[0] not in OF_A_RUN}


def kilobytes_of(program):
    """What a store's files and folders take, in whole pages."""
    paths = [program.artifacts, *program.artifacts.rglob("*")]
    return sum(4 * (-(-path.lstat().st_size // 4096) if path.is_file() else 1) for path in paths)


@dataclass(kw_only=True)
class Watch:
    """One store over several runs: what was published stays, and is never built again."""

    program: object
    wanted: object
    counts: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)

    def after(self, events):
        """What must hold after any end of a run that gave these events."""
        now = published(self.program)
        before = {key for _, key in self.kept}
        self._none("built again", before & set(keys_that(events, "started", "done")))
        self._none("lost", self.kept.keys() - now.keys())
        assert self.kept.items() <= now.items(), "what was published was touched"
        assert set(keys_that(events, "done")) <= {key for _, key in now}, "what is said to be done is not there"
        assert_whole(self.program, now.keys() - self.kept.keys())
        assert not (self.program.artifacts / "damaged").exists()
        self.kept = now

    def after_kill(self, events):
        """What must hold after a kill: as ever, and nobody is left."""
        assert left_after(5.0, self.program.artifacts) == []
        self.after(events)

    def finished(self, *words):
        """Run to the end; then nothing may tell this store from an undisturbed one."""
        outcome = self.program.ok(*words)
        self.after(outcome.events)
        self.check_end(outcome.last)
        return outcome

    def check_end(self, last):
        """The same results under the same keys, the same names, nothing left over, nobody left."""
        assert left_after(5.0, self.program.artifacts) == []
        digests, names = self.program.digests(), names_in(self.program)
        self._none("differing hashes", dict(digests.items() ^ self.wanted.digests.items()))
        self._none("left over", names - self.wanted.names)
        missing = {name for name in self.wanted.names - names if not name.startswith("cache/")}
        assert missing == set(), "what a killed run learnt of memory and files is lost, and nothing else may be"
        assert [target["key"] for target in last["targets"]] == self.wanted.targets

    def _none(self, name, found):
        """Count what must not be, and insist that there is none."""
        self.counts[name] = self.counts.get(name, 0) + len(found)
        assert not found, name


@dataclass(kw_only=True)
class Undisturbed:
    """A build that nothing disturbed: what all others must come to.

    Attributes:
        words: the command.
        digests: (stage, key) → digest.
        names: all paths in its store.
        kilobytes: what its files and folders take, in whole pages.
        targets: keys of its targets, as its last event says.
        whole: how many seconds it took.
        seconds: how long each step took, by key; None → a run that finds all built.
    """

    words: tuple
    digests: dict
    names: set
    kilobytes: int
    targets: list
    whole: float
    seconds: dict

    def left(self, done):
        """About how many seconds a build takes of which these keys are published."""
        shares = {key: seconds for key, seconds in self.seconds.items() if key not in done}
        return self.whole * sum(shares.values()) / sum(self.seconds.values())


def undisturbed(program, words):
    """Build once, undisturbed."""
    outcome = program.ok(*words)
    seconds = {event["key"]: event["seconds"] for event in outcome.of("stage") if event["state"] == "done"}
    seconds[None] = program.ok(*words).seconds
    return Undisturbed(
        words=words,
        digests=program.digests(),
        names=names_in(program),
        kilobytes=kilobytes_of(program),
        targets=[target["key"] for target in outcome.last["targets"]],
        whole=outcome.seconds,
        seconds=seconds,
    )


def killed_after(program, words, seconds, kill):
    """Start, kill after some seconds; the exit code and the events."""
    process = program.start(*words)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if process.poll() is None:
        kill(process)
    stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr, stderr
    return process.returncode, events_of(stdout)
