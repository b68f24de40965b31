"""What checking costs, against 443d240: `inspect` of a base-size checkpoint, and 200 targets with nothing to do.

    .venv/bin/python bench/checking.py [--runs 11] [--models 40]

The commit is checked out into a temporary folder; both run under this Python and its packages, in pairs, each as a
whole process. The build's store is made by each side's own bench/fleet_store.py, over environments that must be there
(`invoke images --isolation venv`). Targets: inspect at most 1.10 times the commit's time, the build at most 1.05 times.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import (
    ROOT,
    Measured,
    Targets,
    checked_out,
    interleaved,
    machine,
    measure,
    median,
    paired_ratio,
    print_table,
)

TODAY = "443d240"
MOST_OF_INSPECT, MOST_OF_BUILD = 1.10, 1.05


def main() -> None:
    """Prepare, measure in pairs, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=11, help="of each side")
    parser.add_argument("--models", type=int, default=40, help="of the build file, five targets each")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sides = {"today": checked_out(TODAY, folder / "today"), "now": ROOT}
        checkpoint = folder / "checkpoint"
        measure([sys.executable, ROOT / "bench" / "random_checkpoint.py", "base", checkpoint])
        found = {"inspect": paired(args.runs, {name: inspecting(code, checkpoint) for name, code in sides.items()})}
        builds = {name: building(code, folder / f"fleet-{name}", args.models) for name, code in sides.items()}
        found["build, nothing to do"] = paired(args.runs, builds)
    print(f"{machine()}; {args.runs} pairs, medians; {5 * args.models} targets\n")
    targets = Targets()
    rows = []
    for (what, runs), most in zip(found.items(), (MOST_OF_INSPECT, MOST_OF_BUILD), strict=True):
        seconds = {name: [run.seconds for run in side] for name, side in runs.items()}
        ratio = paired_ratio(seconds["now"], seconds["today"])
        shown = [f"{median(seconds[name]):.3f}" for name in ("now", "today")]
        rows.append([what, *shown, f"{ratio:.3f}", targets.at_most(f"{what}, now / {TODAY}", ratio, most)])
    print_table(["whole process, seconds", "now", TODAY, "ratio", "target"], rows)
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


def building(code: Path, folder: Path, models: int) -> Callable[[], Measured]:
    """`build` over a store in which all is made."""
    folder.mkdir()
    environment = surroundings(code, folder / "artifacts")
    measure([sys.executable, code / "bench" / "fleet_store.py", folder, "--models", models], env=environment)
    return lambda: program(code, ["build"], artifacts=folder / "artifacts", cwd=folder)


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
