"""bert_config.json, the shape of a BERT.

Keys and defaults: BertConfig in google-research/bert, modeling.py (commit eedf5716). A key is used, or known to be
harmless (`config_keys`), or refused by its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.config_keys import OF_FAMILY, unread
from bertbuild.checkpoint.user_files import read_object
from bertbuild.errors import CheckpointError
from bertbuild.families.table import ALBERT, ALBERT_ZH, BERT, FAMILIES

HIDDEN_ACTS: Final = ("linear", "relu", "gelu", "tanh")
GELU_NAMES: Final = {
    "gelu_new": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "gelu_fast": "tanh",  # the same terms in another order, its constant √(2/π) to ten digits
    "gelu_accurate": "tanh",
    "gelu_python": "erf",
}
"""Hugging Face's names for one form of gelu → which; `gelu` alone leaves open which."""
LAYER_NORM_EPSILON: Final = 1e-12
"""What tf.contrib.layers.layer_norm, and so modeling.py, adds to each variance."""

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
    """One of `HIDDEN_ACTS`, whatever its spelling in the file."""
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 16
    initializer_range: float = 0.02
    layer_norm_eps: float | None = None
    """What each layer norm adds to the variance, where the file says so; modeling.py adds `LAYER_NORM_EPSILON`."""
    gelu: str | None = None
    """The form of gelu, `"erf"` or `"tanh"`, where hidden_act names one (`gelu_new`); no key of its own."""
    family: str = BERT
    """The model's name in the table of families, as its variables tell; no key of its own."""
    embedding_size: int | None = None
    """E, the width of the table of words, where the family has one beside the hidden size."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Harmless keys that modeling.py does not read, as found (`pooler_fc_size` of the multilingual models, for one)."""

    def epsilon(self, computed: float | None) -> float:
        """What each layer norm adds to the variance, given what the source's graph adds, if that is known."""
        return self.layer_norm_eps or computed or LAYER_NORM_EPSILON


_READ: Final = tuple(
    item for item in fields(BertConfig) if item.name not in ("gelu", "family", "embedding_size", "extra")
)
_STATED: Final = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
"""Keys that a configuration of another family than BERT must have: the repositories have other defaults."""


def read_config(path: Path, family: str = BERT) -> BertConfig:
    """Read and validate a bert_config.json, of a model of a family (`families/table.py`).

    Raises `CheckpointError`, naming the key where there is one, for a file that cannot be read or is not a JSON object,
    for a missing vocab_size, a value of the wrong type or out of range, heads that do not divide the hidden size, and a
    key of which it is not known that it is harmless.
    """
    values = read_object(path, _NEXT_STEP)
    return config_from(values, name=str(path), family=family)


def said_model_type(path: Path) -> object:
    """What a configuration says of its model_type; None where it says nothing, or cannot be read."""
    try:
        return read_object(path, _NEXT_STEP).get("model_type")
    except CheckpointError:
        return None


def config_from(values: Mapping[str, Any], *, name: str, family: str = BERT) -> BertConfig:
    """A `BertConfig` from parsed JSON; `name` stands for the source in the `CheckpointError` raised for bad values."""
    known: dict[str, Any] = {} if family == BERT else _of_family(values, name, family)
    for item in _READ:
        if item.name == "hidden_act" and item.name in values:
            known["hidden_act"], known["gelu"] = _activation(values[item.name], name)
        elif item.name in values:
            known[item.name] = _checked(item.name, values[item.name], name)
        elif item.default is MISSING:
            raise CheckpointError(f"{name} has no key {item.name}.", next_step=_NEXT_STEP)
    read = {item.name for item in _READ} | (set() if family == BERT else {"embedding_size"})
    config = BertConfig(**known, extra={key: value for key, value in values.items() if key not in read})
    if config.hidden_size % config.num_attention_heads:
        raise CheckpointError(
            f"{name} has hidden_size {config.hidden_size}, which num_attention_heads {config.num_attention_heads} "
            "does not divide.",
            next_step=_NEXT_STEP,
        )
    found = unread(config.extra, config.hidden_size, config.family)
    if found:
        key, problem = found
        model = "google-research/bert's BERT" if family == BERT else f"an {FAMILIES[family].what}"
        remedy = f"If the model is {model} and the key means nothing to it, remove the key."
        if key in OF_FAMILY[family]:  # which says how the model is built
            remedy = f"Give {model} without it; nothing is made of this one."
        raise CheckpointError(f"{name} {problem}.", next_step=remedy)
    return config


def _of_family(values: Mapping[str, Any], name: str, family: str) -> dict[str, Any]:
    """What a configuration of another family than BERT says besides BERT's keys."""
    missing = next((key for key in _STATED if key not in values), None)
    if missing:
        raise CheckpointError(
            f"{name} has no key {missing}, which that of an {FAMILIES[family].what} must have.", next_step=_NEXT_STEP
        )
    width = values.get("embedding_size")
    if width is None and family in (ALBERT, ALBERT_ZH):
        raise CheckpointError(
            f"{name} has no key embedding_size, the width of an ALBERT's table of words.", next_step=_NEXT_STEP
        )
    return {
        "family": family,
        "embedding_size": None if width is None else _checked("embedding_size", width, name),
    }


def config_for_others(values: Mapping[str, Any], config: BertConfig, computed_epsilon: float | None) -> dict[str, Any]:
    """`values`, read as `config`, as programs understand them that know modeling.py's activations alone and no `.meta`.

    `computed_epsilon` is what the source's graph adds to variances, if that is known.
    """
    epsilon = config.epsilon(computed_epsilon)
    stated = {} if epsilon == LAYER_NORM_EPSILON else {"layer_norm_eps": epsilon}
    named = {"hidden_act": config.hidden_act} if "hidden_act" in values else {}
    return {**values, **named, **stated}


def _activation(value: object, name: str) -> tuple[str, str | None]:
    """One of `HIDDEN_ACTS`, and the form of gelu if the name tells; modeling.py lower-cases names, and null is none."""
    spelled = "linear" if value in (None, "") else value.lower() if isinstance(value, str) else ""
    if spelled in GELU_NAMES:
        return "gelu", GELU_NAMES[spelled]
    if spelled not in HIDDEN_ACTS:
        wanted = ", ".join((*HIDDEN_ACTS, *GELU_NAMES))
        raise CheckpointError(f"{name} has hidden_act {json.dumps(value)}, not one of {wanted}.", next_step=_NEXT_STEP)
    return spelled, None


def _checked(key: str, value: object, name: str) -> object:
    """`value` if it is of the type and in the range that `key` asks for."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key.endswith("_prob"):
        good, wanted = number and 0 <= value < 1, "a number from 0 to below 1"  # type: ignore[operator]
    elif key == "layer_norm_eps":
        good, wanted = number and 0 < value < 1, "a number between 0 and 1"  # type: ignore[operator]
    elif key == "initializer_range":
        good, wanted = number and value > 0, "a positive number"  # type: ignore[operator]
    else:
        most = _MOST_LAYERS if key == "num_hidden_layers" else _LARGEST_SIZE
        good, wanted = number and isinstance(value, int) and 0 < value <= most, f"a whole number from 1 to {most}"
    if not good:
        raise CheckpointError(f"{name} has {key} {json.dumps(value)}, not {wanted}.", next_step=_NEXT_STEP)
    return value
