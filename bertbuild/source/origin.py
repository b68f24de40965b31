"""The Hugging Face folder that a checkpoint was imported from, where transformers' classes can read it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.folder import find_checkpoint
from bertbuild.checkpoint.imported import import_facts
from bertbuild.huggingface.folder import CONFIGS
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File, Origin


def origin_of(file: File, family: str, prefix: str, config: Mapping[str, Any]) -> Origin | None:
    """A folder as who answers for what was imported of it.

    Args:
        file: the folder.
        family: of the model.
        prefix: what stands before the encoder's part of its tensors' names.
        config: what its config.json says.

    Returns:
        None where its tensors lie below another name than transformers knows ("0.auto_model."), whose classes would
        find none of them, or where it has no config.json (but a bert_config.json).
    """
    if prefix not in ("", f"{family}.") or (file.files and CONFIGS[0] not in file.files):
        return None
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    return Origin(file=file, architecture=architecture, labels=_labels(config))


def _labels(config: Mapping[str, Any]) -> int:
    """As transformers counts them: two where nothing is said."""
    named, number = config.get("id2label"), config.get("num_labels")
    if isinstance(named, dict) and named:
        return len(named)
    return number if isinstance(number, int) else 2


def origin_told(file: File, family: str, imported: Path) -> Origin | None:
    """The same by what the import told of itself; `imported` is the folder that it made."""
    facts = import_facts(find_checkpoint(imported)) or {}
    if "prefix" not in facts:
        return None
    return origin_of(file, family, str(facts["prefix"]), dict(parse_json(str(facts.get("from", "{}")))))
