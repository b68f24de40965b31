"""The README's first command with all caches empty, now and at an earlier commit; and where there is no Python 3.7.

    python bench/first_command.py [--runs 3] [--before 443d240] [--target 0.7]

Each run checks its commit out into a folder of its own, and types the first command of that commit's README in a shell
whose home and caches are empty and where no Docker engine answers. Where nothing else is said both sides are given the
same Python 3.7; at the end ours runs once more with none on the machine, and none to be fetched. What is downloaded
comes from the same index and servers, so a network that is slow for a while slows a pair.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from common import ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table

from bertbuild.isolation.interpreters import find_interpreter

NOBODY = "http://127.0.0.1:9"
PARTS = ("venv", "installed")
"""Told between the parts of the command: a virtual environment, packages; the rest is the build."""
KEPT = ("UV_", "PIP_", "SSL_", "CURL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy", "LANG")
"""How the caller reaches the index: the beginnings of variables' names."""


def main() -> None:
    """Run the pairs, then ours without Python 3.7, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--before", default="443d240", help="the commit to compare with")
    parser.add_argument("--target", type=float, default=0.7)
    args = parser.parse_args()
    path, version = find_interpreter("3.7")
    given = {"BERTBUILD_PYTHON37": str(path)}
    runs: dict[str, list[Measured]] = {args.before: [], "HEAD": []}

    def side(commit: str) -> Callable[[], None]:
        return lambda: runs[commit].append(first_command(commit, given))

    interleaved(args.runs, *map(side, runs))
    without = first_command("HEAD", {"UV_PYTHON_INSTALL_MIRROR": NOBODY})
    print(f"{machine()}; Python {version}; {args.runs} paired runs, all caches empty, medians\n")
    show(runs[args.before], runs["HEAD"], without, args.target)


def first_command(commit: str, variables: Mapping[str, str]) -> Measured:
    """Check a commit out, and type its README's first command on a machine that has only these variables."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, home = Path(temporary) / "bertbuild", Path(temporary) / "home"
        for made in (folder, home, home / "bin"):
            made.mkdir()
        (home / "bin" / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x"], input=archive, cwd=folder, check=True)
        kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        empty = {
            name: str(home / name) for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")
        }
        machine_of_its_own = {
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:/usr/bin:/bin",
            "DOCKER_HOST": f"unix://{home}/no.sock",
        }
        environment = kept | empty | machine_of_its_own | dict(variables)
        return measure(["bash", "-c", typed(folder)], env=environment, cwd=folder)


def typed(folder: Path) -> str:
    """The first command of a checkout's README, which tells when its parts end."""
    readme = (folder / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```sh\n(.+ && invoke build-ir .+)\n```", readme)
    if found is None:
        sys.exit("the README has no first command that ends in invoke build-ir")
    make, enter, install, build = found[1].split(" && ")
    return f"{make} && {enter} && echo @{PARTS[0]} && {install} && echo @{PARTS[1]} && {build}"


def parts(run: Measured) -> list[float]:
    """Seconds of: the virtual environment, the packages, the build."""
    venv, installed = (next(when for when, line in run.lines if line == f"@{part}") for part in PARTS)
    return [venv, installed - venv, run.seconds - installed]


def show(before: list[Measured], now: list[Measured], without: Measured, target: float) -> None:
    """The table, and what is missed."""
    targets = Targets()
    ratio = paired_ratio([run.seconds for run in now], [run.seconds for run in before])
    rows: list[list[object]] = []
    for name, side in (("before", before), ("now", now), ("now, no Python 3.7", [without])):
        of_parts = [f"{median(part):.1f}" for part in zip(*map(parts, side), strict=True)]
        cpu = f"{median([run.cpu_seconds for run in side]):.1f}"
        rows.append([name, f"{median([run.seconds for run in side]):.1f}", *of_parts, cpu, "", ""])
    rows[1][-2:] = [f"{ratio:.2f}", targets.at_most("first command, now / before", ratio, target)]
    print_table(["", "seconds", "venv", "packages", "build", "processor, s", "now / before", "target"], rows)
    targets.finish()


if __name__ == "__main__":
    main()
