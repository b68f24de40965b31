"""The scheduler: needs, slots, memory, failures, interruption; over random graphs too."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.engine.schedule import Job, Scheduler
from bertbuild.errors import StageError


class Played(Job):
    """A job that is watched."""

    def __init__(self, world, job_id, needs=(), *, memory=0, cached=False, fails=False, then=()):
        super().__init__(job_id, tuple(needs))
        self.world, self.bytes, self.cached, self.fails, self.then = world, memory, cached, fails, then

    def settle(self):
        assert all(need in self.world.ended for need in self.needs)
        return self.cached

    def memory(self):
        return self.bytes

    def run(self):
        with self.world.lock:
            self.world.running.append(self)
            self.world.most = max(self.world.most, len(self.world.running))
            self.world.most_bytes = max(self.world.most_bytes, sum(job.bytes for job in self.world.running))
        self.world.pause(self)
        with self.world.lock:
            self.world.running.remove(self)
        if self.fails:
            raise StageError(f"{self.id} failed")

    def follow(self):
        return self.then


class World:
    """What jobs have in common, and a listener."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running, self.most, self.most_bytes = [], 0, 0
        self.known, self.ended, self.failures, self.gone = [], [], [], {}
        self.cancelled = threading.Event()
        self.pause = lambda _job: None

    def added(self, jobs):
        self.known += [job.id for job in jobs]

    def started(self, job):
        assert job.id in self.known

    def done(self, job):
        self.ended.append(job.id)

    def failed(self, job, error):
        self.failures.append((job.id, str(error)))

    def skipped(self, job, because):
        self.gone[job.id] = because.id

    def run(self, jobs, *, slots=2, limit=10**9, keep_going=True):
        scheduler = Scheduler(
            self,
            slots=slots,
            fits=lambda needed, taken: needed + taken <= limit,
            keep_going=keep_going,
            cancel=self.cancelled.set,
        )
        scheduler.run(jobs)
        return scheduler.failures


@pytest.fixture
def world():
    return World()


GRAPHS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 30), max_size=3),  # needs, of those before
        st.booleans(),  # cached
        st.booleans(),  # fails
        st.integers(0, 6),  # memory
    ),
    max_size=25,
)


@given(graph=GRAPHS, slots=st.integers(1, 4), limit=st.integers(1, 12))
def test_every_job_ends_once_within_slots_and_memory_and_failures_skip_what_needs_them(graph, slots, limit):
    world = World()
    jobs, lost = [], {}
    for number, (wanted, cached, fails, memory) in enumerate(graph):
        needs = sorted({str(need % number) for need in wanted}) if number else []
        jobs.append(Played(world, str(number), needs, memory=memory, cached=cached, fails=fails))
        if not any(need in lost for need in needs) and fails and not cached:
            lost[str(number)] = "failed"
        elif any(need in lost for need in needs):
            lost[str(number)] = "skipped"
    failures = world.run(jobs, slots=slots, limit=limit)
    assert {name for name, _ in world.failures} == {name for name, how in lost.items() if how == "failed"}
    assert set(world.gone) == {name for name, how in lost.items() if how == "skipped"}
    assert sorted(world.ended + list(lost)) == sorted(world.known) == sorted(job.id for job in jobs)
    assert len(failures) == len(world.failures)
    assert world.most <= slots
    assert world.most_bytes <= max(limit, max((job.bytes for job in jobs), default=0))


def test_jobs_that_follow_from_others_are_run_and_may_need_what_is_done_or_lost(world):
    last = Played(world, "last", ("first", "second"))
    hopeless = Played(world, "hopeless", ("bad",))
    second = Played(world, "second", then=(last, hopeless))
    world.run([Played(world, "bad", fails=True), Played(world, "first", then=(second,))], slots=1)
    assert world.ended == ["first", "second", "last"]
    assert world.gone == {"hopeless": "bad"}


def test_without_keep_going_nothing_is_begun_after_a_failure_but_what_runs_ends(world):
    together, told = threading.Barrier(2), threading.Event()
    world.failed = lambda _job, _error: told.set()
    world.pause = lambda job: (together.wait(60), told.wait(60) if job.id == "b" else None)
    failures = world.run([Played(world, "a", fails=True), Played(world, "b"), Played(world, "c")], keep_going=False)
    assert [str(error) for error in failures] == ["a failed"]
    assert world.ended == ["b"]


