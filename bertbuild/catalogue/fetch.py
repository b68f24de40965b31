"""A model or data set brought to disk, checked file by file, and put in its place in one step."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bertbuild.catalogue import disk
from bertbuild.catalogue.contents import FileRecord, Look, hash_files, judge, look, remember
from bertbuild.catalogue.dataset_delivery import DatasetDelivery
from bertbuild.catalogue.datasets import Dataset
from bertbuild.catalogue.delivery import Carrier, Delivery, ModelDelivery
from bertbuild.catalogue.download import Note, Patience, Progress
from bertbuild.catalogue.models import Model
from bertbuild.catalogue.sources import Sources
from bertbuild.errors import ArchiveError, DownloadError, IntegrityError
from bertbuild.files.locking import exclusive

_PATIENT = Patience()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A model or data set on disk: every file is the one on record."""

    name: str
    kind: str
    folder: Path
    files: tuple[FileRecord, ...]
    recorded: tuple[str, ...] = ()
    """Entries (`NAME/FILE`) that this call added to the lock file, because no hash of theirs was known."""
    repaired: tuple[str, ...] = ()
    """What was wrong with the folder found, if it had to be fetched again."""


def fetch(
    entry: Model | Dataset,
    *,
    downloads: Path,
    sources: Sources,
    lock: Path,
    progress: Progress | None = None,
    note: Note | None = None,
    patience: Patience = _PATIENT,
) -> Fetched:
    """Have `entry` in `downloads`/NAME, from wherever `sources` says; without network if it is there intact.

    `lock` is models.lock.json. `progress` gets bytes done and in all (None: unknown), `note` sentences for people.
    Unfinished downloads stay in `downloads`/.zips and are resumed by the next call; a zip is removed once unpacked.

    Raises DownloadError, IntegrityError, ArchiveError, NoSpaceError and LockFileError. Until everything was checked,
    a folder already there stays as it is.
    """
    tell = note or _nobody
    carrier = _carrier(entry, sources, progress=progress, tell=tell, patience=patience)
    job = _Job(entry, downloads, lock, _delivery(entry, carrier, downloads / ".zips"))
    try:
        # Looked at once without the lock, so that a read-only `downloads` that is complete works.
        found = look(job.folder, entry, lock)
        if found.files:
            return job.finished(found)
        waiting = f"Another process is fetching {entry.name}; waiting for it."
        with exclusive(downloads / ".locks" / f"{entry.name}.lock", on_wait=lambda: tell(waiting)):
            found = look(job.folder, entry, lock)
            if found.files:
                return job.finished(found)
            for damage in found.damage:
                tell(f"{entry.name} is damaged: {damage}. Fetching it again.")
            return job.bring(found)
    except OSError as error:
        raise disk.no_space(error, what=str(downloads)) or DownloadError(
            f"{entry.name} cannot be put into {downloads}.",
            next_step="Check the permissions of the folder, and that it is on a local disk.",
            details=str(error),
        ) from error


def require_at_hand(entry: Model | Dataset, *, downloads: Path, sources: Sources, lock: Path) -> None:
    """Do nothing where `fetch` needs no network, or may use it; nothing is fetched, and nothing unpacked.

    Raises OfflineError, and DownloadError where `sources` names a folder or mirror without it.
    """
    if not look(downloads / entry.name, entry, lock).files:
        carrier = _carrier(entry, sources, progress=None, tell=_nobody, patience=_PATIENT)
        _delivery(entry, carrier, downloads / ".zips").require_at_hand()


def _carrier(
    entry: Model | Dataset, sources: Sources, *, progress: Progress | None, tell: Note, patience: Patience
) -> Carrier:
    is_data = isinstance(entry, Dataset)
    return Carrier(
        what=f"{'data set' if is_data else 'model'} {entry.name}",
        command=f"invoke fetch-data --task {entry.name}" if is_data else f"invoke fetch --model {entry.name}",
        sources=sources,
        progress=progress,
        tell=tell,
        patience=patience,
    )


def _delivery(entry: Model | Dataset, carrier: Carrier, zips: Path) -> Delivery:
    if isinstance(entry, Dataset):
        return DatasetDelivery(dataset=entry, carrier=carrier, zips=zips / entry.name)
    return ModelDelivery(model=entry, carrier=carrier, zips=zips)


@dataclass(frozen=True, slots=True)
class _Job:
    entry: Model | Dataset
    downloads: Path
    lock: Path
    delivery: Delivery

    @property
    def folder(self) -> Path:
        return self.downloads / self.entry.name

    def finished(self, found: Look) -> Fetched:
        """The folder is intact already; only a lock file that does not know it yet is brought up to date."""
        recorded = judge(self.folder, self.entry, found.files, self.lock)
        return self._result(found.files, recorded=recorded)

    def bring(self, found: Look) -> Fetched:
        work = self.downloads / ".work" / self.entry.name
        shutil.rmtree(work, ignore_errors=True)  # left behind by a crash: the lock says that nobody is at it
        work.mkdir(parents=True)
        fresh = work / "fresh"
        try:
            self.delivery.bring(work)
            files, recorded = self._unpack_and_judge(work, fresh)
            remember(fresh, self.entry, files)
            if self.folder.exists():
                self.folder.rename(work / "old")
            fresh.rename(self.folder)
            for path in self.delivery.arrived:
                path.unlink(missing_ok=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return self._result(files, recorded=recorded, repaired=found.damage)

    def _unpack_and_judge(self, work: Path, fresh: Path) -> tuple[tuple[FileRecord, ...], tuple[str, ...]]:
        try:
            self.delivery.unpack(work, fresh)
            files = hash_files(fresh, self.entry)
            recorded = judge(fresh, self.entry, files, self.lock)
        except (ArchiveError, IntegrityError) as error:
            # Set aside, so that the next call does not meet the same bytes again.
            for archive in self.delivery.arrived:
                bad = archive.replace(archive.with_name(f"{archive.name}.bad"))
                error.details = f"{error.details}\nThe archive is kept for inspection: {bad}".lstrip()
            raise
        for file in files:
            (fresh / file.name).chmod(0o444)
        return files, recorded

    def _result(
        self, files: tuple[FileRecord, ...], *, recorded: tuple[str, ...], repaired: tuple[str, ...] = ()
    ) -> Fetched:
        return Fetched(
            name=self.entry.name,
            kind=self.entry.kind,
            folder=self.folder,
            files=files,
            recorded=recorded,
            repaired=repaired,
        )


def _nobody(_sentence: str) -> None:
    """Tell nobody."""
