"""Models and data sets of the catalogue, as folders of the store: fetched where they are not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.config import Settings
from bertbuild.engine.executor import Report
from bertbuild.store.store import Store

if TYPE_CHECKING:
    from bertbuild.catalogue.datasets import Dataset
    from bertbuild.catalogue.fetch import Fetched
    from bertbuild.catalogue.models import Model


def fetch_model(name: str, settings: Settings, store: Store, report: Report) -> Path:
    """The folder of a catalogue model, fetched if it is not there; every file is the one on record."""
    from bertbuild.catalogue.models import find_model

    fetched = _fetched(find_model(name), "downloads", settings, store, report)
    for entry in fetched.recorded:
        report({"event": "note", "text": f"hash of {entry} recorded in {settings.models_lock}; keep that file"})
    return fetched.folder


def fetch_dataset(name: str, settings: Settings, store: Store, report: Report) -> Path:
    """The folder of a data set, fetched if it is not there; every file is the one on record.

    Raises UnknownDatasetError, DownloadError, IntegrityError, ArchiveError, NoSpaceError and LockFileError.
    """
    from bertbuild.catalogue.datasets import find_dataset

    dataset = find_dataset(name)
    fetched = _fetched(dataset, "datasets", settings, store, report)
    if fetched.recorded:
        files = ", ".join(entry.removeprefix(f"{dataset.name}/") for entry in fetched.recorded)
        text = f"hashes of {dataset.name} ({files}) recorded in {settings.models_lock}; keep that file"
        report({"event": "note", "text": text})
    return fetched.folder


def _fetched(entry: Model | Dataset, folder: str, settings: Settings, store: Store, report: Report) -> Fetched:
    """An entry of the catalogue in a folder of the store."""
    from bertbuild.catalogue.fetch import fetch
    from bertbuild.catalogue.sources import Sources

    store.use(store.root / folder / entry.name)
    return fetch(
        entry,
        downloads=store.root / folder,
        sources=Sources(mirror=settings.mirror, local=settings.local, offline=settings.offline),
        lock=settings.models_lock,
        progress=lambda done, total: report({"event": "download", "name": entry.name, "done": done, "total": total}),
        note=lambda text: report({"event": "note", "text": text}),
    )