def test_two_that_need_not_each_other_run_at_the_same_time(world):
    together = threading.Barrier(2)
    world.pause = lambda _job: together.wait(60)
    assert world.run([Played(world, "a"), Played(world, "b")]) == []
    assert world.most == 2


def test_one_that_is_larger_than_the_budget_runs_alone(world):
    world.pause = lambda _job: time.sleep(0.01)
    jobs = [Played(world, name, memory=size) for name, size in (("a", 3), ("b", 50), ("c", 3), ("d", 3))]
    world.run(jobs, slots=4, limit=10)
    assert sorted(world.ended) == ["a", "b", "c", "d"]
    assert world.most_bytes == 50


def test_what_measures_times_runs_with_none_beside_it_and_what_does_not_need_it_goes_first(world):
    beside, begun, together = {}, [], threading.Barrier(3)

    def pause(job):
        begun.append(job.id)
        time.sleep(0.01)
        if not job.is_alone:
            together.wait(60)
        beside[job.id] = len(world.running)

    world.pause = pause
    jobs = [
        Played(world, name, needs)
        for name, needs in (("a", ()), ("timed a", "a"), ("b", ()), ("timed b", "b"), ("c", ()))
    ]
    jobs[1].is_alone = jobs[3].is_alone = True
    world.run(jobs, slots=3)
    assert beside["timed a"] == beside["timed b"] == 1
    assert set(begun[:3]) == {"a", "b", "c"}
    assert world.most == 3


def test_jobs_with_a_turn_begin_beside_others_and_measure_one_at_a_time_with_none_beside(world):
    measured, lock = [], threading.Lock()

    class Measuring(Played):
        def run(self):
            with lock:
                world.begun.append(self.id)
            self.turn()
            with lock:
                assert not world.running
                world.running.append(self)
            time.sleep(0.02)
            with lock:
                assert world.running == [self]
                world.running.remove(self)
                measured.append(self.id)

    world.begun = []
    together = threading.Barrier(2)
    jobs = [
        Measuring(world, "timed a"),
        Measuring(world, "timed b"),
        Played(world, "c"),
        Played(world, "d"),
        Measuring(world, "timed d", "d"),
    ]
    world.pause = lambda _job: together.wait(60)  # both slots are free of those that wait
    assert not world.run(jobs, slots=2)
    assert measured == ["timed a", "timed b", "timed d"]
    assert world.begun[:2] == ["timed a", "timed b"]


def test_jobs_that_wait_for_their_turn_keep_their_memory_and_one_is_let_on_where_nothing_else_fits(world):
    class Measuring(Played):
        def run(self):
            self.turn()
            super().run()

    jobs = [Measuring(world, name, memory=60) for name in "abc"]
    assert not world.run(jobs, slots=3, limit=100)
    assert world.ended == ["a", "b", "c"]
    assert world.most == 1


def test_one_that_waits_for_its_turn_is_let_go_when_all_are_ended(world):
    class Measuring(Played):
        def run(self):
            waits.set()
            self.turn()

    waits = threading.Event()

    def pause(_job):
        assert waits.wait(60)
        raise RuntimeError("bug")

    world.pause = pause
    with pytest.raises(RuntimeError):
        world.run([Measuring(world, "timed"), Played(world, "bad")])
    assert all(thread.name != "timed" for thread in threading.enumerate())


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), BrokenPipeError()])
def test_what_users_cannot_meet_cancels_all_waits_and_is_raised(world, error):
    begun = threading.Event()

    def pause(job):
        if job.id == "long":
            begun.set()
            assert world.cancelled.wait(60)
        else:
            assert begun.wait(60)
            raise error

    world.pause = pause
    with pytest.raises(type(error)):
        world.run([Played(world, "long"), Played(world, "bad")])
    assert world.cancelled.is_set()
    assert all(thread.name != "long" for thread in threading.enumerate())


def test_jobs_that_wait_are_not_asked_what_they_take_while_there_is_no_room(world):
    """Thousands may wait, and to tell what one takes its files are looked at."""
    asked = []

    class Asked(Played):
        def memory(self):
            asked.append(self.id)
            return 0

    assert world.run([Asked(world, str(number)) for number in range(300)]) == []
    assert len(asked) == 300
