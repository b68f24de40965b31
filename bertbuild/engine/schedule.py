"""Jobs that need one another, run at the same time as far as slots and memory allow. Knows nothing of what they do."""

from __future__ import annotations

import contextlib
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from heapq import heappop, heappush
from queue import SimpleQueue
from threading import Event, Thread
from typing import Protocol

from bertbuild.errors import BertbuildError


class Job:
    """Something to be done once all that it needs is done; a base for what does something.

    Attributes:
        id: its name, which no other job has.
        needs: the jobs that must be done before; all are made known together or earlier.
        promised: targets (model, name) whose jobs will follow from it, and will not where it fails.
        is_alone: whether no other job runs on this machine while it does, because it measures how long something takes.
        turn: where a job measures a part of the time that it runs alone, `run` calls this before that part: it waits
            until no other job runs on this machine, and none does from then until this one ends.
    """

    promised: Sequence[tuple[str, str]] = ()
    is_alone = False
    turn: Callable[[], None] = staticmethod(lambda: None)

    @property
    def is_away(self) -> bool:
        """Whether another machine does it, so that it takes no slot and no memory of this one; asked after `settle`."""
        return False

    def __init__(self, job_id: str, needs: tuple[str, ...] = ()) -> None:
        self.id = job_id
        self.needs = needs

    def settle(self) -> bool:
        """Whether nothing is left to run. Quick, and called once, in the scheduler's own thread."""
        return False

    def memory(self) -> int:
        """Bytes it is expected to take while it runs; asked after `settle`."""
        return 0

    def run(self) -> None:
        """Do it, in a thread of its own."""

    def follow(self) -> Iterable[Job]:
        """Jobs that are known only now that it is done."""
        return ()


class Listener(Protocol):
    """Who is told what becomes of jobs, in the scheduler's own thread."""

    def added(self, jobs: list[Job]) -> None:
        """These jobs are known from now on."""

    def started(self, job: Job) -> None:
        """A job runs from now on."""

    def done(self, job: Job) -> None:
        """A job is done, or nothing of it was left to do."""

    def failed(self, job: Job, error: BertbuildError) -> None:
        """A job ended with an error that users can meet."""

    def skipped(self, job: Job, because: Job) -> None:
        """A job was not begun, because one that it needs, directly or not, failed."""


Fits = Callable[[int, int], bool]
"""Whether a job of so many bytes may start beside jobs that take so many together."""


