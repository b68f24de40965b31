"""One class per kind of failure, each with its exit code and its next step.

Every error that a user can meet is a `BertbuildError`. `str(error)` is what happened, in one sentence; `next_step` is
what to do now; `details` keeps the words of whatever failed (the last lines of a log, say), whole and unedited.
Only the command line (`bertbuild.commands`) turns an error into an exit code.

    BertbuildError                        1
    ├── UsageError                        2
    ├── UnknownModelError                 3
    ├── UnknownDatasetError               3
    ├── CheckpointError                   4
    ├── DownloadError                     5
    ├── IntegrityError                    6
    ├── ArchiveError                      7
    ├── NoSpaceError                      8
    ├── EngineError                       9
    ├── ImageBuildError                  10
    ├── EnvironmentBuildError            11
    ├── InterpreterMissingError          12
    ├── StageError                       13
    ├── StageKilledForMemoryError        14
    ├── StoreError                       15
    ├── LockFileError                    16
    ├── CheckFailedError                 17
    ├── DataError                        18
    ├── ParityError                      20
    ├── NotVerifiedError                 21
    ├── AccuracyError                    22
    ├── BuildFailedError                 23, or the code that all failures have
    ├── ProvenanceError                  24
    ├── NotReproducibleError             25
    ├── OfflineError                     26, a DownloadError too
    ├── MisledNameError                  27, a StoreError too
    ├── RemoteError                      28
    ├── UntrustedError                   29, a RemoteError too
    ├── ClusterError                     30
    └── Interrupted                     130
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class BertbuildError(Exception):
    """A failure a user can meet: one sentence, a next step, an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "", details: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step
        self.details = details


class UsageError(BertbuildError):
    """Invalid flags or configuration: contradicting, unknown or out of range."""

    exit_code = 2


class UnknownModelError(BertbuildError):
    """A model name that the catalogue does not hold."""

    exit_code = 3


class UnknownDatasetError(UnknownModelError):
    """A data set's name that the catalogue does not hold."""

    exit_code = 3


class CheckpointError(BertbuildError):
    """A folder or file that is not a usable checkpoint: unreadable, foreign, damaged, or not fitting its config."""

    exit_code = 4


class DownloadError(BertbuildError):
    """The network, a server or a mirror did not give the file."""

    exit_code = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """Something that would have to come over the network: what it is, how to get it, what was said about it.

    `fetched`: whether it is here once it was fetched; else `get` is what to do in its place. `parts`: of packages,
    each that is missing, as `name==version`.
    """

    what: str
    get: str
    details: str = ""
    fetched: bool = True
    parts: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"what": self.what, "get": self.get, "parts": list(self.parts)}


class OfflineError(DownloadError):
    """The network must not be used, and these things are not here."""

    exit_code = 26

    def __init__(self, lacking: Sequence[Lacking]) -> None:
        things = list(dict.fromkeys(thing.what for thing in lacking))
        fetched, others = (_ways(lacking, fetched=fetched) for fetched in (True, False))
        said = [f"Run this once with network access: {fetched}"] if fetched else []
        said += [others] if others else []
        super().__init__(
            f"The network must not be used (offline), and this is missing: {', '.join(things)}.",
            next_step=f"{'. '.join(said)}. Or allow it: no --offline, no BERTBUILD_OFFLINE.",
            details="\n".join(f"{thing.what}: {thing.details}" for thing in lacking if thing.details),
        )
        self.lacking = tuple(lacking)


def _ways(lacking: Sequence[Lacking], *, fetched: bool) -> str:
    return "; ".join(dict.fromkeys(thing.get for thing in lacking if thing.fetched is fetched))


class IntegrityError(BertbuildError):
    """Bytes arrived, but not the ones on record (size or sha256)."""

    exit_code = 6


class ArchiveError(BertbuildError):
    """A zip that is broken, foreign, or dangerous to unpack."""

    exit_code = 7


class NoSpaceError(BertbuildError):
    """The disk is full, or too small for what is about to be written."""

    exit_code = 8


class EngineError(BertbuildError):
    """The Docker engine (or its compose plug-in) cannot be reached or used."""

    exit_code = 9


class ImageBuildError(BertbuildError):
    """An image could not be built; `details` has the last lines of the build."""

    exit_code = 10


class EnvironmentBuildError(BertbuildError):
    """A virtual environment could not be made from its lock file."""

    exit_code = 11


class InterpreterMissingError(BertbuildError):
    """No interpreter of the version a backend needs was found, and none could be fetched."""

    exit_code = 12


class StageError(BertbuildError):
    """A stage ended with an error; `details` has its last lines, the log has them all."""

    exit_code = 13


class StageKilledForMemoryError(StageError):
    """A stage was killed because it ran out of memory (exit 137)."""

    exit_code = 14


class StoreError(BertbuildError):
    """The artifacts store cannot be read or written."""

    exit_code = 15


class LockFileError(BertbuildError):
    """A lock file is missing, drifted from its requirements.in, or cannot be resolved."""

    exit_code = 16


class CheckFailedError(BertbuildError):
    """A check was run and did not pass: doctor, lint or test."""

    exit_code = 17


class DataError(BertbuildError):
    """Data or predictions that cannot be read, are of another task, or do not fit the model."""

    exit_code = 18


class ParityError(BertbuildError):
    """A target does not answer like its source; `details` has the table of figures."""

    exit_code = 20


class NotVerifiedError(BertbuildError):
    """A target could not be compared with its source here: what it runs on is not there."""

    exit_code = 21


class AccuracyError(BertbuildError):
    """A target's accuracy is farther below its source's than is allowed."""

    exit_code = 22


class BuildFailedError(BertbuildError):
    """Targets of a build file failed, for `failures`; its code is theirs where all have the same, or a full disk's."""

    exit_code = 23

    def __init__(self, message: str, *, failures: Sequence[BertbuildError], next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.failures = tuple(failures)
        codes = {failure.exit_code for failure in failures}
        if NoSpaceError.exit_code in codes:  # what else failed may well have failed for that
            self.exit_code = NoSpaceError.exit_code
        elif len(codes) == 1:
            (self.exit_code,) = codes


class ProvenanceError(BertbuildError):
    """An artifact is not what its provenance says, or has none; `details` has every difference."""

    exit_code = 24


class NotReproducibleError(BertbuildError):
    """A stage that was run twice did not write the same; `details` has every difference."""

    exit_code = 25


class MisledNameError(StoreError):
    """A name in out/ leads elsewhere than to the result on record of it, or is on no record."""

    exit_code = 27


class RemoteError(BertbuildError):
    """The remote store does not answer, refuses, or does not have what was asked for."""

    exit_code = 28


class UntrustedError(RemoteError):
    """A result of the remote store that is not used: nobody in `trust` signed it, or it is not what was signed."""

    exit_code = 29


class ClusterError(BertbuildError):
    """The scheduler or its workers do not answer, refuse, or have not what a stage needs."""

    exit_code = 30


class Interrupted(BertbuildError):  # noqa: N818 - it is no error of anybody's
    """The user pressed Ctrl-C, or the process was told to end."""

    exit_code = 130
