"""The scheduler of a build of 10,000 models on a cluster: its time and memory, for orders that are answered at once.

    python bench/scale_client.py [--models 10000]

The jobs of `bench/scale_simulation.py`, with their needs, run by the engine's own scheduler with 512 orders at a time,
a thread each. They do nothing and hold nothing but their names: what is measured is what their number costs.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterable, Iterator

from common import MIB, machine, print_table
from scale_simulation import STAGES, Build

from bertbuild.engine.schedule import Job, Scheduler


class Away(Job):
    """An order that is answered at once."""

    is_away = True


class Counted:
    """A listener that counts."""

    done_jobs = 0

    def added(self, jobs: list[Job]) -> None:
        """See `Listener`."""

    def started(self, job: Job) -> None:
        """See `Listener`."""

    def done(self, job: Job) -> None:  # noqa: ARG002 - it is counted
        """See `Listener`."""
        self.done_jobs += 1

    def failed(self, job: Job, error: Exception) -> None:
        """See `Listener`."""

    def skipped(self, job: Job, because: Job) -> None:
        """See `Listener`."""


def jobs(models: int) -> Iterator[Job]:
    """Two looks, the stages and the gates of each model."""
    for model in range(models):
        yield Job(f"{model}/inspect")
        yield Job(f"{model}/checkpoint", (f"{model}/inspect",))
        for stage in STAGES:
            yield Away(f"{model}/{stage.name}", (f"{model}/{stage.needs}",))
            if stage.name.endswith("-infer"):
                yield Job(f"{model}/{stage.name} gate", (f"{model}/{stage.name}", f"{model}/reference"))


def run(wanted: Iterable[Job]) -> tuple[int, float, float]:
    """How many were done, in how many seconds, and of how many was the processor's."""
    counted = Counted()
    scheduler = Scheduler(
        counted,
        slots=2,
        away=Build.IN_FLIGHT,
        fits=lambda _needed, _taken: True,
        keep_going=True,
        cancel=lambda: None,
    )
    began, used = time.perf_counter(), time.process_time()
    scheduler.run(wanted)
    return counted.done_jobs, time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=10_000)
    args = parser.parse_args()
    rows = []
    for models in (args.models // 10, args.models):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
        done, seconds, processor = run(jobs(models))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
        rows.append([f"{models:,}", f"{done:,}", f"{seconds:.1f} s", f"{processor:.1f} s", f"{after - before:.0f} MiB"])
    print(machine(), end="\n\n")
    print_table(["models", "jobs", "scheduled in", "at work", "more memory"], rows)


if __name__ == "__main__":
    main()
