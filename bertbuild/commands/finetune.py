"""finetune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertbuild.buildfile.entries import ModelEntry, Recipe
from bertbuild.commands.copying import check_destination, copied
from bertbuild.commands.data import claim
from bertbuild.commands.entry_jobs import entry_of, require_places
from bertbuild.commands.learnt import Learnt, what_was_learnt
from bertbuild.commands.memory import of_memory
from bertbuild.commands.recipe import Data, Training, check_named, require_tensorflow_1
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.commands.training_jobs import TrainingJobs
from bertbuild.engine.jobs import StageJob
from bertbuild.engine.schedule import Job
from bertbuild.errors import CheckpointError, StageError, StageKilledForMemoryError
from bertbuild.json_text import parse_json
from bertbuild.names import clean_name
from bertbuild.plans.finetuning import STEP, FinetuneRequest, Named
from bertbuild.plans.plan import Plan, Source
from bertbuild.plans.prepare_data import OWN
from bertbuild.plans.wanted import Wanted
from bertbuild.stages import FACTS as RUN

WRITTEN = ("training.svg", "test_results.tsv", "test_results.conll", "predictions.json")
"""Of a result, the files that people look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetuned(Result):
    """A trained checkpoint.

    Attributes:
        model: what it was trained from.
        path: its folder: in out/, or the copy that was asked for.
        key: of the result.
        eval: figures on the dev set, None where that was not evaluated.
        learnt: what was learnt, against the majority class and its like; None where that is not known.
    """

    model: str
    path: Path
    key: str
    eval: Mapping[str, Any] | None
    learnt: Learnt | None


def finetune(
    session: Session, wanted: Wanted, named: Named, request: FinetuneRequest, output_dir: str = ""
) -> Finetuned:
    """Train the model on a task, and name the checkpoint in out/; a run that was ended is resumed.

    Raises:
        UsageError: what to train on is named twice, or not at all; or `output_dir` holds another model.
        InterpreterMissingError: TensorFlow 1.15 cannot be had here.
        StageError: the stage refused its input, or failed.
        StageKilledForMemoryError: memory ran out.
    """
    check_destination("output-dir", output_dir)
    check_named(named)
    base = entry_of(session, _as_upstream(session, wanted, request, output_dir))
    recipe = Recipe(base=base.name, named=named, request=request)
    entries = (base, ModelEntry(name=f"{base.name} trained", source=recipe, targets=()))
    require_places(session, entries)
    require_tensorflow_1(session, base.name)
    jobs = FinetuneJobs(session, entries)
    try:
        session.engine.run_jobs(jobs.roots(), base.name)
    except StageError as error:
        told = _of_memory(error, jobs.training, request)
        if told is None:
            raise
        raise told from error
    return _finish(session, jobs, named, output_dir)


class FinetuneJobs(TrainingJobs):
    """The jobs of one model and its training, whose result is named as the model's.

    Attributes:
        training: once it is planned.
        steps: its jobs, by the ids of its steps.
    """

    alone = True

    def __init__(self, session: Session, entries: Sequence[ModelEntry]) -> None:
        super().__init__(session, entries)
        self.training: Training | None = None
        self.steps: Mapping[str, StageJob] = {}

    def result_of(self, _entry: ModelEntry) -> str:
        """See `TrainingJobs`."""
        return self.entries[0].name

    def planned(self, entry: ModelEntry, training: Training) -> None:
        """Claim the names of what is trained and of what is prepared.

        Raises:
            CheckpointError: it is to be evaluated without a training, and has no head for that.
            UsageError: a name in out/ was made from another source.
        """
        base = self.found[self.entries[0].name]
        plan, data = training.plan, training.data
        if isinstance(entry.source, Recipe) and not entry.source.request.do_train:
            _require_head(base.source, data)
        self.session.claim(plan.model, _target(data), base.named, base.source.file.digest)
        if data.asked is not None:
            claim(self.session, data.asked, Plan(model=plan.model, steps=data.before), data.target)
        self.training = training

    def trained(self, _entry: ModelEntry, steps: Mapping[str, StageJob]) -> list[Job]:
        """Nothing follows: what was trained is named."""
        self.steps = steps
        return []


