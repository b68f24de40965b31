"""How far something that runs is, and how long it may still take: as it counts, else by what it took before."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60
HOUR = 3600

NEARLY = 0.99
"""What is judged by what it took before is no farther than this before it ends."""


@dataclass(kw_only=True)
class Pace:
    """A job that runs, and the phase that it is in.

    Attributes:
        name: for people.
        began: when it began, in seconds of any clock.
        expects: seconds that its phase took before; None where no record tells.
        doing: what the phase is.
        since: when the phase began.
        done: how much of the phase is done.
        total: of how much; None where it does not count.
    """

    name: str
    began: float
    expects: float | None = None
    doing: str = ""
    since: float = 0.0
    done: int = 0
    total: int | None = None

    def __post_init__(self) -> None:
        self.since = self.since or self.began

    def phase(self, doing: str, expects: float | None, now: float) -> None:
        """Another phase begins."""
        self.doing, self.expects, self.since, self.done, self.total = doing, expects, now, 0, None

    def advance(self, done: int, total: int | None, now: float) -> None:
        """So much of the phase is done."""
        if self.total is None:
            self.since = min(self.since, now)
        self.done, self.total = done, total

    def fraction(self, now: float) -> float | None:
        """How much of the phase is done, from 0 to 1; None where nothing tells."""
        if self.total:
            return min(1.0, self.done / self.total)
        if self.expects:
            return min(NEARLY, (now - self.since) / self.expects)
        return None

    def left(self, now: float) -> float | None:
        """Seconds that the phase may still take; None where nothing tells, or where it took them already."""
        if self.total:
            return (now - self.since) * (self.total - self.done) / self.done if self.done else None
        if self.expects and self.expects > now - self.since:
            return self.expects - (now - self.since)
        return None

    def words(self, now: float) -> str:
        """`40 %, about 4 min left`, "" where nothing tells."""
        fraction, left = self.fraction(now), self.left(now)
        told = [] if fraction is None else [f"{100 * fraction:.0f} %"]
        return ", ".join(told + ([] if left is None else [f"about {duration(left)} left"]))


class Whole:
    """All jobs of a run that are known so far: how many have ended, and how long the others may take."""

    def __init__(self, slots: int = 1) -> None:
        self._slots = max(1, slots)
        self._expects: dict[str, float | None] = {}
        self._began: dict[str, float] = {}
        self._ended: set[str] = set()

    def add(self, job: str, expects: float | None) -> None:
        """A job became known, with the seconds that one like it took, if any is on record."""
        self._expects.setdefault(job, expects)

    def start(self, job: str, now: float) -> None:
        """It runs."""
        self._began[job] = now

    def end(self, job: str) -> None:
        """It ended, well or not, or nothing of it was left to do."""
        self._ended.add(job)

    @property
    def done(self) -> int:
        """How many of the known jobs have ended."""
        return len(self._ended & self._expects.keys())

    @property
    def total(self) -> int:
        """How many are known."""
        return len(self._expects)

    def left(self, now: float) -> float | None:
        """Seconds that those which have not ended may take; None where the record knows not all of them."""
        waiting = {job: expects for job, expects in self._expects.items() if job not in self._ended}
        if any(expects is None for expects in waiting.values()):
            return None
        each = [max(0.0, (expects or 0.0) - (now - self._began.get(job, now))) for job, expects in waiting.items()]
        return max([sum(each) / self._slots, *each]) if each else None

    def words(self, now: float) -> str:
        """`12 of 57 done, about 9 min left`."""
        left = self.left(now)
        return f"{self.done} of {self.total} done" + (f", about {duration(left)} left" if left else "")


def duration(seconds: float) -> str:
    """A time in the unit that suits it: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"
