"""How the files of a data set come to disk."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bertbuild.addresses import bare
from bertbuild.catalogue.archive import unpack_archive
from bertbuild.catalogue.dataset_checks import check_files
from bertbuild.catalogue.dataset_places import FilesOnDisk, PartsOnDisk, ZipOnDisk, on_disk
from bertbuild.catalogue.datasets import Dataset, Part
from bertbuild.catalogue.delivery import Carrier, copy
from bertbuild.catalogue.mrpc import DEV_IDS, TEST, TRAIN, build_mrpc
from bertbuild.errors import ArchiveError, DownloadError, IntegrityError, OfflineError
from bertbuild.files.digests import sha256_file


@dataclass(slots=True, kw_only=True)
class DatasetDelivery:
    """A data set: its parts downloaded, or what the user has of it."""

    dataset: Dataset
    carrier: Carrier
    zips: Path
    """The folder for the data set's downloads."""
    arrived: list[Path] = field(default_factory=list)
    _place: FilesOnDisk | PartsOnDisk | ZipOnDisk = field(init=False)

    def bring(self, work: Path) -> None:  # noqa: ARG002 - downloads stay where a next run finds them
        """Say what the licence is; have the files, or what they are made of, on disk."""
        self.carrier.tell(f"{self.dataset.name}, licence: {self.dataset.licence}")
        local = self.carrier.sources.local
        if local is None:
            self._place = PartsOnDisk(
                folder=self.zips, parts={part.file: self._get(part) for part in self.dataset.parts}
            )
            return
        self._place = on_disk(self.dataset, local)
        self.carrier.tell(f"{self.dataset.name} is taken from {self._place.folder}.")

    def require_at_hand(self) -> None:
        """See `Delivery`."""
        sources = self.carrier.sources
        near = sources.local is not None or (sources.mirror or "").startswith("file:")
        if not near and not all((self.zips / part.file).exists() for part in self.dataset.parts):
            self.carrier.use_network()

    def unpack(self, work: Path, fresh: Path) -> None:
        """Put the files into `fresh`, and check that they are what this data set holds."""
        if isinstance(self._place, FilesOnDisk):
            copy(self._place.files, fresh)
        elif isinstance(self._place, ZipOnDisk):
            self._unpack_zip(self._place.path, work, fresh)
        else:
            self._unpack_parts(self._place.parts, work, fresh)
        self._tell_what_is_missing(fresh)
        check_files(fresh, self.dataset)

    def _get(self, part: Part) -> Path:
        """The part, downloaded: from its address, or, if that does not give the bytes on record, from the next one."""
        mirror = self.carrier.sources.mirror
        if mirror is not None and mirror.startswith("file:"):
            return _in_mirror(mirror, part)
        urls = part.urls if mirror is None else (f"{mirror.rstrip('/')}/{part.file}",)
        *others, last = urls
        failures: list[str] = []
        for url in others:
            path = self._try(url, part, failures)
            if path is not None:
                return path
        try:
            return self._get_from(last, part)
        except (DownloadError, IntegrityError) as error:
            error.details = "\n".join((*failures, error.details)).rstrip()
            raise

    def _try(self, url: str, part: Part, failures: list[str]) -> Path | None:
        try:
            return self._get_from(url, part)
        except OfflineError:
            raise
        except (DownloadError, IntegrityError) as error:
            failures.append(str(error))
            self.carrier.tell(f"{error} Trying the next address.")
            return None

    def _get_from(self, url: str, part: Part) -> Path:
        path = self.carrier.download(url, self.zips / part.file, part.bytes)
        if part.sha256 is not None and (got := sha256_file(path)) != part.sha256:
            bad = path.replace(path.with_name(f"{path.name}.bad"))
            raise IntegrityError(
                f"{bare(url)} is not the file on record: expected sha256 {part.sha256}, got {got}.",
                next_step="The file was replaced, or a proxy altered it. Try --mirror or --from.",
                details=f"On record from: {part.source}\nThe file is kept for inspection: {bad}",
            )
        self.arrived.append(path)
        return path

    def _unpack_parts(self, parts: Mapping[str, Path], work: Path, fresh: Path) -> None:
        if self.dataset.recipe == "mrpc":
            build_mrpc(parts[TRAIN], parts[TEST], parts[DEV_IDS], fresh)
            return
        copy({part.gives: parts[part.file] for part in self.dataset.parts if part.gives}, fresh)
        for part in self.dataset.parts:
            if part.is_zip:
                self._unpack_zip(parts[part.file], work, fresh)

    def _unpack_zip(self, archive: Path, work: Path, fresh: Path) -> None:
        wanted = [file.name for file in self.dataset.files]

        def accept(names: Sequence[str]) -> None:
            if not set(wanted).intersection(names):
                shown = ", ".join(sorted(names)[:8]) or "nothing"
                raise ArchiveError(
                    f"{archive.name} is not the zip of {self.dataset.name}: it holds {shown}.",
                    next_step="Check which zip this is; fetch it without --from, or from another mirror.",
                )

        unpacked = work / archive.name
        for name in unpack_archive(archive, unpacked, only=wanted, accept=accept):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (unpacked / name).rename(fresh / name)

    def _tell_what_is_missing(self, fresh: Path) -> None:
        """Only what was on disk can lack files of data: somebody may want no more than to evaluate."""
        data = [file.name for file in self.dataset.files if file.name.endswith((".tsv", ".json"))]
        missing = [name for name in data if not (fresh / name).is_file()]
        if missing:
            self.carrier.tell(
                f"{self.dataset.name} goes without {', '.join(missing)}: {self._place.folder} has no such file. "
                f"To have it later, remove the folder of {self.dataset.name} and fetch again."
            )


def _in_mirror(mirror: str, part: Part) -> Path:
    path = Path(urllib.parse.unquote(urllib.parse.urlsplit(mirror).path)) / part.file
    if not path.is_file():
        raise DownloadError(f"The mirror has no {path}.", next_step="Check its layout, or use --from.")
    return path
