"""The remote store in Debian's docker-registry on this machine: lookups, a large result, a fleet on a second machine.

    python bench/remote_store.py [--runs 3] [--only lookups|large|fleet|cluster] [--models NAME …]

The registry is the real one. 720 keys are looked up cold, each answer coming 10 ms later than it would. A result of
440 MB is pushed and pulled, in turn with files of the same sizes by the oras Python SDK (in a virtual environment that
is made here) and, where an engine answers, by docker, as the one layer of an image. A second, empty store builds
examples/fleet.toml from the warm registry; stages are real, and their environments are there. `cluster` is the same
where a worker runs the stages of the first machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import ROOT, machine, print_table

sys.path.insert(0, str(ROOT / "tests" / "shared"))

from provenance_doubles import publish
from registry_server import delayed, free_port, registry
from remote_doubles import keys_in

from bertbuild.config import Settings
from bertbuild.isolation.docker_engine import engine_answers
from bertbuild.remote.bringing import bring
from bertbuild.remote.opening import open_remote
from bertbuild.remote.protocols import result_name
from bertbuild.remote.results import Results
from bertbuild.store.store import Store

ORAS = "oras==0.2.43"
KEYS = 720
BYTES = 440 * 10**6
MADE_EVERYWHERE = {"inspect", "normalise"}
"""What is never shared, since it takes less time than a request."""
_ORAS = """\
import sys, time, oras.client
host, action, folder, name = sys.argv[1:]
client = oras.client.OrasClient(hostname=host, insecure=True)
started = time.perf_counter()
if action == "push":
    import os; os.chdir(folder)
    client.push(target=f"{host}/oras/results:{name}", files=sorted(os.listdir(".")), disable_path_validation=True)
else:
    client.pull(target=f"{host}/oras/results:{name}", outdir=folder)
print(time.perf_counter() - started)
"""


@contextlib.contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Note how long the block took."""
    started = time.perf_counter()
    yield
    into.append(time.perf_counter() - started)


def opened(host: str, keys: tuple[Path, str], scope: str) -> Results:
    """A remote store, its connections new."""
    made = open_remote(Settings(remote=f"oci://{host}/bench/{scope}", remote_trust=keys[1], remote_key=keys[0]))
    assert made is not None
    return made


