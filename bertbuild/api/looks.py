"""What is looked at: checkpoints, targets, keys, runs, this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertbuild.api.base import Base
from bertbuild.api.named import Checkpoint, Model, Path, check_names, wanted

if TYPE_CHECKING:
    from bertbuild.commands.buildfile import Schema
    from bertbuild.commands.doctor import Diagnosis
    from bertbuild.commands.graph import Drawn
    from bertbuild.commands.init import Initiated
    from bertbuild.commands.log import Logs
    from bertbuild.commands.models import Inspection
    from bertbuild.commands.report import Page
    from bertbuild.commands.status import Status
    from bertbuild.commands.why import Why


class Looks(Base):
    """The commands that build nothing."""

    def inspect(self, source: Checkpoint | Model) -> Inspection:
        """What a checkpoint holds.

        Raises:
            CheckpointError: something is wrong with it; `details` says what.
        """
        from bertbuild.commands.models import inspect

        with self._session() as session:
            return inspect(session, wanted(source, ""))

    def status(self, *, file: Path = "") -> Status:
        """All targets that a build file names or that were ever built: state, figures, paths."""
        from bertbuild.commands.status import status

        with self._session(build_file=file) as session:
            return status(session, str(file))

    def why(self, *names: str, file: Path = "") -> Why:
        """What would run for models, targets, patterns of these, or for stages, and which part of a key changed."""
        from bertbuild.commands.why import why

        with self._session(build_file=file) as session:
            check_names(names)
            return why(session, names, str(file))

    def graph(self, *names: str, file: Path = "", format: str = "text") -> Drawn:  # noqa: A002 - the flag's name
        """The jobs behind targets, drawn as "text", "dot" or "mermaid"."""
        from bertbuild.commands.graph import graph

        with self._session(build_file=file) as session:
            check_names(names)
            return graph(session, names, str(file), format)

    def log(self, *names: str, stage: str = "") -> Logs:
        """What the stages of models, targets, MODEL/TARGET or patterns of these said, or one of them."""
        from bertbuild.commands.log import log

        with self._session() as session:
            check_names(names)
            return log(session, names, stage)

    def report(self, run: str = "", *, to: Path = "") -> Page:
        """Write the page of a run, of the last where none is named, to a file: empty for artifacts/reports/RUN.html."""
        from bertbuild.commands.report import report

        with self._session() as session:
            return report(session, run, str(to))

    def doctor(self) -> Diagnosis:
        """What this machine has of all that a build needs.

        Raises:
            CheckFailedError: stages can run nowhere.
        """
        from bertbuild.commands.doctor import doctor

        with self._session() as session:
            return doctor(session)

    def init(self, *, folder: Path = ".") -> Initiated:
        """Look through a folder of models, and write the bertbuild.toml that builds them all into the current folder.

        Raises:
            UsageError: there is one already, or no such folder.
            CheckpointError: the folder holds no model that can be built from; `details` says why of each.
        """
        from bertbuild.commands.init import Init, init

        with self._session() as session:
            return init(session, Init(folder=str(folder)))

    def schema(self) -> Schema:
        """The JSON Schema of bertbuild.toml."""
        from bertbuild.commands.buildfile import schema

        with self._session() as session:
            return schema(session)
