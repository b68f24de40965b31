"""What travels between a build and a worker: plain JSON, an order one way and an answer back. No code, no array."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bertbuild import __version__, errors, keys
from bertbuild.errors import BertbuildError, StageError
from bertbuild.json_text import parse_json
from bertbuild.stages import INSTRUCTIONS

TOPIC = "bertbuild"
"""Dask's name for what workers say while they are at it."""
NAMED = "bertbuild"
"""Dask's name of the plug-in that a worker of ours has."""
MEMORY = "memory"
"""The resource of the bytes that stages may take together on a worker."""
LARGEST = 400_000
"""Bytes that an answer is told to have, at most: Dask prefers workers that hold a stage's inputs; it moves none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An input of a step: a result in the remote store.

    Attributes:
        stage: what made it; `files.FILED` of files that were given to the build.
        key: its key.
        digest: of its content, as the step's key has it.
        files: of files that were given: their names below a folder; empty for one file, whose name is `name`.
        name: of one file that was given, its name in the result.
    """

    stage: str
    key: str
    digest: str
    files: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """A stage to be run, and what its result's key is made of.

    Attributes:
        token: of this very order.
        version: of bertbuild, which the worker must have too.
        stage, backend, params, limits: of the step.
        inputs: by name.
        code: digest of the stage's code.
        environment: facts that pin the environment.
        key: of the result.
        told: what its events hold: id, job, model.
        run: the id of the build's run.
    """

    token: str
    stage: str
    backend: str
    params: Mapping[str, str]
    limits: Mapping[str, str]
    inputs: Mapping[str, Given]
    code: str
    environment: Mapping[str, str]
    key: str
    told: Mapping[str, str]
    run: str
    version: str = __version__

    def as_text(self) -> str:
        """JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> WorkOrder:
        """The same of its JSON."""
        value = parse_json(text)
        given = {name: Given(**{**one, "files": tuple(one["files"])}) for name, one in value["inputs"].items()}
        return cls(**{**value, "inputs": given})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker says of an order.

    Attributes:
        token: of the order that it carried out: another submitter's where two asked for one key.
        worker: its name.
        ran: whether the stage was run; else the result was there.
        seconds: that it took.
        bytes: of the result.
        facts: what the stage says it took.
        log: what it said.
        error: why there is no result: class, message, next step, details; empty where there is one.
    """

    token: str
    worker: str
    ran: bool = False
    seconds: float = 0.0
    bytes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    error: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> Text:
        """JSON, of so many bytes as Dask shall take it for."""
        return Text(json.dumps(asdict(self)), min(self.bytes, LARGEST))

    @classmethod
    def from_text(cls, text: str) -> Answer:
        """The same of its JSON."""
        return cls(**parse_json(text))

    def failure(self) -> BertbuildError:
        """The error, as it would have been raised here."""
        told = self.error
        kind = getattr(errors, told["class"], StageError)
        more = {"next_step": told["next_step"], "details": told["details"]}
        made: BertbuildError = kind(f"{told['message']} (On the worker {self.worker}.)", **more)
        return made


class Text(str):
    """A text that says how much room it takes: that of what it is about."""

    __slots__ = ("size",)
    size: int

    def __new__(cls, text: str, size: int) -> Text:  # noqa: PYI034 - Python 3.10 has no Self
        """A text, and its size in bytes."""
        made = super().__new__(cls, text)
        made.size = size
        return made

    def __getnewargs__(self) -> tuple[str, int]:  # type: ignore[override]
        """For pickle."""
        return str(self), self.size

    def __sizeof__(self) -> int:
        return self.size


def told_of(error: BertbuildError) -> dict[str, str]:
    """An error, as an answer has it."""
    # Those whose arguments are others arrive as what they are a kind of.
    kinds = [kind.__name__ for kind in type(error).__mro__ if "__init__" not in vars(kind) or kind is BertbuildError]
    return {
        "class": kinds[0],
        "message": str(error),
        "next_step": error.next_step,
        "details": error.details,
    }


def environment_resource(backend: str, facts: Mapping[str, str]) -> str:
    """The resource of a worker that has a backend in such an environment."""
    pinned = {name: value for name, value in facts.items() if name != INSTRUCTIONS}
    return f"{backend} {keys.digest(pinned)[:16]}"


def short_name(stage: str, key: str) -> str:
    """A result, by as much of its key as workers tell of what they have."""
    return f"{stage}-{key[:16]}"


def processor_resource(instructions: str) -> str:
    """The resource of a worker whose processor has such an instruction set."""
    return f"{INSTRUCTIONS} {instructions}"
