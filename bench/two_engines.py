"""One model on two container engines that share nothing but their base images: equal keys, and nothing made twice?

    eval "$(.ci/base-images.sh)" && .venv/bin/python bench/two_engines.py

Needs root, dockerd, a running engine that has the bases, and the package index. Two engines are started, each with its
own data root, socket and network; the bases are brought to both by `docker save` and `docker load`; each builds its
images from a checkout of its own, one after the other. Each then makes an IR in an empty store, and the second one once
more in a copy of the first one's store. Targets: the same keys, and nothing made.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import ROOT, Targets, machine, print_table

BASES = ("BERTBUILD_BASE_PYTHON37", "BERTBUILD_BASE_PYTHON311")
BACKENDS = ("tf1", "openvino")
SECONDS_TO_START = 60


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A container engine, and a checkout that it builds images of."""

    host: str
    checkout: Path

    def docker(self, *words: str) -> str:
        """Run a docker command; gives its output."""
        command = ["docker", "--host", self.host, *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def bertbuild(self, store: Path, *words: object) -> list[dict[str, object]]:
        """Run bertbuild over a store, with stages in this engine; gives its events."""
        variables = {"DOCKER_HOST": self.host, "BERTBUILD_ISOLATION": "docker", "BERTBUILD_ARTIFACTS": str(store)}
        command = [sys.executable, "-m", "bertbuild", *map(str, words), "--json"]
        ran = subprocess.run(
            command, cwd=self.checkout, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=False
        )
        if ran.returncode:
            sys.exit(f"{' '.join(command)} ended with {ran.returncode}\n{ran.stdout[-3000:]}")
        return [json.loads(line) for line in ran.stdout.splitlines()]


def main() -> None:
    """Start, build, compare, print, judge."""
    targets = Targets()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subprocess.run(
            ["docker", "save", "--output", folder / "bases", *(os.environ[name] for name in BASES)], check=True
        )
        subprocess.run([sys.executable, ROOT / "bench" / "random_checkpoint.py", "tiny", folder / "model"], check=True)
        rows, keys, made = [], [], {}
        for number in (1, 2):
            engine = stack.enter_context(_engine(number, folder / str(number)))
            engine.docker("load", "--input", str(folder / "bases"))
            started = time.monotonic()
            engine.bertbuild(folder / "none", "images", "--backend", ",".join(BACKENDS))
            seconds = time.monotonic() - started
            store = folder / f"store-{number}"
            events = engine.bertbuild(store, "build-ir", "--checkpoint", folder / "model")
            keys.append(_keys(events))
            made[f"engine {number}, an empty store"] = _made(events)
            ids = [
                engine.docker("image", "inspect", "--format={{.Id}}", f"bertbuild/{name}:local")[7:19]
                for name in BACKENDS
            ]
            rows.append([f"engine {number}", f"{seconds:.0f} s", ", ".join(ids), str(len(keys[-1]))])
        shutil.copytree(folder / "store-1", folder / "copy", symlinks=True)
        events = engine.bertbuild(folder / "copy", "build-ir", "--checkpoint", folder / "model")
        made["engine 2, the first one's store"] = _made(events)
        print(machine())
        print_table(["", "images built in", f"ids of {' and '.join(BACKENDS)}", "keys"], rows)
        print()
        different = len(set(keys[0].items()) ^ set(keys[1].items()))
        verdicts = {
            "engine 2, the first one's store": targets.at_most("stages made", made[list(made)[-1]], 0, digits=0)
        }
        print_table(
            ["build-ir", "stages made", "target"], [[what, str(n), verdicts.get(what, "")] for what, n in made.items()]
        )
        print(f"\nkeys that differ: {different}; {targets.at_most('keys that differ', different, 0, digits=0)}")
    targets.finish()


def _keys(events: list[dict[str, object]]) -> dict[str, object]:
    """The key of each step of a run."""
    return {str(event["id"]): event["key"] for event in events if event["event"] == "stage"}


def _made(events: list[dict[str, object]]) -> int:
    return sum(event["event"] == "stage" and event["state"] == "done" for event in events)


@contextlib.contextmanager
def _engine(number: int, folder: Path) -> Iterator[Engine]:
    """An engine of its own, with a network of its own, until the block ends."""
    checkout = folder / "checkout"
    for name in ("bertbuild", "docker"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("compose.yaml", ".dockerignore"):
        shutil.copyfile(ROOT / name, checkout / name)
    host, bridge = f"unix://{folder}/docker.sock", f"bbench{number}"
    command = ["dockerd", "--host", host, "--data-root", folder / "data", "--exec-root", folder / "exec"]
    command += ["--pidfile", folder / "pid", "--bridge", bridge, "--iptables=false"]
    with _network(bridge, number), (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(host, folder / "log")
            yield Engine(host=host, checkout=checkout)
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _network(bridge: str, number: int) -> Iterator[None]:
    """A bridge with a way out, which no rule of another engine knows."""
    network = f"10.213.{number}"
    rules = [
        ["iptables", "-t", "nat", "{}", "POSTROUTING", "-s", f"{network}.0/24", "!", "-o", bridge, "-j", "MASQUERADE"],
        ["iptables", "{}", "FORWARD", "-i", bridge, "-j", "ACCEPT"],
        ["iptables", "{}", "FORWARD", "-o", bridge, "-j", "ACCEPT"],
    ]
    _run("ip", "link", "add", bridge, "type", "bridge")
    try:
        _run("ip", "address", "add", f"{network}.1/24", "dev", bridge)
        _run("ip", "link", "set", bridge, "up")
        for rule in rules:
            _run(*(word.format("-I") for word in rule))
        yield
    finally:
        for rule in rules:
            subprocess.run([word.format("-D") for word in rule], check=False, stderr=subprocess.DEVNULL)
        _run("ip", "link", "delete", bridge)


def _wait(host: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while subprocess.run(["docker", "--host", host, "info"], capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            sys.exit(f"the engine did not start\n{log.read_text()[-2000:]}")
        time.sleep(1)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
