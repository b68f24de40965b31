"""A Hugging Face config.json as the bert_config.json of the same model: each of its keys is used, harmless or refused.

Keys and defaults: transformers 4.57, models/bert/configuration_bert.py and configuration_utils.py; activations:
activations.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.config import GELU_NAMES, LAYER_NORM_EPSILON, config_from
from bertbuild.checkpoint.user_files import read_object
from bertbuild.errors import CheckpointError
from bertbuild.families.table import ALBERT, BERT, ELECTRA
from bertbuild.huggingface.harmless import HARMLESS
from bertbuild.huggingface.kin import WORDS, family_said, kin_of

_GELU: Final = {"erf": "gelu", "tanh": "gelu_new"}
ACTIVATIONS: Final = {
    "gelu": "gelu",
    **{name: _GELU[form] for name, form in GELU_NAMES.items()},
    "relu": "relu",
    "tanh": "tanh",
    "linear": "linear",
}
"""transformers' name of an activation → that in bert_config.json; `gelu_new` is the form by tanh."""

DEFAULTS: Final[Mapping[str, Any]] = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
"""What is copied, and what transformers takes for it where config.json does not say."""
OF_FAMILY: Final[Mapping[str, Mapping[str, Any]]] = {
    BERT: {},
    ALBERT: {
        "attention_probs_dropout_prob": 0,
        "embedding_size": 128,
        "hidden_dropout_prob": 0,
        "hidden_size": 4096,
        "intermediate_size": 16384,
        "num_attention_heads": 64,
        "vocab_size": 30000,
    },
    ELECTRA: {"embedding_size": 128, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4},
}
"""The same of each family, where it is not as of a BERT."""
_USUAL_ACT: Final = {ALBERT: "gelu_new"}

PROBLEM_TYPES: Final = {
    "single_label_classification": "classifier",
    "multi_label_classification": "multi-label",
    "regression": "regression",
}
"""config.json's problem_type → the name in the table of heads."""

_NAMED: Final = {"gelu": "gelu_python"}
"""The name that says which form of gelu it is."""
_NO_WAY: Final = "Name a folder with a BERT that is an encoder as google-research/bert has it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What config.json says.

    Attributes:
        bert_config: bert_config.json's content.
        theirs: all of config.json.
        family: of the model.
    """

    bert_config: Mapping[str, Any]
    theirs: Mapping[str, Any]
    family: str = BERT

    @property
    def gelu(self) -> str | None:
        """The form of gelu, "erf" or "tanh"; None for another activation."""
        return {**GELU_NAMES, "gelu": "erf"}.get(self.bert_config["hidden_act"])

    @property
    def architecture(self) -> str:
        """The class the model was saved from, or "" where config.json does not say."""
        found = self.theirs.get("architectures")
        return str(found[0]) if isinstance(found, list) and found else ""


def read_settings(path: Path) -> Settings:
    """Read a config.json.

    Raises:
        CheckpointError: no JSON object, no BERT, or a key that google-research/bert's graph cannot follow.
    """
    return settings_from(read_object(path), name=str(path))


def settings_from(theirs: Mapping[str, Any], *, name: str) -> Settings:
    """`read_settings` of parsed JSON; `name` stands for its source in errors."""
    family = _family(theirs, name)
    odd = next((key for key in theirs if not key.isprintable()), None)
    if odd is not None:
        raise CheckpointError(f"{name} has the key {odd!r}, which is damaged.", next_step="Download the file again.")
    read = {key: value for key, value in theirs.items() if not (key in HARMLESS or key.startswith("_"))}
    activation = _activation(theirs.get("hidden_act", _USUAL_ACT.get(family, "gelu")), name)
    defaults = {**DEFAULTS, **OF_FAMILY[family]}
    config_from({"model_type": family, **defaults, **read, "hidden_act": activation}, name=name, family=family)
    bert_config = {key: theirs.get(key, default) for key, default in defaults.items()} | {"hidden_act": activation}
    if family != BERT:  # whose `gelu` is of another form for google-research/albert
        bert_config |= {"model_type": family, "hidden_act": _NAMED.get(activation, activation)}
    epsilon = theirs.get("layer_norm_eps", LAYER_NORM_EPSILON)
    stated = {} if epsilon == LAYER_NORM_EPSILON else {"layer_norm_eps": epsilon}
    return Settings(bert_config=bert_config | stated, theirs=theirs, family=family)


def _family(theirs: Mapping[str, Any], name: str) -> str:
    family = family_said(theirs)
    if family is None:
        raise CheckpointError(
            f"{name} says that the model is {kin_of(theirs)}; only a {WORDS} can be imported.", next_step=_NO_WAY
        )
    return family


def _activation(value: Any, name: str) -> str:
    """hidden_act as bert_config.json says it."""
    found = ACTIVATIONS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise CheckpointError(
            f"{name} has hidden_act {json.dumps(value)[:80]}, which google-research/bert cannot compute.",
            next_step=f"It knows {', '.join(ACTIVATIONS)}.",
        )
    return found
