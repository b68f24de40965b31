"""package: the target that is packed, found and held to what a package promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertbuild.checkpoint.user_files import read_object
from bertbuild.commands.forecast import looking
from bertbuild.commands.predict import facts_of, reading_of
from bertbuild.commands.predict_texts import Predict, texts_of
from bertbuild.commands.predicted import asked_of
from bertbuild.commands.session import Session
from bertbuild.engine.staleness import NOT_CHECKED, UP_TO_DATE
from bertbuild.errors import BertbuildError, NotVerifiedError, ParityError, UsageError
from bertbuild.files.disk import read_json
from bertbuild.kinds import KINDS
from bertbuild.names import did_you_mean
from bertbuild.packaging.card import Measured
from bertbuild.packaging.layouts import LAYOUTS, Layout
from bertbuild.packaging.packed import ONNX, OPENVINO, ROLES, SIGNATURE, Packed
from bertbuild.report.checks import in_short
from bertbuild.store.records import Record, read_records
from bertbuild.store.store import StoredObject

OF_EVALUATION = 8
"""Examples of a dev set that requests are made of."""
OF_FILE = {OPENVINO: "ir", ONNX: "onnx"}
"""File → the kind of target that has it, whichever stage made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A target that can be packed: its record, its result, and what of it goes into a package."""

    record: Record
    stored: StoredObject
    packed: Packed
    evaluations: tuple[Mapping[str, Any], ...]


def find_target(session: Session, name: str, layout: Layout) -> Found:
    """A built, proved and current target that the layout takes.

    Raises:
        UsageError: there is no such target, it is stale, or of a kind that the layout cannot take.
        ParityError: it does not answer like its source.
        NotVerifiedError: it was never compared with it.
        StoreError: it is damaged.
        DataError: it carries no tokenizer.
    """
    record = _record(session, name)
    stage, key = record.results[record.target.step]
    folder = session.store.objects / stage / key
    _check_verdict(record, name)
    if not folder.is_dir():
        raise UsageError(f"{name} is on record, and its files are gone.", next_step="Build it again.")
    stored = session.store.load(folder)
    _check_current(session, record, name)
    kind = _kind(stage, folder)
    if kind not in layout.takes:
        able = "; ".join(f"{one.name}: {', '.join(one.takes)}" for one in LAYOUTS.values())
        raise UsageError(
            f"{name} is of kind {kind}, and a package for {layout.name} takes {' or '.join(layout.takes)}.",
            next_step=f"Build that kind of target, or choose another --format. Layouts and their kinds: {able}.",
        )
    assert record.verdict is not None  # noqa: S101 - `_check_verdict`
    packed = Packed(
        model=record.model,
        target=record.target.name,
        kind=kind,
        folder=folder,
        text=facts_of(folder),
        signature=read_object(folder / SIGNATURE),
        verdict=record.verdict,
    )
    return Found(record=record, stored=stored, packed=packed, evaluations=tuple(_evaluations(session, stored)))


def _record(session: Session, name: str) -> Record:
    model, _, target = name.partition("/")
    found = next(iter(read_records(session.store, model, target)), None)
    if found is not None and (session.store.root / "targets" / model / f"{target}.json").is_file():
        return found
    known = [f"{record.model}/{record.target.name}" for record in read_records(session.store)]
    few = f"Targets: {', '.join(known[:8])}{', …' if len(known) > 8 else ''}." if known else ""
    raise UsageError(
        f"There is no built target {name!r}{did_you_mean(name, known)}",
        next_step=few or "Build one first: invoke build-ir --model minilm-l6",
    )


def _check_verdict(record: Record, name: str) -> None:
    if record.verdict is None:
        raise NotVerifiedError(
            f"{name} was never compared with its source, so nothing is known about its answers.",
            next_step="Build it where what it runs on is there, or pack another target.",
        )
    if not record.verdict.passed:
        raise ParityError(
            f"{name} does not answer like its source, so it is not packed: {record.verdict.worst.sentence}.",
            next_step=f"invoke verify {name} asks both again; invoke status shows the targets that passed.",
        )


def _check_current(session: Session, record: Record, name: str) -> None:
    """Refuse a target that a build would make again; what cannot be checked here is told."""
    try:
        with looking(session) as forecast:
            forecast.add_record(record)
            (target,) = forecast.targets
            checks = [check for check in forecast.checks(target.jobs) if check.state != UP_TO_DATE]
            because = target.because
    except BertbuildError as error:
        because, checks = str(error), []
    stale = [check for check in checks if check.state != NOT_CHECKED]
    if stale:
        raise UsageError(
            f"{name} is stale: {stale[0].name}: {in_short(stale[0])}.",
            next_step=f"Build it again; invoke why {name} says what changed.",
        )
    if because or checks:
        text = f"whether {name} is up to date cannot be told here: {because or 'its results cannot be checked'}"
        session.report({"event": "warning", "text": text})


def _kind(stage: str, folder: Path) -> str:
    """The kind of target that a stage made; IRs and ONNX models are made by several."""
    for file, kind in OF_FILE.items():
        if (folder / file).is_file():
            return kind
    kinds = [kind for kind in KINDS.values() if kind.stage == stage]
    if len(kinds) > 1:
        form = read_object(folder / SIGNATURE).get("kind", "")
        kinds = [kind for kind in kinds if kind.chosen.get("format") == form] or kinds
    return kinds[0].name if kinds else stage


def examples_of(session: Session, found: Found, asked: Predict | None) -> tuple[Mapping[str, Any], ...]:
    """Requests made of real texts: those of a file, else the first ones that `evaluate` asked.

    Raises:
        UsageError: there are none.
        DataError: the file cannot be read.
    """
    if asked is not None:
        return tuple(_of_file(found.packed, asked))
    for evaluation in found.evaluations:
        for path in session.store.objects.glob(f"*examples/{evaluation['data']}/features.npz"):
            return tuple(_of_features(path))
    raise UsageError(
        "A server is warmed up with requests made of real texts, and the target was never evaluated on any.",
        next_step="Give texts: --examples FILE (.txt, .tsv, .csv or .jsonl); or run evaluate on the target first.",
    )


def _of_file(packed: Packed, asked: Predict) -> Iterator[Mapping[str, Any]]:
    texts = texts_of(asked)
    reading = reading_of(packed.folder, packed.text, packed.text["head"], asked)
    questions = asked_of(packed.text["head"], texts, reading)
    arrays = questions.arrays()
    for row, ids in enumerate(questions.ids):
        yield {role: arrays[role][row : row + 1, : len(ids)] for role in ROLES}


def _of_features(path: Path) -> Iterator[Mapping[str, Any]]:
    with np.load(path) as file:
        arrays = {role: file[role][:OF_EVALUATION] for role in ROLES}
    for row, mask in enumerate(arrays["input_mask"]):
        length = int(mask.sum())
        yield {role: values[row : row + 1, :length] for role, values in arrays.items()}


def _evaluations(session: Session, stored: StoredObject) -> Iterator[Mapping[str, Any]]:
    """What `evaluate` wrote of runs that had a target of the same content among others."""
    for path in sorted((session.store.root / "evaluations").glob("*/*/evaluation.json")):
        told = read_json(path)
        if any(_is_same(session, row["keys"]["result"], stored) for row in told["targets"]):
            yield told


def _is_same(session: Session, key: str | None, stored: StoredObject) -> bool:
    """Whether a result of the target's stage has the target's content: text that it carries changes its key alone."""
    if not key:
        return False
    path = session.store.objects / stored.stage / key
    return path.is_dir() and session.store.peek(path).digest == stored.digest


def measured_of(session: Session, found: Found) -> Iterator[Measured]:
    """The same as the model card tells it."""
    for told in found.evaluations:
        rows = told["targets"]
        own = next(row["target"] for row in rows if _is_same(session, row["keys"]["result"], found.stored))
        yield Measured(
            task=told["task"],
            examples=told["examples"],
            metric=told["metric"],
            reference=told["reference"],
            rows={row["target"]: row["metrics"] for row in rows if row["metrics"]},
            own=own,
        )
