"""log: what the stages of a target said."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import UsageError
from bertbuild.names import is_meant
from bertbuild.plural import number_of
from bertbuild.stages import STAGES
from bertbuild.store.logs import StageLog, last_log, logs_of, results_by_target
from bertbuild.store.store import Store, translated_os_errors

Results = Mapping[str, list[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a stage said when it made a result; no path and no lines where the log is not here."""

    stage: str
    key: str
    path: Path | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs(Result):
    """The logs of stages, in the order in which they ran."""

    logs: tuple[Log, ...]


def log(session: Session, names: Sequence[str], stage: str) -> Logs:
    """Show the logs of targets' stages, or of one; of a stage that is named in a target's place, the last.

    Args:
        session: of the command.
        names: models, targets, MODEL/TARGET, patterns of these, or stages; at least one.
        stage: the only stage whose logs are shown; empty for all.

    Raises:
        UsageError: none is named, a name is nothing's, or no target has such a stage.
    """
    if not names:
        raise UsageError(
            "No target is named.",
            next_step="Name one, for instance: invoke log minilm-l6/ir-fp32; invoke status shows all.",
        )
    store = Store(session.settings.artifacts, tidy=False)
    with translated_os_errors(store.root):
        found = _found(store, names, stage)
        texts = [_lines(item.path) for item in found]
    logs = tuple(
        Log(stage=item.stage, key=item.key, path=item.path, lines=tuple(lines))
        for item, lines in zip(found, texts, strict=True)
    )
    lines = [line for item, text in zip(found, texts, strict=True) for line in (*_header(item, len(text)), *text)]
    return session.result(Logs(logs=logs), *lines)


def _found(store: Store, names: Sequence[str], stage: str) -> list[StageLog]:
    stages = [name for name in names if name in STAGES and not stage]
    targets = [name for name in names if name not in stages]
    last = [_last(store, name) for name in stages]
    return [*last, *_of_targets(store, targets, stage)] if targets else last


def _last(store: Store, stage: str) -> StageLog:
    newest = last_log(store, stage)
    if newest is None:
        raise UsageError(f"The stage {stage} has no log here.", next_step="It was never run, or gc removed its logs.")
    return newest


def _of_targets(store: Store, names: Sequence[str], stage: str) -> list[StageLog]:
    known = results_by_target(store)
    targets = list(dict.fromkeys(target for name in names for target in _targets(known, name)))
    made = dict.fromkeys(result for target in targets for result in known[target])
    results = [(of_stage, key) for of_stage, key in made if stage in ("", of_stage)]
    if not results:
        stages = sorted({of_stage for of_stage, _ in made})
        told = f"{', '.join(targets)} {'has' if len(targets) == 1 else 'have'} no"
        raise UsageError(
            f"{told} stage {stage}." if stages else f"No stage of {', '.join(targets)} is on record.",
            next_step=f"There are {', '.join(stages)}.{_near(stage, stages)}" if stages else "Build it first.",
        )
    return logs_of(store, results)


def _targets(known: Results, wanted: str) -> list[str]:
    """The targets that a name means."""
    if not known:
        raise UsageError(
            f"There is no target {wanted}: nothing is built yet.",
            next_step="For instance: invoke build-ir --model minilm-l6",
        )
    meant = [name for name in known if is_meant(name.partition("/")[0], name.partition("/")[2], wanted)]
    if meant:
        return meant
    near = _near(wanted, [*known, *{name.partition("/")[0] for name in known}, *STAGES])
    raise UsageError(
        f"There is no target {wanted}.",
        next_step=near.strip() or f"Name one as MODEL/TARGET: {', '.join(sorted(known)[:8])}; invoke status shows all.",
    )


def _near(wanted: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(wanted, sorted(names), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _lines(path: Path | None) -> list[str]:
    return [] if path is None else path.read_text(encoding="utf-8", errors="replace").splitlines()


def _header(item: StageLog, count: int) -> list[str]:
    if item.path is None:
        return [
            f"── {item.stage} {item.key[:12]}: no log here. Its result came from another store, or the log was removed."
        ]
    day, time = item.when.split("-")
    when = f"{day[:4]}-{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]}:{time[4:]}"
    return [f"── {item.stage} {item.key[:12]}   {when}   {number_of(count, 'line')}   {shown(item.path)}"]
