"""finetune."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bertbuild import key as keys
from bertbuild.errors import StageError, StageKilledForMemoryError, UsageError
from bertbuild.plan import File
from bertbuild.plan_training import STEP, FinetuneRequest, plan_finetune
from bertbuild.session import Session, shown
from bertbuild.sources import Wanted, clean_name, resolve

PREPARED = "prepared.json"
RECORDS = ("train.tf_record", "eval.tf_record", "test.tf_record")
ABORTED = "bad_alloc"
"""What the C++ library says when it ends a program that got no memory."""

REFUSED = "memory ran out"
"""What the stage says when TensorFlow got none, with what was tried."""


def finetune(session: Session, wanted: Wanted, prepared: str, questions: str, request: FinetuneRequest) -> None:
    """Train the model on prepared data, and name the checkpoint in out/; a run that was ended is gone on from.

    Args:
        session: of the command.
        wanted: the model to begin with.
        prepared: folder of prepare-data.
        questions: SQuAD's JSON to answer, or empty.
        request: how.

    Raises:
        StageError: the stage refused its input, or failed.
        StageKilledForMemoryError: memory ran out.
    """
    folder = _prepared(prepared)
    facts = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
    data = File(path=folder, digest=_digest(session, folder))
    asked = _questions(session, questions)
    inspected = resolve(wanted, session.settings, session.store, session.engine, session.report)
    plan = plan_finetune(inspected.source, data, asked, request)
    try:
        stored = session.engine.run(plan)[STEP]
    except StageError as error:
        if isinstance(error, StageKilledForMemoryError) or ABORTED in error.details or REFUSED in str(error):
            raise _out_of_memory(error, request, facts) from error
        raise
    task = clean_name(str(facts["task"]).lower())
    link = session.store.link(plan.model, f"finetuned-{task}", stored)
    ran = json.loads((link / "stage.json").read_text(encoding="utf-8"))["facts"]
    session.result(
        {"model": plan.model, "path": str(link), "key": stored.key, "eval": ran.get("eval")},
        *_lines(link, f"{plan.model}-{task}", ran),
    )


def _prepared(folder: str) -> Path:
    if not folder:
        raise UsageError(
            "No data to train on are named.",
            next_step="Prepare a task's data (invoke prepare-data), and give that folder: --prepared FOLDER.",
        )
    path = Path(folder)
    try:
        read = json.loads((path / PREPARED).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} holds no prepared data: {PREPARED} cannot be read ({error}).",
            next_step="Give a folder that prepare-data wrote: --prepared FOLDER.",
        ) from error
    if not isinstance(read, dict) or "task" not in read:
        raise UsageError(
            f"{path / PREPARED} names no task.", next_step="Give a folder that prepare-data wrote: --prepared FOLDER."
        )
    return path.resolve()


def _digest(session: Session, folder: Path) -> str:
    """Of what the stage reads of it: names and bytes."""
    files = [folder / name for name in (PREPARED, *RECORDS)]
    return keys.digest({path.name: session.store.inputs.of(path.resolve()) for path in files if path.is_file()})


def _questions(session: Session, path: str) -> File | None:
    if not path:
        return None
    if not Path(path).is_file():
        raise UsageError(f"--squad {path} is no file.", next_step="Give SQuAD's JSON, for instance dev-v1.1.json.")
    file = Path(path).resolve()
    return File(path=file, digest=session.store.inputs.of(file))


def _out_of_memory(error: StageError, request: FinetuneRequest, facts: dict[str, Any]) -> StageKilledForMemoryError:
    flag = "train-batch-size" if request.do_train else "eval-batch-size"
    tried = request.train_batch_size if request.do_train else request.eval_batch_size
    said = str(error).split(f" stopped: {REFUSED}")[0] + " got no memory." if REFUSED in str(error) else str(error)
    return StageKilledForMemoryError(
        f"{said} Tried was a batch of {tried} sequences of {facts.get('max_seq_length')} tokens.",
        next_step=f"Try half: --{flag} {max(1, tried // 2)}; or shorter sequences, or more memory.",
        details=error.details,
    )


def _lines(link: Path, name: str, ran: dict[str, Any]) -> list[str]:
    lines = [f"{name} = {value:.4f}" for name, value in (ran.get("eval") or {}).items() if name != "global_step"]
    lines += [f"{shown(link / name)}" for name in ("training.svg", "predictions.json") if (link / name).exists()]
    lines.append(shown(link))
    if not (link / "predictions.json").exists():  # the stages after this one know no head of SQuAD
        lines.append(f"next: invoke export --checkpoint {shown(link)} --name {name}   (or build-ir, neuron-compile)")
    return lines
