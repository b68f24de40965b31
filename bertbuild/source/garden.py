"""What convert-tf1 finds out of a TensorFlow 2 model: what lies beside it says of it, and the heads it comes with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.checkpoint.task_file import TASK
from bertbuild.checkpoint.user_files import read_regular
from bertbuild.errors import CheckpointError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.plans.plan import TF2_HUB, TF2_SAVED_MODEL
from bertbuild.plural import number_of

if TYPE_CHECKING:
    from bertbuild.checkpoint.config import BertConfig

SAME_CLASS = frozenset(("classifier", "multi-label", "regression"))
"""The kinds of heads that the Model Garden has one class for."""
OF_SAME_VARIABLES = SAME_CLASS | {"tokens"}


def recorded(path: Path, name: str, key: str) -> str:
    """What a JSON file beside a model says of it; empty where there is no such file, or it says nothing."""
    return str(recorded_value(path, name, key) or "")


def recorded_value(path: Path, name: str, key: str) -> object:
    """The same as the value that the file has; None where there is none."""
    try:
        return json.loads(read_regular(path / name)).get(key)
    except (CheckpointError, OSError, ValueError, RecursionError, AttributeError):
        return None


def heads_of(path: Path, prefix: Path, kind: str, config: BertConfig, root: str) -> tuple[FoundHead, ...]:
    """The heads that come with a model, of the kind that what lies beside it tells, else their class.

    Of a SavedModel of others only the head for a task can be asked for its answers.

    Raises:
        CheckpointError: there is no BERT of this config, or what lies beside it contradicts the class of a head.
    """
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.recovered_heads import recovered_heads
    from bertbuild.checkpoint.recovery import recover

    found = recovered_heads(item.place for item in recover(CheckpointReader(prefix), config, root))
    ours = _recorded_heads(path)
    if kind == TF2_HUB:
        return ()
    if kind == TF2_SAVED_MODEL:
        found = tuple(head for head in found if head.bias in ours or HEADS[head.kind].of_task)
    task = recorded(path, TASK, "head")
    told = {head.bias: ours.get(head.bias) or (task if HEADS[head.kind].of_task else "") for head in found}
    return tuple(_of_kind(head, told[head.bias], path) for head in found)


def _recorded_heads(path: Path) -> dict[str, str]:
    """What our own records beside a model say of its heads: name of the bias → kind."""
    rows = recorded_value(path, "mapping.json", "heads") or recorded_value(path, "signature.json", "heads")
    rows = rows if isinstance(rows, list) else []
    return {str(row.get("bias")): str(row.get("kind")) for row in rows if isinstance(row, dict)}


def _of_kind(head: FoundHead, kind: str, path: Path) -> FoundHead:
    """A head of the kind that a record tells; that of its class where none does.

    Raises:
        CheckpointError: its class contradicts that; or it has one column, and nothing tells of what kind it is.
    """
    possible = OF_SAME_VARIABLES if head.assumed else SAME_CLASS if head.kind in SAME_CLASS else {head.kind}
    if kind and (kind not in possible or (kind == "regression" and head.labels != 1)):
        told = head.why or f"it has {head.weights} of {number_of(head.labels, 'column')}"
        raise CheckpointError(
            f"What lies beside {path} tells of a head for {kind}, but {told}: that is none.",
            next_step=f'Correct {TASK} (its "head"), or give the checkpoint that it belongs to.',
        )
    if kind:
        return head._replace(kind=kind, assumed=False)
    if head.assumed and head.labels == 1:
        raise CheckpointError(
            f"The head of {path} has one column, and nothing tells whether that is a score or a label.",
            next_step=f'Write {TASK} beside it: {{"head": "regression"}} or {{"head": "multi-label"}}.',
        )
    return head
