"""`bertbuild inspect` (whole process, every checksum of the checkpoint) against `sha256sum` on the same files.

    .venv/bin/python bench/inspect_speed.py [--size base] [--runs 7]

Both read a base-size checkpoint of random weights from the page cache, in turn. Targets: at most twice the time, and a
peak memory of at most 150 MiB.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from common import MIB, ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table

MOST_TIMES = 2.0
MOST_MIB = 150.0


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("base", "tiny"), default="base", help="of the checkpoint (default: base)")
    parser.add_argument("--runs", type=int, default=7, help="of each side (default: 7)")
    args = parser.parse_args()
    ours: list[Measured] = []
    theirs: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder, "checkpoint")
        measure([sys.executable, ROOT / "bench" / "random_checkpoint.py", args.size, checkpoint])
        files = sorted(checkpoint.iterdir())

        def inspect() -> Measured:
            empty = tempfile.mkdtemp(dir=folder)  # nothing learnt before can be used
            command = [Path(sys.executable).with_name("bertbuild"), "inspect", "--checkpoint", checkpoint]
            return measure(command, env=os.environ | {"BERTBUILD_ARTIFACTS": empty})

        def sha256sum() -> Measured:
            return measure(["sha256sum", *files])

        sha256sum()  # fills the page cache
        inspect()
        interleaved(args.runs, lambda: ours.append(inspect()), lambda: theirs.append(sha256sum()))
        size = sum(file.stat().st_size for file in files)

    targets = Targets()
    times = paired_ratio([run.seconds for run in ours], [run.seconds for run in theirs])
    peak = max(run.peak_bytes for run in ours) / MIB
    print(f"{machine()}; {size / MIB:.0f} MiB, page cache warm, medians of {args.runs} paired runs\n")
    print_table(
        ("", "bertbuild inspect", "sha256sum", "ratio", "target"),
        (
            (
                "seconds",
                f"{median([run.seconds for run in ours]):.2f}",
                f"{median([run.seconds for run in theirs]):.2f}",
                f"{times:.2f}",
                targets.at_most("inspect ÷ sha256sum", times, MOST_TIMES),
            ),
            ("peak memory, MiB", f"{peak:.0f}", "", "", targets.at_most("peak MiB of inspect", peak, MOST_MIB, 0)),
        ),
    )
    targets.finish()


if __name__ == "__main__":
    main()
