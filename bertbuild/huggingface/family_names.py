"""The names of ALBERTs' and ELECTRAs' tensors: google-research's → Hugging Face's, and back.

Names: transformers 4.57, models/albert/modeling_albert.py and models/electra/modeling_electra.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bertbuild.families import albert
from bertbuild.families.table import ALBERT, BERT, ELECTRA
from bertbuild.heads import classifier, masked_lm, next_sentence, replaced_token, span

_LAYER: Final = "encoder.albert_layer_groups.0.albert_layers.0."
ALBERTS: Final[Mapping[str, str]] = {
    **{
        f"{albert.SCOPES.embeddings}/{name}_embeddings": f"embeddings.{name}_embeddings"
        for name in ("word", "position", "token_type")
    },
    albert.SCOPES.norm: "embeddings.LayerNorm",
    albert.SCOPES.projection: "encoder.embedding_hidden_mapping_in",
    **{
        f"{albert.SCOPES.layer}/{ours}": _LAYER + theirs
        for ours, theirs in (
            (albert.SCOPES.query, "attention.query"),
            (albert.SCOPES.key, "attention.key"),
            (albert.SCOPES.value, "attention.value"),
            (albert.SCOPES.attended, "attention.dense"),
            (albert.SCOPES.attended_norm, "attention.LayerNorm"),
            (albert.SCOPES.grown, "ffn"),
            (albert.SCOPES.shrunk, "ffn_output"),
            (albert.SCOPES.shrunk_norm, "full_layer_layer_norm"),
        )
    },
    albert.SCOPES.pooler: "pooler",
}
"""Of a table its name, of a layer its scope → Hugging Face's below `albert.`."""
HEADS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    ALBERT: {
        masked_lm.DENSE: ("predictions.dense",),
        masked_lm.LAYER_NORM: ("predictions.LayerNorm",),
        masked_lm.BIAS: ("predictions.bias", "predictions.decoder.bias"),
    },
    ELECTRA: {
        masked_lm.DENSE: ("generator_predictions.dense",),
        masked_lm.LAYER_NORM: ("generator_predictions.LayerNorm",),
        masked_lm.BIAS: ("generator_lm_head.bias",),
    },
}
"""Family → scope, or variable, of the masked-LM head → Hugging Face's names. transformers keeps an ALBERT's bias twice,
and its TensorFlow class reads the second."""
LAST: Final[Mapping[str, str]] = {"span": "qa_outputs", "next-sentence": "sop_classifier.classifier"}
"""Kind of a head → what its last layer is called; of all others for a task `classifier`."""
_VARIABLES: Final = {theirs: ours for ours, theirs in ALBERTS.items()}
REPLACED_TOKEN: Final[Mapping[str, str]] = {
    replaced_token.DENSE: "discriminator_predictions.dense",
    replaced_token.WEIGHTS.rpartition("/")[0]: "discriminator_predictions.dense_prediction",
}
"""Scope of the head of an ELECTRA's discriminator → Hugging Face's."""
_HEADS: Final = {
    family: {names[0]: ours for ours, names in found.items()}
    | ({theirs: ours for ours, theirs in REPLACED_TOKEN.items()} if family == ELECTRA else {})
    for family, found in HEADS.items()
}
_OF_TOKENS: Final = {
    "classifier": {"weight": classifier.WEIGHTS, "bias": classifier.BIAS},
    "qa_outputs": {"weight": span.WEIGHTS, "bias": span.BIAS},
}
_LASTS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    ALBERT: {
        **_OF_TOKENS,
        LAST["next-sentence"]: {"weight": next_sentence.WEIGHTS, "bias": next_sentence.BIAS},
    },
    ELECTRA: _OF_TOKENS,
}
"""Family → last layer of a head in Hugging Face's words → its variables."""
DECODERS: Final[Mapping[str, str]] = {
    BERT: "cls.predictions.decoder.",
    ALBERT: "predictions.decoder.",
    ELECTRA: "generator_lm_head.",
}
"""Family → the layer that is tied to the table of words, and to a bias."""
_ENDS: Final[Mapping[str, str]] = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}


def albert_tensor(variable: str) -> str | None:
    """Hugging Face's name of a variable of an ALBERT's encoder, below `albert.`; None of any other."""
    if variable in ALBERTS:
        return f"{ALBERTS[variable]}.weight"
    scope, _, last = variable.rpartition("/")
    return f"{ALBERTS[scope]}.{_ENDS[last]}" if scope in ALBERTS and last in _ENDS else None


def albert_variable(name: str) -> str | None:
    """The variable of an ALBERT's encoder that is called so below `albert.`; None of any other."""
    scope, _, last = name.rpartition(".")
    if scope not in _VARIABLES:
        return None
    variable = _VARIABLES[scope]
    return variable if variable.endswith("_embeddings") else f"{variable}/{_last(variable, last)}"


def head_variable(name: str, family: str) -> str | None:
    """The variable of a head of an ALBERT or ELECTRA that Hugging Face calls so; None of any other."""
    scope, _, last = name.rpartition(".")
    if name in _HEADS[family]:
        return _HEADS[family][name]
    if scope in _HEADS[family]:
        return f"{_HEADS[family][scope]}/{_last(_HEADS[family][scope], last)}"
    return _LASTS[family].get(scope, {}).get(last)


def _last(scope: str, last: str) -> str:
    norm = scope.rpartition("/")[2].startswith("LayerNorm")
    return {"weight": "gamma", "bias": "beta"}[last] if norm else {"weight": "kernel", "bias": "bias"}[last]


def of_replaced_token(variables: Iterable[str]) -> dict[str, str]:
    """Hugging Face's name → the variable, of the head of an ELECTRA's discriminator."""
    parts = ((variable, *variable.rpartition("/")[::2]) for variable in variables)
    return {f"{REPLACED_TOKEN[scope]}.{_ENDS[last]}": name for name, scope, last in parts if scope in REPLACED_TOKEN}


def of_masked_lm(variables: Iterable[str], family: str) -> dict[str, str]:
    """Hugging Face's name → the variable, of a masked-LM head but for its table."""
    found = {}
    for variable in variables:
        scope, _, last = variable.rpartition("/")
        for name in HEADS[family].get(variable, ()):
            found[name] = variable
        for name in HEADS[family].get(scope, ()):
            found[f"{name}.{_ENDS[last]}"] = variable
    return found
