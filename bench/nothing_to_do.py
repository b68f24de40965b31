"""200 targets, nothing to do: `bertbuild build`, `snakemake -n` and `dvc status`, each a whole process.

    python bench/nothing_to_do.py [--models 40] [--runs 7] [--peers FOLDER] [--keep FOLDER]

The store is a real one, made by bench/fleet_store.py; bench/peer_graphs.py writes the same jobs over copies of the same
files for the two peers, which are installed from bench/peers-requirements.txt into a virtual environment of their own.
Snakemake has made all results itself (its jobs copy them), DVC has hashed all of them (`dvc commit`), so that both have
their records.

Before it is timed, each is shown to say that there is nothing to do, and to see a file that changed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from peer_graphs import write_dvc_yaml, write_files, write_snakefile

BENCH = ROOT / "bench"
MOST_SECONDS = 1.0
MOST_OF_A_PEER = {"snakemake": 1 / 4, "dvc": 1 / 3}
Check = tuple[list[object], Path]
"""A command, and the folder it is run in."""


def main() -> None:
    """Prepare, check, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=40)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--peers", type=Path, help="a virtual environment that has both peers already")
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which stays")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        checks, jobs = prepare(folder, args.models, args.peers or install(folder / "environment"))
        require_nothing_to_do(checks)
        require_change_seen(checks)
        runs: dict[str, list[Measured]] = {name: [] for name in checks}

        def side(name: str) -> Callable[[], None]:
            return lambda: runs[name].append(run(*checks[name]))

        interleaved(args.runs, *map(side, checks))
    print(f"{machine()}; {args.models} models, {5 * args.models} targets, {jobs} jobs; {args.runs} runs, medians\n")
    show(runs)


def install(environment: Path) -> Path:
    """Snakemake and DVC, the versions of peers-requirements.txt."""
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    requirements = BENCH / "peers-requirements.txt"
    command = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", environment / "bin" / "python"]
    subprocess.run([*command, "--requirements", requirements], check=True)
    return environment


def prepare(folder: Path, count: int, peers: Path) -> tuple[dict[str, Check], int]:
    """A project for each of the three, all of it built; gives their commands, and the peers' number of jobs."""
    ours, snakemake, dvc = (folder / name for name in ("bertbuild", "snakemake", "dvc"))
    ours.mkdir(parents=True)
    run([sys.executable, BENCH / "fleet_store.py", ours, "--models", count], folder)
    models = sorted(path.name for path in (ours / "checkpoints").iterdir())
    write_snakefile(write_files(ours / "artifacts", models, snakemake, made=False), models, snakemake)
    run([peers / "bin" / "snakemake", "--cores", "2", "--quiet", "all"], snakemake)
    jobs = write_files(ours / "artifacts", models, dvc, made=True)
    write_dvc_yaml(jobs, models, dvc)
    for words in (("init", "--no-scm", "--quiet"), ("config", "core.analytics", "false"), ("commit", "-f", "-q")):
        run([peers / "bin" / "dvc", *words], dvc)
    checks: dict[str, Check] = {
        "bertbuild": ([Path(sys.executable).parent / "bertbuild", "build"], ours),
        "snakemake": ([peers / "bin" / "snakemake", "-n", "--cores", "2"], snakemake),
        "dvc": ([peers / "bin" / "dvc", "status"], dvc),
    }
    return checks, len(jobs) * len(models)


def environment() -> dict[str, str]:
    """The caller's, but that programs keep their bytecode as they do for people, and stages need no engine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BERTBUILD_"))}
    kept |= {name: os.environ[name] for name in ("BERTBUILD_ENVIRONMENTS",) if name in os.environ}
    return {**kept, "BERTBUILD_ISOLATION": "venv", "DVC_NO_ANALYTICS": "1"}


def run(command: list[object], folder: Path) -> Measured:
    """The command in its folder."""
    return measure(command, cwd=folder, env=environment())


def told(check: Check) -> str:
    """What the command says."""
    return "\n".join(line for _, line in run(*check).lines)


CHANGED = {"bertbuild": "would run input checkpoint", "snakemake": "updated input files", "dvc": "modified:"}
NOTHING = {"bertbuild": " up to date", "snakemake": "Nothing to be done", "dvc": "Data and pipelines are up to date."}


def require_nothing_to_do(checks: dict[str, Check]) -> None:
    """Each says so, and ours of every target."""
    for name, check in checks.items():
        said = told(check)
        assert NOTHING[name] in said, f"{name}: {said[-2000:]}"
    last = told(checks["bertbuild"]).splitlines()[-1]
    assert "built" not in last, last


def require_change_seen(checks: dict[str, Check]) -> None:
    """Another word in one model's vocabulary: each of the three has something to do; then all is as before."""
    for name, (command, folder) in checks.items():
        path = folder / ("checkpoints" if name == "bertbuild" else "given") / "model-00" / "vocab.txt"
        before, times = path.read_bytes(), path.stat()
        path.write_bytes(before.replace(b"word1\n", b"WORD1\n"))
        said = told(([*command, "--dry-run"], folder) if name == "bertbuild" else (command, folder))
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert CHANGED[name] in " ".join(said.split()), f"{name} does not see a changed file: {said[-2000:]}"
    require_nothing_to_do(checks)


def show(runs: dict[str, list[Measured]]) -> None:
    """The table; ends the program with 1 where a target is missed. Processor time tells how busy the machine was."""
    targets = Targets()
    wall = {name: [one.seconds for one in found] for name, found in runs.items()}
    ours = wall["bertbuild"]
    judged = {"bertbuild": targets.at_most("bertbuild build, seconds", median(ours), MOST_SECONDS)}
    rows: list[list[object]] = []
    for name, command in (("bertbuild", "bertbuild build"), ("snakemake", "snakemake -n"), ("dvc", "dvc status")):
        ratio = paired_ratio(ours, wall[name])
        if name not in judged:
            judged[name] = targets.at_most(f"bertbuild / {command}", ratio, MOST_OF_A_PEER[name])
        processor = median([one.cpu_seconds for one in runs[name]])
        rows.append([command, f"{median(wall[name]):.2f}", f"{processor:.2f}", f"{ratio:.3f}", judged[name]])
    print_table(["whole process, nothing to do", "seconds", "of them at work", "bertbuild / it", "target"], rows)
    targets.finish()


if __name__ == "__main__":
    main()
