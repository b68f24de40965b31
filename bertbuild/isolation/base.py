"""The protocols between host and places where stages run: what runs stages, and what a place's module has."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from bertbuild.places import PLACES

if TYPE_CHECKING:
    from bertbuild.config import Settings

from bertbuild.errors import Lacking

OnEvent = Callable[[dict[str, Any]], None]
OnLine = Callable[[str], None]

TAIL_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """One run of one stage.

    Attributes:
        backend: whose environment it runs in: "tf1", "openvino", "mo", "onnx", "neuron", "tf2" or "data".
        stage: the stage's name on the command line of the backend that has its code.
        inputs: flag name → file or folder on the host, read-only for the stage.
        params: flag name → value.
        work: the stage's private folder on the host; outputs go to `work/out`, which exists and is empty.
        log: file that receives all the stage writes that is not an event.
        code: the backend whose folder has the stage's code; empty where it is the same.
        device: whether the stage needs the machine's Neuron device.
        unfinished: the folder that a resumable stage keeps what it would go on from, or None.
        workers: how many processes run the stage together, each told of all by TF_CONFIG; the first one writes
            `work/out`, the others write below `work/workers`.
        turn: called when the stage is ready to measure, where `Isolation.has_turns`; it measures once this returns.
    """

    backend: str
    stage: str
    inputs: Mapping[str, Path]
    params: Mapping[str, str]
    work: Path
    log: Path
    code: str = ""
    device: bool = False
    unfinished: Path | None = None
    workers: int = 1
    turn: Callable[[], None] | None = None


class Isolation(Protocol):
    """A place to run stages in."""

    @property
    def name(self) -> str:
        """What people and records call it: the name of its row in `places.PLACES`."""

    @property
    def has_turns(self) -> bool:
        """Whether a stage that runs here waits for `StageRun.turn` before it measures."""

    def require(self) -> None:
        """Make sure that stages can run here now, before anything is fetched for them.

        Raises:
            EngineError: no Docker engine answers.
        """

    def is_ready(self, backend: str) -> bool:
        """Whether `prepare` has nothing to do."""

    def can_have(self, backend: str, on_line: OnLine | None) -> bool:
        """Whether the backend's environment is there or could be made here, given what `lacks` names.

        What it lacks is fetched now, and `on_line` told; without a listener nothing is fetched, and it is judged by
        what could be.
        """

    def why_not(self, backend: str) -> str:
        """What kept `can_have` from having a backend's environment, in the words of what failed; "" if nothing is."""

    def lacks(self, backend: str) -> tuple[Lacking, ...]:
        """What `prepare` would need of the network, as far as that can be told without it; nothing is made."""

    def require_obtainable(self, backend: str) -> None:
        """Ask, before others run for minutes, whether packages can be had that `prepare` would fail without.

        Raises:
            EnvironmentBuildError, ImageBuildError: they cannot.
        """

    def prepare(self, backend: str, on_line: OnLine) -> None:
        """Make the backend's environment; its output is passed on line by line."""

    def environment(self, backend: str) -> dict[str, str]:
        """The facts that pin a prepared environment; they go into the key of each of its stages."""

    def dependencies(self, backend: str) -> list[dict[str, Any]]:
        """What a prepared environment is made of besides its lock file, as a provenance statement lists it.

        Each is a ResourceDescriptor of in-toto: `name`, and `uri` or `digest`.
        """

    def by_hand(self) -> list[str]:
        """Lines that tell how to run a stage by hand in a prepared environment; none where that needs no words."""

    def expect(self, backend: str, code: str, stage: str) -> None:
        """Begin, and wait for nothing, what the first run of a stage would wait for, where there is such a thing.

        The arguments are those of `StageRun`. What never runs then has cost time and nothing else.
        """

    def run(self, run: StageRun, on_event: OnEvent) -> None:
        """Run a stage to its end.

        Raises:
            StageError: it ended with an error; the details are the last lines of its log.
            StageKilledForMemoryError: it was killed because memory ran out.
            Interrupted: `end` was called.
        """

    def sweep(self, works: Path, locks: Path) -> None:
        """Remove what hosts that were killed left of stages whose work folder was in `works`, be it there or not.

        Args:
            works: the store's folder of work folders.
            locks: the lock of each by its name; what somebody holds runs, and stays.
        """

    def end(self) -> None:
        """End all that runs in other threads, with all it started; nothing more can be started then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing doctor looked at.

    Attributes:
        needed_for: the name of the place that cannot be used without it; "all" for every place; empty for mere
            information.
        untried: whether it would be fetched when needed, which nobody tried.
        barred: of a Python: whether no environment can be made of it.
    """

    what: str
    ok: bool
    text: str
    needed_for: str = ""
    untried: bool = False
    barred: bool = False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "what": self.what,
            "ok": self.ok,
            "text": self.text,
            "needed_for": self.needed_for,
            "untried": self.untried,
        }


class Place(Protocol):
    """What the module of a place has."""

    def isolation(self, settings: Settings) -> Isolation:
        """What runs stages there.

        Raises:
            OfflineError: it is reached over the network, which must not be used.
        """

    def why_not(self, settings: Settings, *, used_last: bool) -> str:
        """Why stages cannot run there now, "" where they can; asks only, and never raises.

        `used_last`: whether the store's last build ran there. What must not be asked now (offline) counts then, and is
        refused in words where it is used.
        """

    def findings(self, settings: Settings) -> Iterator[Finding]:
        """What doctor says of all that it needs."""


def place(name: str) -> Place:
    """The module of a place, loaded now: some take long to load, and one is used at a time."""
    return cast("Place", importlib.import_module(PLACES[name].module))


def log_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, as they are."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 64 * 1024))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])
