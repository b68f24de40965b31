"""What every stage shares: arguments in, events on stdout, one `stage.json` beside the outputs.

A stage is a program that runs alone: named inputs (read-only), typed parameters, one empty output folder. This module
runs inside the images, so it is plain Python 3.6 and needs nothing but the standard library.
"""

import argparse
import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback

# A stage that refuses its input says so in one sentence and ends with this code; any other failure keeps its traceback.
EXIT_REFUSED = 2


class StageInputError(Exception):
    """An input or parameter the stage cannot work with: one sentence, shown without a traceback."""


def emit(event, **fields):
    """Write one event as a one-line JSON object to stdout, where the host (or CI) reads it."""
    sys.stdout.write(json.dumps(dict(fields, event=event), sort_keys=True) + "\n")
    sys.stdout.flush()


def step(text):
    """Say what the stage is doing now."""
    emit("step", text=text)


def progress(done, total):
    """Say how much of the stage's work is done, both in the same unit."""
    emit("progress", done=done, total=total)


class Report(object):
    """What ends up in stage.json: the facts about one run of a stage."""

    def __init__(self, stage):
        self.stage = stage
        self.key = None
        self.packages = {}
        self.inputs = {}
        self.outputs = {}
        self.operators = {}
        self.notes = []
        self.facts = {}
        self.waited = 0.0  # seconds, for a turn to measure

    def note(self, text):
        """Record something a person should know, and say it at once."""
        self.notes.append(text)
        emit("note", text=text)

    def as_dict(self, seconds):
        """All of it, as it is written; `seconds` is the wall time, which has what was waited for a turn in it."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "stage": self.stage,
            "key": self.key,
            "python": "%d.%d.%d" % sys.version_info[:3],
            "packages": self.packages,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "operators": self.operators,
            "notes": self.notes,
            "facts": self.facts,
            "seconds": round(seconds - self.waited, 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_memory_bytes": usage.ru_maxrss * 1024,  # Linux counts in KiB
        }


def end_with_parent():
    """Ask Linux to kill this process when the host process that started it dies, even by kill -9 (prctl(2))."""
    parent = os.environ.get("BERTBUILD_PARENT")
    if not parent:
        return  # in a container, and by hand
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != int(parent):
        os._exit(EXIT_REFUSED)  # it died before we asked


class Stage(object):
    """The command line of a stage: `--input=PATH … --param=VALUE … --out=FOLDER`."""

    def __init__(self, name, description):
        self.name = name
        self._parser = argparse.ArgumentParser(prog=name, description=description)
        self._parser.add_argument("--out", required=True, metavar="FOLDER", help="where the results go; must be empty")
        self._parser.add_argument("--key", help="the key the result is stored under; recorded, never used")
        self._inputs = []

    def input(self, name, help, required=True):  # noqa: A002 - argparse's own word
        """Declare a file or folder that is read and never written."""
        self._inputs.append(name.replace("-", "_"))
        self._parser.add_argument("--" + name, required=required, metavar="PATH", help=help)

    def param(self, name, help, **options):  # noqa: A002
        """Declare a parameter; `options` go to argparse."""
        self._parser.add_argument("--" + name, help=help, **options)

    def main(self, run):
        """Parse the command line, call `run(args, report)`, write stage.json, and exit."""
        started = time.monotonic()
        end_with_parent()
        args = self._parser.parse_args()
        report = Report(self.name)
        report.key = args.key
        try:
            self._check_paths(args)
            run(args, report)
            with open(os.path.join(args.out, "stage.json"), "w") as file:
                json.dump(report.as_dict(time.monotonic() - started), file, indent=1, sort_keys=True)
                file.write("\n")
        except StageInputError as error:
            emit("refused", text=str(error))
            sys.stderr.write("%s: %s\n" % (self.name, error))
            sys.exit(EXIT_REFUSED)
        except Exception:  # noqa: BLE001 - the host shows the last lines; the log keeps the whole traceback
            traceback.print_exc()
            sys.exit(1)
        # Skip the interpreter's tear-down: TensorFlow's takes a good part of a second and writes nothing.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def _check_paths(self, args):
        for name in self._inputs:
            path = getattr(args, name)
            if path is not None and not os.path.exists(path):
                raise StageInputError("--%s=%s does not exist" % (name.replace("_", "-"), path))
            if path is not None and not os.access(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)):
                # Where root calls, a container runs as nobody, to whom a private folder looks empty.
                message = "--%s=%s may not be read by uid %d; let others read it: chmod -R a+rX"
                raise StageInputError(message % (name.replace("_", "-"), path, os.getuid()))
        if not os.path.isdir(args.out):
            try:
                os.makedirs(args.out)
            except OSError as error:
                # In a container by hand this is usually about who owns the artifacts folder.
                message = "--out=%s cannot be made by uid %d: %s; in a container, BERTBUILD_UID says who runs"
                raise StageInputError(message % (args.out, os.getuid(), error.strerror)) from error
        if os.listdir(args.out):
            raise StageInputError("--out=%s is not empty; a stage writes into an empty folder" % args.out)


def write_json(folder, name, value):
    """Write `value` as stable, readable JSON: same value, same bytes."""
    with open(os.path.join(folder, name), "w") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.write("\n")


def read_json(folder, name):
    """Read a JSON file of a folder; StageInputError when it is missing or broken."""
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="utf-8-sig") as file:  # which may begin with a mark
            return json.load(file)
    except RecursionError as error:
        raise StageInputError("cannot read %s: its lists lie too deep in one another" % path) from error
    except (OSError, ValueError) as error:
        raise StageInputError("cannot read %s: %s" % (path, error)) from error
