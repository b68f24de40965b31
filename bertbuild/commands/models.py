"""fetch and inspect: models of the catalogue, and what a checkpoint is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import number_of
from bertbuild.source.fetched import fetch_model
from bertbuild.source.resolve import checkpoint_folder, is_fetched

if TYPE_CHECKING:
    from bertbuild.catalogue.models import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched(Result):
    """The folders of models, by the names that were given."""

    folders: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection(Result):
    """What a sound checkpoint is, as `bertbuild inspect --json` tells it."""

    inspection: Mapping[str, Any]


def fetch(session: Session, models: tuple[str, ...]) -> Fetched:
    """Bring models of the catalogue to disk."""
    if not models:
        raise UsageError(
            "Name what to fetch: a model of the catalogue.",
            next_step="For instance --model minilm-l6; --list shows every name.",
        )
    if session.settings.offline:
        from bertbuild.commands.offline import require

        require(session, models=models)
    folders = {name: fetch_model(name, session.settings, session.store, session.report) for name in models}
    return session.result(Fetched(folders=folders), *(f"{name}: {shown(folder)}" for name, folder in folders.items()))


def list_models(session: Session) -> tuple[Model, ...]:
    """Show the catalogue."""
    from bertbuild.catalogue.models import load_models

    models = tuple(load_models().values())
    session.report(
        {
            "event": "table",
            "title": "models that --model knows",
            "columns": ["name", "also", "what it is", "licence"],
            "rows": [[model.name, ", ".join(model.aliases), model.title, model.licence] for model in models],
        }
    )
    return models


def inspect(session: Session, wanted: Wanted, *, every: bool = False) -> Inspection:
    """Show what a checkpoint is, and every problem it has; `every`: each tensor too, and not only their groups.

    Raises:
        CheckpointError: it has one.
    """
    from bertbuild.checkpoint.inspection import inspect_checkpoint
    from bertbuild.report.inspection import inspection_tables, verdict

    if bool(wanted.model) == bool(wanted.checkpoint):
        raise UsageError(
            "Name what to inspect: a checkpoint or a model of the catalogue.",
            next_step="For instance: invoke inspect --checkpoint FOLDER, or invoke inspect --model minilm-l6.",
        )
    if wanted.model and not is_fetched(wanted.model, session.store):
        from bertbuild.commands.ahead import backends_of_import

        if backends_of_import(wanted.model):
            session.isolation.require()
    folder, _ = checkpoint_folder(wanted, session.settings, session.store, session.engine, session.report)
    inspection = inspect_checkpoint(folder, choice=wanted.choice)
    facts = inspection.to_json()
    for table in inspection_tables(facts, every=every):
        session.report(table)
    if not inspection.sound:
        session.report({"event": "inspection", **facts})
        raise CheckpointError(
            f"The checkpoint {inspection.files.prefix} has {number_of(len(inspection.problems), 'problem')}.",
            next_step="Say which variables are meant, as the problem tells."
            if inspection.reading.problems
            else "Fix what the problem names, or get a sound copy; nothing can be built from this one.",
            details="\n".join(inspection.problems),
        )
    end = verdict(facts) if inspection.warnings else "sound: nothing is wrong with it"
    return session.result(Inspection(inspection=facts), end)
