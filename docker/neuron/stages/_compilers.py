"""The compiler's processes, which tensorflow-neuron starts and tells little about.

tensorflow-neuron keeps neither the compiler's exit code nor, always, its output. So while a compilation runs,
`subprocess.Popen` notes each compiler that it starts and sends what that says to one log.

A compilation takes hours and much memory: it must not go on when the stage is killed. So each compiler is started by
this module run as a program, which outlives the stage for a moment and ends all that the compiler started.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

from stage import StageInputError

KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
NO_MEMORY = ("std::bad_alloc", "MemoryError", "Cannot allocate memory")
"""What a compiler says that met its limit itself."""

MEMORY = (
    "it takes about 32 GB for BERT-Large; compile on a larger machine (c5.4xlarge or larger), or give the container "
    "more if BERTBUILD_MEMORY limits it"
)
TAIL_LINES = 15
KILL_SECONDS = 20
"""A process that waits for a broken disk cannot be killed; nobody waits for it."""

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # prctl(2)


class Compilers(object):
    """Notes the compilers started while it is entered; none of them, nor what they started, outlives it."""

    def __init__(self, log_path, folder):
        """Start no compiler yet.

        Args:
            log_path: the file that gets the command line and the output of each.
            folder: where they work; what is noted of them says nothing of where that is.
        """
        self.commands = []
        self._processes = []
        self._log_path = log_path
        self._folder = folder

    def __enter__(self):
        adopt()
        self._popen = subprocess.Popen
        subprocess.Popen = self._start
        return self

    def __exit__(self, *_):
        subprocess.Popen = self._popen
        self.kill()

    def _start(self, command, *more, **options):
        if list(command[1:2]) != ["compile"]:
            return self._popen(command, *more, **options)
        with open(self._log_path, "ab") as log:
            noted = ["neuron-cc", *(word.replace(self._folder + os.sep, "") for word in command[1:])]
            self.commands.append(noted)
            log.write(("$ %s\n" % subprocess.list2cmdline(noted)).encode())
            log.flush()
            options.update(stdout=log, stderr=subprocess.STDOUT)
            launched = [sys.executable, "-m", "stages._compilers", str(os.getpid()), *command]
            process = self._popen(launched, *more, **options)
        self._processes.append(process)
        return process

    def running(self):
        """The ids of all processes that this one started, and of those that they started."""
        return descendants()

    def kill(self):
        """Kill them all."""
        kill_descendants()

    def check(self):
        """Make sure that no compiler failed.

        Raises:
            StageInputError: one did; its last lines are on stderr.
        """
        codes = [code for code in (process.poll() for process in self._processes) if code not in (0, None)]
        if not codes:
            return
        with open(self._log_path, errors="replace") as file:
            text = file.read()
        tail = "\n".join(text.splitlines()[-TAIL_LINES:])
        sys.stderr.write(tail + "\n")
        if any(code in KILLED for code in codes):
            raise StageInputError(
                "neuron-cc was killed (exit 137), which the system does when memory runs out: " + MEMORY
            )
        if any(sign in tail for sign in NO_MEMORY):
            raise StageInputError("neuron-cc ran out of memory (exit %d): %s" % (codes[0], MEMORY))
        raise StageInputError("neuron-cc failed with exit code %d; its last lines are above" % codes[0])


def adopt():
    """Let whatever descendants leave behind become our children, so that they can be found."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)


def descendants():
    """The ids of all processes that this one started, and of those that they started."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as file:
                state, parent = file.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue  # it just ended
        if state != "Z":
            children.setdefault(int(parent), []).append(int(name))
    found, left = [], [os.getpid()]
    while left:
        new = children.get(left.pop(), [])
        found += new
        left += new
    return found


def kill_descendants():
    """Kill them all; one that starts another meanwhile is met the next time round."""
    give_up = time.monotonic() + KILL_SECONDS
    pids = descendants()
    while pids and time.monotonic() < give_up:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        pids = descendants()


def launch(parent, command):
    """Run a compiler; when the parent dies, or this process is to end, kill it and all that it started.

    Args:
        parent: the id of the process that started this one.
        command: the compiler's words.

    Returns:
        its exit code, as a shell says it.
    """
    ended = 128 + signal.SIGTERM

    def end(*_):
        kill_descendants()
        os._exit(ended)

    adopt()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    _signal_at_parents_death(signal.SIGTERM)
    if os.getppid() != parent:
        return ended  # it died before we asked
    # Should this process be killed itself, the compiler goes too. There are no threads here.
    process = subprocess.Popen(command, preexec_fn=lambda: _signal_at_parents_death(signal.SIGKILL))  # noqa: PLW1509
    code = process.wait()
    return code if code >= 0 else 128 - code


def _signal_at_parents_death(number):
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, number)


if __name__ == "__main__":
    sys.exit(launch(int(sys.argv[1]), sys.argv[2:]))