def lookups(host: str, keys: tuple[Path, str], folder: Path, runs: int) -> list[float]:
    """Look 720 keys up, half of which are there, over connections that are new."""
    (folder / "small").mkdir()
    store, remote = Store(folder / "small"), opened(host, keys, "lookups")
    names = []
    for number in range(KEYS // 2):
        made = publish(store, "freeze", {"graph": "x"}, [], params={"n": str(number)}, with_statement=True)
        remote.push(made)
        names += [result_name(made.stage, made.key), result_name("ir", made.key)]
    took: list[float] = []
    for _ in range(runs):
        before = time.process_time()
        with delayed(host, 0.010) as slow:
            cold = opened(slow, keys, "lookups")
            with timed(took):
                found = cold.look(names)
        print(f"{KEYS} lookups took {time.process_time() - before:.2f} s of the processor")
        assert len(found) == KEYS // 2
        assert not [why for why in found.values() if isinstance(why, str)]
    return took


def large(host: str, keys: tuple[Path, str], folder: Path, runs: int) -> dict[str, list[float]]:
    """Push and pull a result of 440 MB, and the same files by oras; new bytes each time, in turn."""
    subprocess.run([sys.executable, "-m", "venv", folder / "oras"], check=True)
    python = folder / "oras" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", ORAS], check=True)
    (folder / "program.py").write_text(_ORAS, encoding="utf-8")
    took: dict[str, list[float]] = {f"{who}{what}": [] for who in ("", "oras ", "docker ") for what in ("push", "pull")}

    def oras(action: str, where: Path, name: str) -> None:
        command = [python, folder / "program.py", host, action, where, name]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        took[f"oras {action}"].append(float(said.split()[-1]))

    for number in range(runs):
        place, second, pulled = (folder / f"{name}-{number}" for name in ("large", "second", "pulled"))
        for one in (place, second, pulled):
            one.mkdir()
        store = Store(place)
        made = publish(store, "ir", {"model.xml": "<net/>", "model.bin": ""}, [], params={"n": str(number)})
        made = _grown(store, made.path, number)
        for turn in (0, 1) if number % 2 else (1, 0):
            if turn:
                remote = opened(host, keys, "large")
                with timed(took["push"]):
                    remote.push(made)
                with timed(took["pull"]):
                    bring(opened(host, keys, "large"), Store(second), made.stage, made.key, on_wait=print)
            else:
                files = folder / f"files-{number}"
                files.mkdir()
                for path in made.path.iterdir():
                    os.link(path, files / path.name)
                (files / "model.bin").unlink()
                (files / "model.bin").write_bytes(os.urandom(BYTES))  # so that neither finds the other's blob
                oras("push", files, f"n{number}")
                oras("pull", pulled, f"n{number}")
                if engine_answers():
                    (files / "model.bin").write_bytes(os.urandom(BYTES))
                    as_a_layer(f"{host}/docker/results:n{number}", files, took)
                shutil.rmtree(files)
        for one in (place, second, pulled):
            subprocess.run(["rm", "-rf", one], check=True)
    return took


def as_a_layer(name: str, files: Path, took: dict[str, list[float]]) -> None:
    """Push and pull files as the one layer of an image, by the engine."""
    with subprocess.Popen(["tar", "--create", "--directory", files, "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "import", "-", name], stdin=tar.stdout, check=True, stdout=subprocess.PIPE)
    for what in ("push", "pull"):
        with timed(took[f"docker {what}"]):
            subprocess.run(["docker", what, "--quiet", name], check=True, stdout=subprocess.PIPE)
        subprocess.run(["docker", "rmi", name], check=True, stdout=subprocess.PIPE)


def _grown(store: Store, path: Path, number: int):  # noqa: ANN202 - a result
    """A result with a file of 440 MB."""
    from provenance_doubles import publish as publish_again

    subprocess.run(["rm", "-rf", path], check=True)
    written = Path.write_text

    def write(target: Path, text: str, *args: object, **more: object) -> int:
        if target.name == "model.bin":
            return target.write_bytes(os.urandom(BYTES))
        return written(target, text, *args, **more)  # type: ignore[arg-type]

    Path.write_text = write  # type: ignore[assignment,method-assign]
    try:
        return publish_again(store, "ir", {"model.xml": "<net/>", "model.bin": ""}, [], params={"n": str(number)})
    finally:
        Path.write_text = written  # type: ignore[method-assign]


def fleet(host: str, keys: tuple[Path, str], place: Path, names: Sequence[str], *, by_workers: bool) -> list[float]:
    """Build a build file, then from the warm registry into an empty store, then once more; seconds.

    `by_workers`: the stages of the first are run by a worker of two slots, and the second has the same scheduler.
    """
    place.mkdir()
    shutil.copy(ROOT / "examples" / "make_checkpoints.py", place)
    subprocess.run([sys.executable, "make_checkpoints.py"], cwd=place, check=True, capture_output=True)
    shutil.copy(ROOT / "examples" / "fleet.toml", place)
    shared = {**os.environ, "BERTBUILD_REMOTE": f"oci://{host}/bench/{place.name}", "BERTBUILD_REMOTE_TRUST": keys[1]}
    shared |= {"BERTBUILD_ISOLATION": "venv", "BERTBUILD_JOBS": "2"}
    writer = {"BERTBUILD_REMOTE_WRITE": "1", "BERTBUILD_REMOTE_KEY": str(keys[0])}
    took: list[float] = []
    with contextlib.ExitStack() as running:
        if by_workers:
            shared |= {**writer, "BERTBUILD_SCHEDULER": f"tcp://127.0.0.1:{free_port()}"}
            running.enter_context(worker(place, {**shared, "BERTBUILD_ARTIFACTS": str(place / "worker")}))
        for store in ("first", "second", "second"):
            more = writer if store == "first" else {}
            env = {**shared, **more, "BERTBUILD_ARTIFACTS": str(place / store)}
            command = [sys.executable, "-m", "bertbuild", "build", *names, "--file", "fleet.toml", "--json"]
            with timed(took):
                said = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=False)
            if said.returncode:
                sys.exit("\n".join(said.stdout.splitlines()[-3:]) + said.stderr)
            events = [json.loads(line) for line in said.stdout.splitlines()]
            ran = {event["stage"] for event in events if event["event"] == "stage" and event["state"] == "started"}
            assert store == "first" or ran <= MADE_EVERYWHERE, ran
    return took


@contextlib.contextmanager
def worker(place: Path, env: dict[str, str]) -> Iterator[None]:
    """A scheduler and a worker of two slots, with all backends that are made here."""
    command = [sys.executable, "-m", "bertbuild", "cluster", "local", "--workers", "1", "--jobs", "2", "--json"]
    with (place / "worker.log").open("w") as log:
        started = subprocess.Popen(command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert started.stdout
            for line in started.stdout:
                if json.loads(line)["event"] in ("result", "error"):
                    break
            assert started.poll() is None, line
            yield
        finally:
            started.terminate()
            started.communicate()


def compared(took: dict[str, float], who: str) -> Iterator[list[str]]:
    """Rows of ours beside another's: push, pull, both."""
    for what in ("push", "pull"):
        one, other = took[what], took[f"{who}{what}"]
        yield [f"{what} of 440 MB, {who}", f"{one:.2f} s", f"{other:.2f} s", f"{one / other:.2f}", ""]
    one, other = (took[f"{whose}push"] + took[f"{whose}pull"] for whose in ("", who))
    yield [f"both, {who}", f"{one:.2f} s", f"{other:.2f} s", f"{one / other:.2f}", "≤ 1.0"]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("lookups", "large", "fleet", "cluster"))
    parser.add_argument("--models", nargs="*", default=[], help="of examples/fleet.toml; default: all")
    args = parser.parse_args()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="bertbuild-bench-") as name:
        folder = Path(name)
        keys = keys_in(folder / "keys")
        with registry(folder / "registry") as host:
            if args.only in (None, "lookups"):
                seconds = statistics.median(lookups(host, keys, folder, args.runs))
                rows.append([f"{KEYS} keys looked up, 10 ms later", f"{seconds:.2f} s", "", "", "≤ 1.5 s"])
            if args.only in (None, "large"):
                measured = large(host, keys, folder, args.runs)
                took = {what: statistics.median(seconds) for what, seconds in measured.items() if seconds}
                for who in ("oras ", "docker "):
                    if f"{who}pull" in took:
                        rows += compared(took, who)
            for what, title in (("fleet", "fleet.toml"), ("cluster", "fleet.toml, built by a worker,")):
                if args.only in (None, what):
                    built, brought, nothing = fleet(
                        host, keys, folder / what, args.models, by_workers=what == "cluster"
                    )
                    cells = [f"{brought:.1f} s", f"{built:.1f} s", f"{brought / built:.3f}"]
                    rows.append([f"{title} in an empty store", *cells, "≤ 0.15"])
                    rows.append(["nothing to do there afterwards", f"{nothing:.1f} s", "", "", "as locally"])
    print(machine(), end="\n\n")
    print_table(["", "bertbuild", "the other; building", "ratio", "target"], rows)


if __name__ == "__main__":
    main()
