"""report: a run as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import UsageError
from bertbuild.files.disk import FULL, no_space, write_atomically

SHOWN = 3
"""Names of runs that an error lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Result):
    """The page of a run."""

    run: str
    path: Path


def report(session: Session, run_id: str, output: str) -> Page:
    """Write the page of a run (empty: the last one) to a file (empty: artifacts/reports/RUN.html).

    Raises:
        UsageError: there is no such run, or the file cannot be written.
        StoreError: the run's log makes no sense.
    """
    from bertbuild.report.html.evidence import gather
    from bertbuild.report.html.log import read_log
    from bertbuild.report.html.page import page
    from bertbuild.report.html.run import run_of

    log = _find(session.store.root / "runs", run_id)
    run = run_of(log.stem, read_log(log))
    path = Path(output).expanduser() if output else session.store.root / "reports" / f"{log.stem}.html"
    _write(path, page(run, gather(run, session.store)))
    return session.result(Page(run=log.stem, path=path), shown(path.absolute()))


def _find(folder: Path, run_id: str) -> Path:
    logs = sorted(folder.glob("*.jsonl"))
    if not logs:
        raise UsageError(
            f"No run is on record in {folder}.", next_step="Build something first: invoke build-ir --model minilm-l6"
        )
    if not run_id:
        return logs[-1]
    found = next((log for log in logs if log.stem == run_id), None)
    if found is None:
        last = ", ".join(log.stem for log in logs[-SHOWN:])
        raise UsageError(f"There is no run {run_id!r}.", next_step=f"The last of {len(logs)}: {last}.")
    return found


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", next_step=f"Name a file in it: --to {path / 'report.html'}")
    try:
        write_atomically(path, text)
    except OSError as error:
        if error.errno in FULL:
            raise no_space(path) from error
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}.", next_step="Choose another place with --to."
        ) from error
