"""The file task.json, in which fine-tuning notes beside its checkpoint what that was trained for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TASK: Final = "task.json"
PREFIX: Final = "bert_model.ckpt"
"""What fine-tuning calls its checkpoint."""


def task_file(folder: Path, prefix: str) -> Path | None:
    """The task.json of the checkpoint `prefix`; None where there is none, or it is another checkpoint's.

    An empty prefix is the only checkpoint of the folder. Where a checkpoint `PREFIX` lies in the folder, the file is
    that one's alone.
    """
    path = folder / TASK
    others = prefix not in ("", PREFIX) and (folder / f"{PREFIX}.index").is_file()
    return path if path.is_file() and not others else None
