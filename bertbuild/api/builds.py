"""Targets made: of one source, or of a build file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertbuild.api.base import Base
from bertbuild.api.named import Path, Source, check_names, check_path, wanted

if TYPE_CHECKING:
    from bertbuild.buildfile.entries import BuildFile
    from bertbuild.commands.build import FileBuilt
    from bertbuild.commands.dry_run import DryRun
    from bertbuild.commands.target import Built
    from bertbuild.kinds.kind import Request


class Builds(Base):
    """The commands that make targets."""

    def build(
        self,
        source: Source,
        request: Request,
        *,
        name: str = "",
        reference: str = "",
        replace: bool = False,
        copy_to: Path = "",
    ) -> Built:
        """Make the targets of one source that a request asks for, judge them, and name them in out/.

        Args:
            source: what they are made of.
            request: `Frozen`, `Ir`, `SavedModel`, `NeuronReady`, `Neuron`, `Tf2`, `Tf2SavedModel`, `Hub` or
                `HuggingFace`.
            name: what the results are called; empty: the source's own name.
            reference: the TensorFlow that runs the source for the gate: "1.15", "2.20" or "both".
            replace: whether names in out/ may pass to this source from another.
            copy_to: folder (of `Tf2`: prefix) that the result is copied to as well.

        Raises:
            ParityError: a target does not answer like its source.
        """
        from bertbuild.commands.target import build
        from bertbuild.kinds import kind_of

        kind_of(request)
        with self._session(replace=replace, reference=reference) as session:
            return build(session, wanted(source, name), request, copy_to=str(copy_to))

    def convert_tf1(
        self,
        tf2: Path,
        *,
        root: str = "",
        config: Path = "",
        vocab: Path = "",
        gelu: str = "auto",
        name: str = "",
        reference: str = "",
        replace: bool = False,
        copy_to: Path = "",
    ) -> Built:
        """Convert a TensorFlow 2 BERT back to a Google-format checkpoint; arguments as the flags of `convert-tf1`."""
        from bertbuild.commands.target import build
        from bertbuild.kinds.tf1_checkpoint import Tf1Checkpoint
        from bertbuild.plans.wanted import Wanted

        with self._session(replace=replace, reference=reference) as session:
            named = Wanted(tf2=str(tf2), root=root, config=str(config), vocab=str(vocab), name=name)
            return build(session, named, Tf1Checkpoint(gelu=gelu), copy_to=str(copy_to))

    def build_file(
        self,
        *names: str,
        file: Path = "bertbuild.toml",
        keep_going: bool = False,
        verify_reproducible: bool = False,
        reference: str = "",
        replace: bool = False,
        shard: str = "",
    ) -> FileBuilt:
        """Build what a build file says: all, or what is named, as `bertbuild build` does; `shard` as "2/5".

        Raises:
            BuildFailedError: a target is not built; `failures` has each reason.
            NotReproducibleError: with `verify_reproducible` a stage wrote something else the second time.
        """
        from bertbuild.commands.build import build

        with self._session(build_file=file, replace=replace, reference=reference) as session:
            selected = _selected(file, names, shard)
            return build(session, selected, keep_going=keep_going, verify_reproducible=verify_reproducible)

    def dry_run(self, *names: str, file: Path = "bertbuild.toml", reference: str = "", shard: str = "") -> DryRun:
        """What `build_file` would run, and why; nothing is run."""
        from bertbuild.commands.dry_run import dry_run

        with self._session(build_file=file, reference=reference) as session:
            return dry_run(session, _selected(file, names, shard))


def _selected(file: Path, names: tuple[str, ...], shard: str) -> BuildFile:
    from pathlib import Path as FilePath

    from bertbuild.buildfile.load import load_build_file
    from bertbuild.buildfile.select import select
    from bertbuild.buildfile.shard import shard as of_shard

    check_names(names)
    return of_shard(select(load_build_file(FilePath(check_path("file", file))), names), shard)
