"""A cluster on this machine: what an order costs, how busy workers are, and builds whose workers are killed.

    python bench/cluster.py [--only overhead|busy|idle|kills] [--stages 40] [--jobs 200] [--models 200] [--kills 50]

A scheduler and three workers are processes of the real program, each worker at a loopback address of its own (127.0.0.1
to 127.0.0.3) and with a store of its own; the remote store is Debian's docker-registry. Stages of the first two are
played within the workers (`bench/played_stages`); those of the third are processes that start no TensorFlow
(`tests/faults/stand_ins.py`), so that killed workers could leave them behind. `idle`: a build of five targets a model
with nothing to do, its scheduler and registry being named and there, over a store of `bench/fleet_store.py`; looked at
as a whole, as after any change, and where all is as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from common import ROOT, Measured, Targets, machine, measure, median, print_table

sys.path.insert(0, str(ROOT / "tests" / "shared"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))
sys.path.insert(0, str(ROOT / "tests" / "faults"))
sys.path.insert(0, str(ROOT / "bench" / "played_stages"))

from cluster_processes import Processes
from killing import descendants, events_of
from program import Bertbuild
from registry_server import registry
from sitecustomize import play
from stand_ins import light_checkout
from tiny_models import weights, write_google

from bertbuild.cluster.client import Cluster
from bertbuild.cluster.settings import read_address
from bertbuild.config import Settings
from bertbuild.engine.elsewhere import Elsewhere
from bertbuild.engine.engine import Engine
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.remote.opening import open_remote
from bertbuild.store.store import Store

PLAYED = ROOT / "bench" / "played_stages"
WORKERS = {"w1": "127.0.0.1", "w2": "127.0.0.2", "w3": "127.0.0.3"}
SLOTS = 2


@contextlib.contextmanager
def cluster(folder: Path, host: str, root: Path, seconds: float | None) -> Iterator[Processes]:
    """A scheduler and the three workers; `seconds`: how long a played stage takes, None for those of the checkout."""
    with Processes(folder, root, f"oci://{host}/bench/{folder.name}") as made:
        for name, address in WORKERS.items():
            played = {} if seconds is None else {"PLAYED_SECONDS": str(seconds)}
            path = f"{PLAYED}:{root}"
            made.start_worker(name, PYTHONPATH=path, PLAYED_HOST=address, **played)
        yield made


def plan(folder: Path, numbers: Sequence[int]) -> Plan:
    """Stages of a kilobyte in and out that need nothing of each other."""
    given = folder / "given.json"
    given.write_text(json.dumps({"x": "y" * 1000}), encoding="utf-8")
    digest = Store(folder / "digests").digests.of(given)
    steps = tuple(
        Step(
            id=f"n{number}",
            stage="freeze",
            inputs={"checkpoint": File(path=given, digest=digest)},
            backend="data",
            params={"n": str(number)},
            limits={},
        )
        for number in numbers
    )
    return Plan(model="played", steps=steps, targets=())


def engine(folder: Path, made: Processes | None) -> tuple[Engine, Callable[[], None]]:
    """An engine over an empty store, that runs stages here or on the workers; and what closes it."""
    isolation = VenvIsolation(Settings().environments.expanduser())
    store = Store(folder / ("alone" if made is None else "client"))
    if made is None:
        return Engine(store, isolation, _hear, slots=1), lambda: None
    settings = Settings(remote=made.place, remote_write=True, remote_key=made.key, remote_trust=made.trust)
    remote = open_remote(settings)
    assert remote is not None
    told = Elsewhere(remote, store, _hear, reads=True, writes=True, fetch="none", trusted=remote.trusted)
    workers = Cluster(read_address(made.address), lambda: None, store, remote, print)
    return Engine(store, isolation, _hear, slots=1, elsewhere=told, dispatcher=workers), workers.close


def _hear(event: Any) -> None:
    if event["event"] in ("warning", "failure"):
        print(event, file=sys.stderr)


def overhead(folder: Path, made: Processes, count: int) -> tuple[list[float], list[float], float]:
    """Seconds of a stage that does nothing, here and on a worker in turn; and the client's processor time for one."""
    play(0.0)
    here, close = engine(folder, None)
    there, close = engine(folder, made)
    took: dict[str, list[float]] = {"here": [], "there": []}
    there.run(plan(folder, [0]))  # connects
    processor = 0.0
    for number in range(1, count + 1):
        for name, one in (("here", here), ("there", there))[:: 1 if number % 2 else -1]:
            wanted = plan(folder, [number])
            began, used = time.perf_counter(), time.process_time()
            one.run(wanted)
            took[name].append(time.perf_counter() - began)
            processor += (time.process_time() - used) if name == "there" else 0.0
    close()
    return took["here"], took["there"], processor / count


