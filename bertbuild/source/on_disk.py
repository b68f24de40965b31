"""What is on disk already: a look at models and data sets that fetches, unpacks and imports nothing."""

from __future__ import annotations

from pathlib import Path

from bertbuild.config import Settings
from bertbuild.plans.wanted import Wanted
from bertbuild.source.resolve import is_archive, located, unpacked_place
from bertbuild.store.store import Store


def model_at_hand(wanted: Wanted, settings: Settings, store: Store) -> Path | None:
    """Where a source is as `resolve.located` finds it, or None where it would be fetched or unpacked first."""
    if not (wanted.model or wanted.checkpoint):
        return located(wanted, settings, store, lambda _event: None)
    if wanted.checkpoint:
        path = Path(wanted.checkpoint)
        folder = unpacked_place(path, store) if is_archive(path) else path
        return None if is_archive(path) and not folder.exists() else folder
    from bertbuild.catalogue.contents import look
    from bertbuild.catalogue.models import find_model

    model = find_model(wanted.model)
    folder = store.root / "downloads" / model.name
    return folder if look(folder, model, settings.models_lock).files else None


def data_at_hand(name: str, settings: Settings, store: Store) -> bool:
    """Whether a data set of the catalogue need not be fetched."""
    from bertbuild.catalogue.contents import look
    from bertbuild.catalogue.datasets import find_dataset

    dataset = find_dataset(name)
    return bool(look(store.root / "datasets" / dataset.name, dataset, settings.models_lock).files)
