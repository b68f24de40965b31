"""What checking costs: `inspect`, 200 targets with nothing to do (against 443d240), and one (against 4998f5e).

    .venv/bin/python bench/checking.py [--runs 11] [--models 40] [--inspect]

The commits are checked out into a temporary folder; both sides run under this Python and its packages, byte-compiled,
in pairs, each as a whole process. `--inspect` measures that alone. A build's store is made by each side's own
bench/fleet_store.py, over environments that must be there (`invoke images --isolation venv`). Targets: `inspect` of a
base-size checkpoint at most 1.05 times the commit's time, the build of 200 targets at most 1.05 times, that of one
target at most 0.80 times.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from common import ROOT, Measured, Targets, checked_out, interleaved, machine, measure, pair_of, print_table

FIRST, SECOND = "443d240", "4998f5e"
INSPECT, ALL, ONE = "inspect", "build of all, nothing to do", "build of one target, nothing to do"
MOST = {INSPECT: (FIRST, 1.05), ALL: (FIRST, 1.05), ONE: (SECOND, 0.80)}
"""What is measured: against which commit, and how many times its time it may take."""


def main() -> None:
    """Prepare, measure in pairs, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=11, help="of each side")
    parser.add_argument("--models", type=int, default=40, help="of the build file, five targets each")
    parser.add_argument("--inspect", action="store_true", help="measure inspect alone")
    args = parser.parse_args()
    wanted = {what: against for what, against in MOST.items() if what == INSPECT or not args.inspect}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        commits = {commit for commit, _ in wanted.values()}
        code = {"now": ROOT, **{commit: checked_out(commit, folder / commit) for commit in commits}}
        for side in code.values():
            measure([sys.executable, "-m", "compileall", "-q", side / "bertbuild"])
        checkpoint = folder / "checkpoint"
        measure([sys.executable, ROOT / "bench" / "random_checkpoint.py", "base", checkpoint])
        made: dict[str, Callable[[str], Callable[[], Measured]]] = {
            INSPECT: lambda side: inspecting(code[side], checkpoint),
            ALL: lambda side: building(code[side], folder / f"all-{side}", args.models),
            ONE: lambda side: building(code[side], folder / f"one-{side}", 1, "model-00/ir-fp32"),
        }
        found = {
            what: paired(args.runs, {side: made[what](side) for side in ("now", commit)})
            for what, (commit, _) in wanted.items()
        }
    print(f"{machine()}; {args.runs} pairs, medians; all: {5 * args.models} targets\n")
    targets = Targets()
    rows = []
    for what, runs in found.items():
        before, most = MOST[what]
        pair = pair_of(runs["now"], runs[before])
        judged = targets.at_most(f"{what}, now / {before}", pair.ratio, most)
        rows.append([what, before, *(f"{value:.3f}" for value in astuple(pair)), judged])
    columns = ["whole process", "before", "s", "s before", "at work, s", "before", "ratio", "at work", "target"]
    print_table(columns, rows)
    targets.finish()


def paired(runs: int, sides: dict[str, Callable[[], Measured]]) -> dict[str, list[Measured]]:
    """Each side once without counting, then all in turn."""
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    for side in sides.values():
        side()
    interleaved(runs, *(lambda name=name: found[name].append(sides[name]()) for name in sides))
    return found


def inspecting(code: Path, checkpoint: Path) -> Callable[[], Measured]:
    """`inspect` with nothing learnt before."""

    def run() -> Measured:
        with tempfile.TemporaryDirectory() as empty:
            return program(code, ["inspect", "--checkpoint", checkpoint], artifacts=Path(empty))

    return run


def building(code: Path, folder: Path, models: int, *names: str) -> Callable[[], Measured]:
    """`build` over a store in which all is made."""
    folder.mkdir()
    environment = surroundings(code, folder / "artifacts")
    measure([sys.executable, code / "bench" / "fleet_store.py", folder, "--models", models], env=environment)
    return lambda: program(code, ["build", *names], artifacts=folder / "artifacts", cwd=folder)


def program(code: Path, words: list[object], *, artifacts: Path, cwd: Path | None = None) -> Measured:
    """`bertbuild` of one of the two checkouts, run to its end."""
    return measure([sys.executable, "-m", "bertbuild", *words], env=surroundings(code, artifacts), cwd=cwd or artifacts)


def surroundings(code: Path, artifacts: Path) -> dict[str, str]:
    """The caller's, with a checkout's package first, bytecode kept as for people, and stages without an engine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BERTBUILD_"))}
    kept |= {name: os.environ[name] for name in ("BERTBUILD_ENVIRONMENTS",) if name in os.environ}
    more = {"PYTHONPATH": str(code), "BERTBUILD_ISOLATION": "venv", "BERTBUILD_ARTIFACTS": str(artifacts)}
    return kept | more


if __name__ == "__main__":
    main()
