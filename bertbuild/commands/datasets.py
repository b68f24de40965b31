"""fetch-data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bertbuild.catalogue.datasets import Dataset, load_datasets, select
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import DownloadError, UsageError
from bertbuild.plural import number_of
from bertbuild.source.fetched import fetch_dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedData(Result):
    """The folders of data sets, by their names."""

    folders: Mapping[str, Path]


def fetch_data(session: Session, names: tuple[str, ...]) -> FetchedData:
    """Bring data sets of the catalogue to disk; those that cannot be had do not keep the others from coming.

    Raises:
        DownloadError: some could not be had.
    """
    if not names:
        raise UsageError(
            "Name what to fetch: a data set, a group of them, or all.",
            next_step="For instance --task MRPC or --task GLUE; --list shows every name.",
        )
    chosen = select(names)
    if session.settings.offline:
        from bertbuild.commands.offline import require

        require(session, datasets=[dataset.name for dataset in chosen])
    got = {dataset.name: _fetch(session, dataset.name) for dataset in chosen}
    folders = {name: folder for name, folder in got.items() if isinstance(folder, Path)}
    lines = [f"{name}: {shown(folder)}" for name, folder in folders.items()]
    failures = {name: error for name, error in got.items() if isinstance(error, DownloadError)}
    if failures:
        for line in lines:
            session.report({"event": "note", "text": line})
        raise _failed(failures, len(chosen))
    return session.result(FetchedData(folders=folders), *lines)


def _fetch(session: Session, name: str) -> Path | DownloadError:
    try:
        return fetch_dataset(name, session.settings, session.store, session.report)
    except DownloadError as error:
        return error


def _failed(failures: dict[str, DownloadError], asked: int) -> DownloadError:
    *_, last = failures.values()
    if asked == 1:
        return last
    return DownloadError(
        f"{len(failures)} of {number_of(asked, 'data set')} could not be had: {', '.join(failures)}.",
        next_step="What came is kept. For the rest, run the same command again, or use --mirror or --from.",
        details="\n".join(str(error) for error in failures.values()),
    )


def list_datasets(session: Session) -> tuple[Dataset, ...]:
    """Show the catalogue."""
    datasets = tuple(load_datasets().values())
    session.report(
        {
            "event": "table",
            "title": "data sets that --task knows",
            "columns": ["name", "also", "group", "what it is", "licence"],
            "rows": [
                [dataset.name, ", ".join(dataset.aliases), dataset.group, dataset.title, dataset.licence]
                for dataset in datasets
            ],
        }
    )
    return datasets
