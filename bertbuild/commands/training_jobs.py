"""The jobs of models that are trained from others: of a build file, and of `finetune`, which is one such entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.buildfile.entries import ModelEntry, Recipe
from bertbuild.buildfile.requests import calibrated
from bertbuild.commands.entry_jobs import EntryJobs, ModelJob
from bertbuild.commands.session import Session
from bertbuild.engine.jobs import Jobs, StageJob
from bertbuild.engine.schedule import Job
from bertbuild.plans.finetuning import STEP
from bertbuild.plans.wanted import Wanted
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.on_disk import data_at_hand

if TYPE_CHECKING:
    from bertbuild.commands.recipe import Training


class TrainingJobs(EntryJobs):
    """The jobs of entries, some of which are trained from others.

    Attributes:
        alone: whether there is one training, and nothing beside it.
    """

    alone = False

    def __init__(
        self, session: Session, entries: Sequence[ModelEntry], *, keep_going: bool = False, jobs: Jobs | None = None
    ) -> None:
        super().__init__(session, entries, keep_going=keep_going, jobs=jobs)
        self._prepared: dict[str, StageJob | Path] = {}

    def prepared(self, model: str) -> Path:
        """The folder of what a model of a recipe was trained on, once it is trained."""
        place = self._prepared[model]
        return place if isinstance(place, Path) else place.made.path

    def of_targets(self, entry: ModelEntry, found: Inspected) -> list[Job]:
        """See `EntryJobs`."""
        prepared = partial(self.prepared, entry.name)
        targets = tuple(replace(one, request=calibrated(one.request, prepared)) for one in entry.targets)
        return super().of_targets(replace(entry, targets=targets), found)

    def of_trained(self, entry: ModelEntry, folder: Path) -> list[Job]:
        """See `EntryJobs`."""
        return [
            RecipeJob(self, other, other.source, entry, folder)
            for other in self.trained_from(entry)
            if isinstance(other.source, Recipe)
        ]

    def result_of(self, entry: ModelEntry) -> str:
        """The model whose result a training is."""
        return entry.name

    def planned(self, entry: ModelEntry, training: Training) -> None:
        """Told of a training before it runs; raises what stands against it."""

    def trained_on(self, entry: ModelEntry, place: StageJob | Path) -> None:
        """Told of what a model is trained on: the step that prepares it, or its folder."""
        self._prepared[entry.name] = place

    def trained(self, entry: ModelEntry, steps: Mapping[str, StageJob]) -> list[Job]:
        """What follows from a training, whose steps these are: the model, which is inspected like any other."""
        return [ModelJob(self, entry, steps[STEP])]


class RecipeJob(Job):
    """How a model is trained from another one's folder: the data found, the steps planned; they follow."""

    def __init__(
        self, entry_jobs: TrainingJobs, entry: ModelEntry, recipe: Recipe, base: ModelEntry, folder: Path
    ) -> None:
        super().__init__(f"{entry.name} recipe")
        self.promised = entry_jobs.promised(entry)
        self.entry = entry
        self._entry_jobs, self._recipe, self._base, self._folder = entry_jobs, recipe, base, folder
        self._training: Training | None = None

    def settle(self) -> bool:
        """See `schedule.Job`."""
        if not self._entry_jobs.alone:
            return False
        self.run()  # done by this thread, which Ctrl-C ends at once, also while data are fetched
        return True

    def run(self) -> None:
        """See `schedule.Job`."""
        from bertbuild.commands.recipe import check_named, plan_training, require_tensorflow_1

        session, recipe = self._entry_jobs.session, self._recipe
        model = self._entry_jobs.result_of(self.entry)
        check_named(recipe.named)
        require_tensorflow_1(session, model)
        found = self._entry_jobs.found[self._base.name]
        origin = self._base.source if isinstance(self._base.source, Wanted) else Wanted(checkpoint=str(self._folder))
        source = replace(found.source, model=model)
        self._training = plan_training(session, source, origin, self._folder, recipe.named, recipe.request)

    @property
    def task(self) -> str:
        """What it is trained on, as it was named."""
        return self._recipe.named.task

    def look(self) -> bool:
        """The same without fetching data, by who asks what would be done; gives whether none are to be fetched."""
        from bertbuild.commands import data

        session, named = self._entry_jobs.session, self._recipe.named
        if named.task and not named.data:
            with_negative = self._recipe.request.version_2_with_negative
            task = data.task_of(data.Asked(task=named.task, version_2_with_negative=with_negative))
            if not data_at_hand(task, session.settings, session.store):
                return False
        self.run()
        return True

    def follow(self) -> Iterable[Job]:
        """The training, and what follows from it."""
        assert self._training is not None  # noqa: S101 - it has run
        self._entry_jobs.planned(self.entry, self._training)
        new, steps = self._entry_jobs.jobs.of_steps(self._training.plan)
        data = self._training.data.source
        place = steps[data] if isinstance(data, str) else Path(self._recipe.named.prepared)
        self._entry_jobs.trained_on(self.entry, place)
        return [*new, *self._entry_jobs.trained(self.entry, steps)]
