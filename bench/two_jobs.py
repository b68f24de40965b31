"""Two independent targets: `bertbuild build --jobs 2` against `--jobs 1`, on real stages in virtual environments.

    python bench/two_jobs.py [--runs 3] [--size tiny]

Two checkpoints of random weights, an IR of each; a fresh store every time, so that all is made: inspected, frozen,
asked by TensorFlow 1.15, converted and asked by OpenVINO, judged. Wall time of the whole process, in pairs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from common import ROOT, Targets, interleaved, machine, measure, median, paired_ratio, print_table

MOST = 0.65
BUILD_FILE = """\
[targets.ir]
kind = "ir"

[models.one]
checkpoint = "checkpoints/one"

[models.two]
checkpoint = "checkpoints/two"
"""


def main() -> None:
    """Write the checkpoints, build them in pairs, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", default="tiny", help="of bench/random_checkpoint.py")
    args = parser.parse_args()
    seconds: dict[str, list[float]] = {"1": [], "2": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "bertbuild.toml").write_text(BUILD_FILE, encoding="utf-8")
        write_checkpoints(folder / "checkpoints", args.size)
        build(folder, "2")  # what is read for the first time is read from the disk: no part of the comparison
        interleaved(args.runs, *(lambda jobs=jobs: seconds[jobs].append(build(folder, jobs)) for jobs in seconds))
    print(f"{machine()}; two {args.size} models, {args.runs} pairs, medians\n")
    targets = Targets()
    ratio = paired_ratio(seconds["2"], seconds["1"])
    judged = targets.at_most("--jobs 2 / --jobs 1", ratio, MOST)
    rows = [
        ["build --jobs 1", f"{median(seconds['1']):.1f}", "1", ""],
        ["build --jobs 2", f"{median(seconds['2']):.1f}", f"{ratio:.2f}", judged],
    ]
    print_table(["two targets", "seconds", "to --jobs 1", "target"], rows)
    targets.finish()


def write_checkpoints(folder: Path, size: str) -> None:
    """Two of them, of other weights, so that they have no stage in common."""
    for name, labels in (("one", 2), ("two", 3)):
        measure([sys.executable, ROOT / "bench" / "random_checkpoint.py", size, folder / name, "--labels", labels])


def build(folder: Path, jobs: str) -> float:
    """Wall seconds of a build into a new store."""
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BERTBUILD_"))}
    kept |= {name: os.environ[name] for name in ("BERTBUILD_ENVIRONMENTS",) if name in os.environ}
    program = Path(sys.executable).parent / "bertbuild"
    run = measure([program, "build", "--jobs", jobs], cwd=folder, env={**kept, "BERTBUILD_ISOLATION": "venv"})
    last = run.lines[-1][1]
    assert "2 built" in last, last
    return run.seconds


if __name__ == "__main__":
    main()
