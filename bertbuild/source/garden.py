"""What convert-tf1 finds out of a TensorFlow 2 model: what lies beside it says of it, and the heads it comes with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.checkpoint.head_evidence import TASK_TYPES
from bertbuild.checkpoint.task_file import TASK
from bertbuild.checkpoint.user_files import read_regular
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.json_text import parse_json
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
        return parse_json(read_regular(path / name)).get(key)
    except (CheckpointError, OSError, ValueError, AttributeError):
        return None


def heads_of(
    path: Path, prefix: Path, kind: str, config: BertConfig, root: str = "", told: str = ""
) -> tuple[FoundHead, ...]:
    """The heads that come with a model, of the kind that is told, or that what lies beside it tells, else their class.

    Of a SavedModel of others only the head for a task can be asked for its answers.

    Args:
        path: the model's folder.
        prefix: of its variables.
        kind: of the source.
        config: of the model.
        root: of several encoders the one below this object.
        told: what --head says of the head for a task.

    Raises:
        CheckpointError: there is no BERT of this config, or what lies beside it contradicts the class of a head.
        UsageError: --head contradicts what is known, or there is no such head.
    """
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.recovered_heads import recovered_heads
    from bertbuild.checkpoint.recovery import recover

    found = recovered_heads(item.place for item in recover(CheckpointReader(prefix), config, root))
    ours = _recorded_heads(path)
    if kind == TF2_HUB:
        found = ()
    elif kind == TF2_SAVED_MODEL:
        found = tuple(head for head in found if head.bias in ours or HEADS[head.kind].of_task)
    if told and not any(HEADS[head.kind].of_task for head in found):
        raise UsageError(f"--head says {told}, but {path} has no head for a task.", next_step="Leave --head out.")
    task = recorded(path, TASK, "head") or TASK_TYPES.get(recorded(path, TASK, "task_type"), "")
    heads = []
    for head in found:
        of_task = HEADS[head.kind].of_task
        record = ours.get(head.bias) or (task if of_task else "")
        heads.append(_of_kind(head, record, told if of_task else "", path))
    return tuple(heads)


def _recorded_heads(path: Path) -> dict[str, str]:
    """What our own records beside a model say of its heads: name of the bias → kind."""
    rows = recorded_value(path, "mapping.json", "heads") or recorded_value(path, "signature.json", "heads")
    rows = rows if isinstance(rows, list) else []
    return {str(row.get("bias")): str(row.get("kind")) for row in rows if isinstance(row, dict)}


def _of_kind(head: FoundHead, record: str, told: str, path: Path) -> FoundHead:
    """A head of the kind that is told, or that a record has; that of its class where neither says one.

    Raises:
        CheckpointError: the record contradicts its class; or it has one column, and nothing tells of what kind it is.
        UsageError: what is told contradicts its class or the record.
    """
    possible = OF_SAME_VARIABLES if head.assumed else SAME_CLASS if head.kind in SAME_CLASS else {head.kind}
    own = head.why or f"it has {head.weights} of {number_of(head.labels, 'column')}"
    for kind, whose in ((record, f"what lies beside {path}"), (told, "--head")):
        if kind and (kind not in possible or (kind == "regression" and head.labels != 1)):
            sentence = f"{whose[0].upper()}{whose[1:]} says {kind}, but {own}: that is none."
            if whose == "--head":
                raise UsageError(sentence, next_step="Leave --head out, or name the kind that it is.")
            step = f'Correct {TASK} (its "head"), or give the checkpoint that it belongs to.'
            raise CheckpointError(sentence, next_step=step)
    if told and record and told != record:
        raise UsageError(
            f"--head says {told}, but what lies beside {path} says {record}.", next_step="Leave --head out."
        )
    if told or record:
        return head._replace(kind=told or record, assumed=False)
    if head.assumed and head.labels == 1:
        raise CheckpointError(
            f"The head of {path} has one column, and nothing tells whether that is a score or a label.",
            next_step="Say which it is: --head regression or --head multi-label.",
        )
    return head