def busy(folder: Path, made: Processes, count: int) -> float:
    """The ideal time of stages of one second on all slots, to theirs."""
    there, close = engine(folder, made)
    there.run(plan(folder, [count]))
    wanted = plan(folder, range(count))
    began = time.perf_counter()
    there.run(wanted)
    took = time.perf_counter() - began
    close()
    return -(-count // (SLOTS * len(WORKERS))) / took


def kills(folder: Path, made: Processes, count: int) -> dict[str, int]:
    """Builds of two models on workers of which one is killed with all it started at a random instant."""
    chance = random.Random(16)  # noqa: S311 - instants, not secrets
    told = {"kills": 0, "right ends": 0, "published twice": 0, "orphans": 0}
    whole = 8.0
    tries = itertools.count()
    while told["kills"] < count:
        number = next(tries)
        client = made.program(f"client-{number}")
        words = build_file(folder / f"models-{number}", number)
        process, began = client.start(*words), time.monotonic()
        name = chance.choice(list(WORKERS))
        time.sleep(chance.uniform(0.3, 1.0) * whole)
        was_building = process.poll() is None
        victims = made.pids(name) if number % 2 else [made.of_dask(name), *descendants(made.of_dask(name))]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(pid, signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=300)
        whole = 0.7 * whole + 0.3 * (time.monotonic() - began)
        if number % 2:
            made.kill(name)
            told["orphans"] += len(made.orphans())
            made.start_worker(name, PLAYED_HOST=WORKERS[name], PYTHONPATH=f"{PLAYED}:{made.root}")
        if not was_building:
            continue
        events = events_of(stdout)
        alone = Bertbuild(folder / f"models-{number}" / "artifacts", root=made.root).ok(*words)
        keys = [[target["key"] for target in one.get("targets", ())] for one in (events[-1], alone.last)]
        right = process.returncode == 0 and keys[0] == keys[1] and "Traceback" not in stderr
        if not right:
            print(process.returncode, events[-1], stderr[-500:], file=sys.stderr)
        told["kills"] += 1
        told["right ends"] += right
        told["published twice"] += len(made.published_twice(events))
        print(told, file=sys.stderr, flush=True)
    return told


def idle(folder: Path, made: Processes, models: int, runs: int) -> dict[str, list[Measured]]:
    """Builds with nothing to do: those that look at all, and those that find all as it was."""
    folder.mkdir()
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BERTBUILD_"))}
    alone |= {name: os.environ[name] for name in ("BERTBUILD_ENVIRONMENTS",) if name in os.environ}
    alone |= {"BERTBUILD_ISOLATION": "venv", "BERTBUILD_JOBS": str(SLOTS)}
    words = [sys.executable, ROOT / "bench" / "fleet_store.py", folder, "--models", models, "--words", 300]
    measure(words, env=alone)
    env = alone | {
        "BERTBUILD_SCHEDULER": made.address,
        "BERTBUILD_REMOTE": made.place,
        "BERTBUILD_REMOTE_WRITE": "true",
        "BERTBUILD_REMOTE_KEY": str(made.key),
        "BERTBUILD_REMOTE_TRUST": made.trust,
    }

    def build() -> Measured:
        found = measure([Path(sys.executable).parent / "bertbuild", "build"], cwd=folder, env=env)
        assert found.lines[-1][1].endswith(f": {5 * models} up to date"), found.lines[-1]
        return found

    kept = folder / "artifacts" / "cache" / "unchanged.json"
    build()
    took: dict[str, list[Measured]] = {"looked at": [], "as it was": []}
    for _ in range(runs):
        kept.unlink()
        took["looked at"].append(build())
        build()  # what was kept stands from now on
        took["as it was"].append(build())
    return took


def idle_rows(took: dict[str, list[Measured]], count: int, targets: Targets) -> Iterator[list[object]]:
    """What such builds took; those that find all as it was are judged."""
    for how, runs in took.items():
        what = f"{count} targets, nothing to do, {how}"
        seconds, work = (median([getattr(run, name) for run in runs]) for name in ("seconds", "cpu_seconds"))
        memory = max(run.peak_bytes for run in runs) / 1e6
        is_judged = how == "as it was"
        yield [what, f"{seconds:.2f} s", targets.at_most(f"{what}, s", seconds, 1.0) if is_judged else ""]
        yield ["at work", f"{work:.2f} s", ""]
        yield [
            "peak of memory",
            f"{memory:.0f} MB",
            targets.at_most(f"{what}, MB", memory, 150, 0) if is_judged else "",
        ]


def build_file(folder: Path, number: int) -> tuple[object, ...]:
    """Two new models with two targets each; gives the command."""
    models = {name: write_google(folder / name, weights(seed=1000 + 2 * number + add)) for add, name in enumerate("ab")}
    tables = [f"[models.{name}]\ncheckpoint = {json.dumps(str(path))}\n" for name, path in models.items()]
    text = '[targets.ir]\nkind = "ir"\n[targets.frozen]\nkind = "frozen"\n' + "".join(tables)
    (folder / "bertbuild.toml").write_text(text, encoding="utf-8")
    return "build", "--file", folder / "bertbuild.toml"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=("overhead", "busy", "idle", "kills"))
    parser.add_argument("--stages", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5, help="of builds with nothing to do")
    parser.add_argument("--kills", type=int, default=50)
    args = parser.parse_args()
    rows: list[list[object]] = []
    targets = Targets()
    with tempfile.TemporaryDirectory(prefix="bertbuild-bench-") as name:
        folder = Path(name)
        with registry(folder / "registry") as host:
            if args.only in (None, "overhead"):
                with cluster(folder / "overhead", host, ROOT, 0.0) as made:
                    here, there, processor = overhead(folder, made, args.stages)
                more = median([one - other for one, other in zip(there, here, strict=True)])
                rows.append(["a stage that does nothing, here", f"{1000 * median(here):.0f} ms", ""])
                rows.append(["on a worker", f"{1000 * median(there):.0f} ms", ""])
                judged = targets.at_most("overhead, ms", 1000 * more, 100, 0)
                rows.append([f"overhead, median of {args.stages} pairs", f"{1000 * more:.0f} ms", judged])
                rows.append(["of the client's processor for an order", f"{1000 * processor:.0f} ms", ""])
            if args.only in (None, "busy"):
                with cluster(folder / "busy", host, ROOT, 1.0) as made:
                    share = busy(folder, made, args.jobs)
                judged = "≥ 0.85: met" if share >= 0.85 else "≥ 0.85: **missed**"
                rows.append([f"{args.jobs} stages of 1 s on 3 × {SLOTS} slots, ideal ÷ it", f"{share:.2f}", judged])
            if args.only in (None, "idle"):
                with Processes(folder / "idle", ROOT, f"oci://{host}/bench/idle") as made:
                    found = idle(folder / "fleet", made, args.models, args.runs)
                rows += idle_rows(found, 5 * args.models, targets)
            if args.only in (None, "kills"):
                with cluster(folder / "kills", host, light_checkout(folder / "light"), None) as made:
                    told = kills(folder, made, args.kills)
                rows.append([f"{told['kills']} workers killed: right ends", told["right ends"], f"{args.kills}"])
                rows.append(["published twice", told["published twice"], "0"])
                rows.append(["orphans", told["orphans"], "0"])
    print(machine(), end="\n\n")
    print_table(["", "bertbuild", "target"], rows)
    targets.finish()


if __name__ == "__main__":
    main()
