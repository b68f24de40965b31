"""bert_config.json, the shape of a BERT.

Keys and defaults: BertConfig in google-research/bert, modeling.py (commit eedf5716).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from bertbuild.errors import CheckpointError

HIDDEN_ACTS: Final = ("linear", "relu", "gelu", "tanh")

_LARGEST_SIZE: Final = (1 << 31) - 1  # TensorFlow's int32 indices reach no further
_MOST_LAYERS: Final = 1000  # far beyond any BERT; keeps a mistyped number from becoming a list of that length
_NEXT_STEP: Final = "Use the bert_config.json that came with the checkpoint."


@dataclass(frozen=True, slots=True, kw_only=True)
class BertConfig:
    """The sizes of a BERT and its constants of training. Defaults are upstream's (`type_vocab_size` 16 among them)."""

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 16
    initializer_range: float = 0.02
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys modeling.py does not know, as found (the `pooler_…` keys of the multilingual models, for one)."""


def read_config(path: Path) -> BertConfig:
    """Read and validate a bert_config.json.

    Raises `CheckpointError`, naming the key where there is one, for a file that cannot be read or is no JSON object,
    for a missing vocab_size, a value of the wrong type or out of range, and heads that do not divide the hidden size.
    """
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read.", next_step="Check that the file exists and may be read.", details=str(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON.", next_step=_NEXT_STEP, details=str(error)) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is JSON, but not an object with a BERT's sizes.", next_step=_NEXT_STEP)
    return config_from(values, name=str(path))


def config_from(values: Mapping[str, Any], *, name: str) -> BertConfig:
    """A `BertConfig` from parsed JSON; `name` stands for the source in the `CheckpointError` raised for bad values."""
    known: dict[str, Any] = {}
    for item in fields(BertConfig):
        if item.name == "extra":
            continue
        if item.name in values:
            known[item.name] = _checked(item.name, values[item.name], name)
        elif item.default is MISSING:
            raise CheckpointError(f"{name} lacks the key {item.name}.", next_step=_NEXT_STEP)
    config = BertConfig(**known, extra={key: value for key, value in values.items() if key not in known})
    if config.hidden_size % config.num_attention_heads:
        raise CheckpointError(
            f"{name} has hidden_size {config.hidden_size}, which num_attention_heads {config.num_attention_heads} "
            "does not divide.",
            next_step=_NEXT_STEP,
        )
    return config


def _checked(key: str, value: object, name: str) -> object:
    """`value` if it is of the type and in the range that `key` asks for."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "hidden_act":
        good, wanted = value in HIDDEN_ACTS, "one of " + ", ".join(HIDDEN_ACTS)
    elif key.endswith("_prob"):
        good, wanted = number and 0 <= value < 1, "a number from 0 to below 1"  # type: ignore[operator]
    elif key == "initializer_range":
        good, wanted = number and value > 0, "a positive number"  # type: ignore[operator]
    else:
        most = _MOST_LAYERS if key == "num_hidden_layers" else _LARGEST_SIZE
        good, wanted = number and isinstance(value, int) and 0 < value <= most, f"a whole number from 1 to {most}"
    if not good:
        raise CheckpointError(f"{name} has {key} {json.dumps(value)}, not {wanted}.", next_step=_NEXT_STEP)
    return value