class Scheduler:
    """Runs jobs in the order in which they were given, as far as their needs let it.

    Args:
        listener: is told what happens.
        slots: how many jobs run at once, at most.
        away: how many jobs that are away run at once beside them, at most.
        fits: the memory budget; a job that runs alone always fits.
        keep_going: whether jobs are begun after one has failed, as far as they do not need it.
        cancel: ends what runs in the threads of jobs, so that they end soon; called when this thread is interrupted.
    """

    def __init__(
        self,
        listener: Listener,
        *,
        slots: int,
        fits: Fits,
        keep_going: bool,
        cancel: Callable[[], None],
        away: int = 0,
    ) -> None:
        self._listener, self._slots, self._fits, self._away = listener, slots, fits, away
        self._keep_going, self._cancel = keep_going, cancel
        self._order: dict[str, int] = {}
        self._waiting: dict[str, Job] = {}
        self._unmet: dict[str, set[str]] = {}
        self._needed_by: dict[str, list[str]] = {}
        self._ready: list[tuple[int, str]] = []
        self._startable: dict[bool, list[tuple[int, Job]]] = {False: [], True: []}  # by whether they are away
        self._running: dict[str, tuple[Job, Thread, int]] = {}
        self._done: set[str] = set()
        self._gone: dict[str, Job] = {}  # failed or skipped → the job whose failure it was
        self._waits: dict[str, tuple[int, Event]] = {}  # jobs that run and wait for their turn
        self._has_turn = ""  # the one that runs with no other
        self._ends_all = Event()
        self._said: SimpleQueue[tuple[Job, BaseException | Event | None]] = SimpleQueue()
        self._failures: dict[int, BertbuildError] = {}

    def run(self, jobs: Iterable[Job]) -> None:
        """Run the jobs, and all that follow from them; failures are in `failures` afterwards.

        Raises:
            BaseException: what is no `BertbuildError` (Ctrl-C, a closed pipe, a bug), after all threads have ended.
        """
        try:
            self._add(jobs)
            while self._start() or self._running:
                self._give_turn()
                self._hear_one()
        except BaseException:
            self._end_all()
            raise

    @property
    def failures(self) -> list[BertbuildError]:
        """In the order in which the jobs were given, whichever failed first."""
        return [self._failures[number] for number in sorted(self._failures)]

    def _add(self, jobs: Iterable[Job]) -> None:
        added = list(jobs)
        if added:
            self._listener.added(added)
        for job in added:
            self._order[job.id] = len(self._order)
            lost = next((self._gone[need] for need in job.needs if need in self._gone), None)
            if lost is not None:
                self._skip(job, lost)
                continue
            self._waiting[job.id] = job
            self._unmet[job.id] = {need for need in job.needs if need not in self._done}
            for need in self._unmet[job.id]:
                self._needed_by.setdefault(need, []).append(job.id)
            if not self._unmet[job.id]:
                heappush(self._ready, (self._order[job.id], job.id))

    def _start(self) -> bool:
        """Settle every job that can be settled, start those that fit; gives whether jobs run now."""
        while self._ready and not self._stopped:
            number, job_id = heappop(self._ready)
            if not self._settled(job := self._waiting.pop(job_id)):
                insort(self._startable[job.is_away], (number, job), key=lambda entry: entry[0])
        if not self._stopped:
            for is_away in self._startable:
                self._start_those(is_away)
        return bool(self._running)

    def _start_those(self, is_away: bool) -> None:
        """Start what fits; where there is no room, thousands that wait are not looked at."""
        waiting, number = self._startable[is_away], 0
        most = self._away if is_away else self._slots
        while number < len(waiting) and self._busy(is_away) < most:
            if self._started(waiting[number][1], is_away):
                del waiting[number]
            else:
                number += 1

    def _beside(self, is_away: bool) -> list[tuple[Job, int]]:
        """What runs here, or away, and the memory that it needs."""
        return [(other, memory) for other, _, memory in self._running.values() if other.is_away is is_away]

    def _busy(self, is_away: bool) -> int:
        """How many of these take a slot: a job that waits for its turn takes memory alone."""
        return sum(job.id not in self._waits for job, _ in self._beside(is_away))

    def _give_turn(self) -> None:
        """Let the first job go on that waits for its turn, once all that run here do; what could start has started."""
        if self._waits and not self._busy(False):
            self._has_turn = min(self._waits, key=lambda job_id: self._waits[job_id][0])
            self._waits.pop(self._has_turn)[1].set()

    def _wait(self, job: Job) -> None:
        """In the thread of a job: wait for its turn, or for the end of all."""
        turn = Event()
        self._said.put((job, turn))
        while not turn.wait(0.2) and not self._ends_all.is_set():
            pass

    @property
    def _stopped(self) -> bool:
        return bool(self._failures) and not self._keep_going

    def _settled(self, job: Job) -> bool:
        """Whether a job needs no thread any more: nothing was left to run, or it failed already."""
        try:
            if not job.settle():
                return False
            self._finish(job)
        except BertbuildError as error:
            self._fail(job, error)
        return True

    def _started(self, job: Job, is_away: bool) -> bool:
        needed = 0 if is_away else job.memory()
        if not is_away and not self._goes_beside(self._beside(False), job, needed):
            return False
        job.turn = partial(self._wait, job)
        thread = Thread(target=self._work, args=(job,), name=job.id)
        self._running[job.id] = (job, thread, needed)
        self._listener.started(job)
        thread.start()
        return True

    def _goes_beside(self, others: list[tuple[Job, int]], job: Job, needed: int) -> bool:
        """Whether a job that needs so many bytes may run beside others on this machine."""
        if not others:
            return True
        if job.is_alone or self._has_turn or any(other.is_alone for other, _ in others):
            return False
        return self._fits(needed, sum(memory for _, memory in others))

    def _work(self, job: Job) -> None:
        try:
            job.run()
        except BaseException as error:  # noqa: BLE001 - it is raised again, or told, in the scheduler's own thread
            self._said.put((job, error))
        else:
            self._said.put((job, None))

    def _hear_one(self) -> None:
        """Hear from one job: that it waits for its turn, or that it has ended."""
        job, error = self._said.get()
        if isinstance(error, Event):
            self._waits[job.id] = (self._order[job.id], error)
            return
        _, thread, _ = self._running.pop(job.id)
        thread.join()
        if self._has_turn == job.id:
            self._has_turn = ""
        if error is None:
            try:
                self._finish(job)
            except BertbuildError as following:
                self._fail(job, following)
        elif isinstance(error, BertbuildError):
            self._fail(job, error)
        else:
            raise error

    def _finish(self, job: Job) -> None:
        self._done.add(job.id)
        self._listener.done(job)
        self._add(job.follow())
        for needing in self._needed_by.pop(job.id, ()):
            self._unmet[needing].discard(job.id)
            if needing in self._waiting and not self._unmet[needing]:
                heappush(self._ready, (self._order[needing], needing))

    def _fail(self, job: Job, error: BertbuildError) -> None:
        self._failures[self._order[job.id]] = error
        self._gone[job.id] = job
        self._listener.failed(job, error)
        self._skip_what_needs(job.id, job)

    def _skip(self, job: Job, because: Job) -> None:
        self._gone[job.id] = because
        self._listener.skipped(job, because)
        self._skip_what_needs(job.id, because)

    def _skip_what_needs(self, job_id: str, because: Job) -> None:
        for needing in self._needed_by.pop(job_id, ()):
            if needing in self._waiting:
                self._skip(self._waiting.pop(needing), because)

    def _end_all(self) -> None:
        """Wait for the threads; a second Ctrl-C hurries `cancel`, and does not leave them behind either."""
        self._ends_all.set()
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._cancel()
        finally:
            for _, thread, _ in self._running.values():
                while thread.is_alive():
                    with contextlib.suppress(KeyboardInterrupt):
                        thread.join()
