"""Before a command begins without the network: all that it would fetch, so that all that is missing is told at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bertbuild.buildfile.entries import ModelEntry, Recipe
from bertbuild.catalogue.datasets import Dataset, find_dataset
from bertbuild.catalogue.fetch import require_at_hand
from bertbuild.catalogue.models import Model, find_model
from bertbuild.catalogue.sources import Sources
from bertbuild.commands.ahead import backends_of_import, backends_of_targets, is_imported
from bertbuild.commands.reference import presumed
from bertbuild.commands.session import Session
from bertbuild.errors import BertbuildError, Lacking, OfflineError
from bertbuild.huggingface.folder import is_huggingface
from bertbuild.kinds.ir import in_version
from bertbuild.kinds.ir_request import OPENVINOS
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import Plan, Step
from bertbuild.plans.wanted import Wanted
from bertbuild.source.fetched import fetch_dataset, fetch_model
from bertbuild.stages import STAGES


def require(
    session: Session, *, models: Iterable[str] = (), datasets: Iterable[str] = (), backends: Iterable[str] = ()
) -> None:
    """Have what a command needs, as far as that goes without the network.

    Args:
        session: of the command; one that only looks gets nothing, and is told all the same what is missing.
        models: of the catalogue; empty names are none.
        datasets: likewise.
        backends: whose environments the command's stages run in.

    Raises:
        OfflineError: something is missing; all of it is named.
    """
    lacking = [
        *(thing for name in filter(None, models) for thing in _lacking(_model, session, name)),
        *(thing for name in filter(None, datasets) for thing in _lacking(_dataset, session, name)),
        *_lacking(_environments, session, backends),
    ]
    if lacking:
        raise OfflineError(lacking)


def require_stages(
    session: Session,
    stages: Iterable[str],
    *,
    model: str = "",
    checkpoint: str = "",
    task: str = "",
    openvino: str = OPENVINOS[0],
) -> None:
    """The same for stages, the model or checkpoint that they begin with, and a task whose files are fetched.

    `openvino`: the version that OpenVINO's stages run in.
    """
    steps = tuple(Step(id=stage, stage=stage, inputs={}) for stage in dict.fromkeys(stages))
    there = presumed(session, in_version(Plan(model=model, steps=steps), openvino))
    backends = [*_imports(session, model, checkpoint), *(backend_of(step) for step in there.steps)]
    require(session, models=[model], datasets=[task], backends=backends)


def _imports(session: Session, model: str, checkpoint: str) -> list[str]:
    """The backend that imports a catalogue model, or a Hugging Face folder that no earlier run has imported."""
    if model:
        return backends_of_import(model)
    folder = Path(checkpoint)
    with contextlib.suppress(BertbuildError):  # what is wrong with the folder is said by who imports it
        if checkpoint and is_huggingface(folder) and not is_imported(session, folder):
            return [STAGES["import"].backend]
    return []


def require_for(session: Session, entries: Sequence[ModelEntry]) -> None:
    """The same for models and their targets."""
    sources = [entry.source for entry in entries if isinstance(entry.source, Wanted)]
    recipes = [entry.source for entry in entries if isinstance(entry.source, Recipe)]
    backends = [
        *(backend for source in sources for backend in _imports(session, source.model, source.checkpoint)),
        *(backend for entry in entries for backend in backends_of_targets(session, entry)),
        *(STAGES["prepare-data"].backend for recipe in recipes if not recipe.named.prepared),
        *(STAGES["finetune"].backend for _ in recipes),
    ]
    datasets = [recipe.named.task for recipe in recipes if not recipe.named.data]
    require(session, models=[source.model for source in sources], datasets=datasets, backends=backends)


def _lacking(look: Callable[..., None], *of: object) -> tuple[Lacking, ...]:
    try:
        look(*of)
    except OfflineError as error:
        return error.lacking
    return ()


def _model(session: Session, name: str) -> None:
    if session.only_looks:
        _look(session, find_model(name), "downloads")
    else:
        fetch_model(name, session.settings, session.store, session.report)


def _dataset(session: Session, name: str) -> None:
    if session.only_looks:
        _look(session, find_dataset(name), "datasets")
    else:
        fetch_dataset(name, session.settings, session.store, session.report)


def _look(session: Session, entry: Model | Dataset, folder: str) -> None:
    settings = session.settings
    sources = Sources(mirror=settings.mirror, local=settings.local, offline=settings.offline)
    require_at_hand(entry, downloads=session.store.root / folder, sources=sources, lock=settings.models_lock)


def _environments(session: Session, backends: Iterable[str]) -> None:
    wanted = dict.fromkeys(backends)
    if not session.only_looks:
        session.engine.require(wanted)
    elif lacking := session.engine.lacks(wanted):
        raise OfflineError(lacking)