def _target(data: Data) -> str:
    return f"finetuned-{clean_name(data.task.lower())}"


def _of_memory(
    error: StageError, training: Training | None, request: FinetuneRequest
) -> StageKilledForMemoryError | None:
    if training is None:
        return None
    flag, tried = ("train", request.train_batch_size) if request.do_train else ("eval", request.eval_batch_size)
    return of_memory(
        error,
        f"Tried was a batch of {tried} sequences of {training.data.length} tokens.",
        next_step=f"Try half: --{flag}-batch-size {max(1, tried // 2)}; or shorter sequences, or more memory.",
    )


def _finish(session: Session, jobs: FinetuneJobs, named: Named, output_dir: str) -> Finetuned:
    """Name what was made, and tell of it."""
    assert jobs.training is not None  # noqa: S101 - it has run
    model, data, made = jobs.training.plan.model, jobs.training.data, jobs.steps[STEP].made
    prepared = [session.store.link(model, data.target, jobs.steps[step.id].made) for step in data.before]
    link = session.store.link(model, _target(data), made)
    ran = parse_json((link / RUN).read_text(encoding="utf-8"))["facts"]
    place = copied(link, Path(output_dir)) if output_dir else link
    asked = data.questions.path if data.questions is not None else None
    learnt = what_was_learnt(link, ran, asked)
    if learnt:
        learnt.tell(data.task, session.report)
    return session.result(
        Finetuned(model=model, path=place, key=made.key, eval=ran.get("eval"), learnt=learnt),
        *_lines(place, f"{model}-{clean_name(data.task.lower())}", ran, learnt, _to_evaluate(named, data, prepared)),
    )


def _as_upstream(session: Session, wanted: Wanted, request: FinetuneRequest, output_dir: str) -> Wanted:
    """What to evaluate and predict with: as upstream, a checkpoint in --output_dir before any other."""
    if request.do_train or not output_dir or not any(Path(output_dir).glob("*.index")):
        return wanted
    text = f"the checkpoint in --output-dir {output_dir} is taken, as run_classifier and run_squad do"
    session.report({"event": "note", "text": text})
    return replace(wanted, model="", checkpoint=output_dir)


def _require_head(source: Source, data: Data) -> None:
    if source.head is None and data.questions is None:
        raise CheckpointError(
            f"{source.model} has no head to evaluate or predict {data.task} with.",
            next_step="Train it first (--do-train); invoke freeze makes the graph that OpenVINO's page has this write.",
        )
    kinds = [head.kind for head in source.heads]
    if data.head and kinds and data.head not in kinds and not any(head.assumed for head in source.heads):
        raise CheckpointError(
            f"{source.model} has a head of the kind {' and '.join(kinds)}, and {data.task} needs {data.head}.",
            next_step="Train it first (--do-train), or give data of its own kind.",
        )


def _to_evaluate(named: Named, data: Data, prepared: Sequence[Path]) -> str:
    """The flags that name to evaluate what was trained on, and was prepared first; task.json tells the rest."""
    if data.questions is not None:
        return f" --squad-data-file {shown(data.questions.path)}"
    if named.prepared:
        return f" --prepared {named.prepared}"
    if named.task.upper() == OWN:
        return f" --prepared {shown(prepared[0])}"
    return f" --data {named.data}" if named.data else ""


def _lines(link: Path, name: str, ran: dict[str, Any], learnt: Learnt | None, data: str) -> list[str]:
    lines = [f"{name} = {value:.4f}" for name, value in (ran.get("eval") or {}).items() if name != "global_step"]
    if learnt:
        lines.append(learnt.line)
    lines += [f"{shown(link / name)}" for name in WRITTEN if (link / name).exists()]
    lines.append(shown(link))
    lines.append(f"next: invoke evaluate --checkpoint {shown(link)} --name {name}{data}")
    lines.append(f"next: invoke build-ir --checkpoint {shown(link)} --name {name}   (or export, neuron-compile)")
    return lines
