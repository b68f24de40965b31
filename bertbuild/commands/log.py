"""log: what the stages of a target said."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import UsageError
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
    """Show the logs of a target's stages, or of one; of a stage that was named in the target's place, the last.

    Raises:
        UsageError: not one target is named, there is no such target, or it has no such stage.
    """
    if len(names) != 1:
        raise UsageError(
            "No target is named." if not names else f"{number_of(len(names), 'target')} are named: {', '.join(names)}.",
            next_step="Name one, for instance: invoke log minilm-l6/ir-fp32; invoke status shows all.",
        )
    (target,) = names
    store = Store(session.settings.artifacts, tidy=False)
    with translated_os_errors(store.root):
        found = _found(store, target, stage)
        texts = [_lines(item.path) for item in found]
    logs = tuple(
        Log(stage=item.stage, key=item.key, path=item.path, lines=tuple(lines))
        for item, lines in zip(found, texts, strict=True)
    )
    lines = [line for item, text in zip(found, texts, strict=True) for line in (*_header(item, len(text)), *text)]
    return session.result(Logs(logs=logs), *lines)


def _found(store: Store, target: str, stage: str) -> list[StageLog]:
    if target in STAGES and not stage:
        newest = last_log(store, target)
        if newest is None:
            raise UsageError(
                f"The stage {target} has no log here.", next_step="It was never run, or gc removed its logs."
            )
        return [newest]
    known = results_by_target(store)
    name = _target(known, target)
    results = [(made, key) for made, key in known[name] if stage in ("", made)]
    if not results:
        stages = sorted({made for made, _ in known[name]})
        raise UsageError(
            f"{name} has no stage {stage}." if stages else f"No stage of {name} is on record.",
            next_step=f"It has {', '.join(stages)}.{_near(stage, stages)}" if stages else "Build it first.",
        )
    return logs_of(store, results)


def _target(known: Results, wanted: str) -> str:
    """The name of the target that was meant."""
    if wanted in known:
        return wanted
    if not known:
        raise UsageError(
            f"There is no target {wanted}: nothing is built yet.",
            next_step="For instance: invoke build-ir --model minilm-l6",
        )
    of_model = [name for name in known if name.partition("/")[0] == wanted]
    if len(of_model) == 1:
        return of_model[0]
    if of_model:
        raise UsageError(
            f"{wanted} has {number_of(len(of_model), 'target')}.", next_step=f"Name one: {', '.join(sorted(of_model))}."
        )
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
