"""fetch and inspect: models of the catalogue, and what a checkpoint is."""

from __future__ import annotations

from pathlib import Path

from bertbuild.commands.session import Session, shown
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.plural import number_of
from bertbuild.source.fetched import fetch_model
from bertbuild.source.resolve import Wanted, checkpoint_folder, is_fetched


def fetch(session: Session, models: tuple[str, ...]) -> None:
    """Bring models of the catalogue to disk."""
    if not models:
        raise UsageError(
            "Name what to fetch: a model of the catalogue.",
            next_step="For instance --model minilm-l6; --list shows every name.",
        )
    if session.settings.offline:
        from bertbuild.commands.offline import require

        require(session, models=models)
    folders = {name: str(fetch_model(name, session.settings, session.store, session.report)) for name in models}
    session.result({"folders": folders}, *(f"{name}: {shown(Path(folder))}" for name, folder in folders.items()))


def list_models(session: Session) -> None:
    """Show the catalogue."""
    from bertbuild.catalogue.models import load_models

    models = load_models().values()
    session.report(
        {
            "event": "table",
            "title": "models that --model knows",
            "columns": ["name", "also", "what it is", "licence"],
            "rows": [[model.name, ", ".join(model.aliases), model.title, model.licence] for model in models],
        }
    )


def inspect(session: Session, wanted: Wanted) -> None:
    """Show what a checkpoint is, and every problem it has.

    Raises:
        CheckpointError: it has one.
    """
    from bertbuild.checkpoint.inspection import inspect_checkpoint
    from bertbuild.report.inspection import inspection_tables

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
    for table in inspection_tables(facts):
        session.report(table)
    if not inspection.sound:
        session.report({"event": "inspection", **facts})
        raise CheckpointError(
            f"The checkpoint {inspection.files.prefix} has {number_of(len(inspection.problems), 'problem')}.",
            next_step="Say which variables are meant, as the problem tells."
            if inspection.reading.problems
            else "Mend what the problem names, or get a sound copy; nothing can be built from this one.",
            details="\n".join(inspection.problems),
        )
    session.result({"inspection": facts}, "sound: nothing is wrong with it")
