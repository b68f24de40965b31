"""fetch-data."""

from __future__ import annotations

from pathlib import Path

from bertbuild.catalogue.datasets import fetch_dataset, load_datasets, select
from bertbuild.errors import UsageError
from bertbuild.session import Session, shown


def fetch_data(session: Session, names: tuple[str, ...]) -> None:
    """Bring data sets of the catalogue to disk."""
    if not names:
        raise UsageError(
            "Name what to fetch: a data set, a group of them, or all.",
            next_step="For instance --task MRPC or --task GLUE; --list shows every name.",
        )
    chosen = select(names)
    folders = {
        dataset.name: str(fetch_dataset(dataset.name, session.settings, session.store, session.report))
        for dataset in chosen
    }
    session.result({"folders": folders}, *(f"{name}: {shown(Path(folder))}" for name, folder in folders.items()))


def list_datasets(session: Session) -> None:
    """Show the catalogue."""
    datasets = load_datasets().values()
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
