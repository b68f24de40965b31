"""Models that are BERT's kin and no BERT: named by what their config.json or their tensors say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bertbuild.families.table import ALBERT, BERT, ELECTRA, FAMILIES

_KIN: Final = {
    "albert": "ALBERT",
    "bert-generation": "BERT Generation",
    "big_bird": "BigBird",
    "camembert": "CamemBERT",
    "convbert": "ConvBERT",
    "data2vec-text": "Data2Vec",
    "deberta": "DeBERTa",
    "deberta-v2": "DeBERTa-v2",
    "discriminator": "ELECTRA",
    "distilbert": "DistilBERT",
    "electra": "ELECTRA",
    "ernie": "ERNIE",
    "flaubert": "FlauBERT",
    "funnel": "Funnel Transformer",
    "ibert": "I-BERT",
    "longformer": "Longformer",
    "megatron-bert": "Megatron-BERT",
    "mobilebert": "MobileBERT",
    "modernbert": "ModernBERT",
    "mpnet": "MPNet",
    "nezha": "NEZHA",
    "nomic_bert": "Nomic BERT",
    "qdqbert": "QDQBERT",
    "rembert": "RemBERT",
    "roberta": "RoBERTa",
    "roberta-prelayernorm": "RoBERTa-PreLayerNorm",
    "roformer": "RoFormer",
    "roc_bert": "RoCBert",
    "splinter": "Splinter",
    "squeezebert": "SqueezeBERT",
    "transformer": "DistilBERT",
    "xlm": "XLM",
    "xlm-roberta": "XLM-RoBERTa",
    "xlm-roberta-xl": "XLM-RoBERTa-XL",
    "xlnet": "XLNet",
}
"""model_type, or what its tensors' names begin with → the name that people know."""

_SIGNS: Final = (
    ("embedding_hidden_mapping_in", "ALBERT"),
    ("relative_attention_bias", "MPNet"),
    ("rel_embeddings", "DeBERTa"),
    (".in_proj", "DeBERTa"),
    (".q_lin.", "DistilBERT"),
    ("embeddings_project", "ELECTRA"),
    (".mlp.Wi.", "ModernBERT"),
    ("distance_embedding", "BERT with relative positions"),
    (".crossattention.", "BERT decoder"),
)
"""Parts of tensors' names that only these models have."""
IMPORTED: Final = (BERT, ALBERT, ELECTRA)
"""The families whose folders are imported."""
WORDS: Final = "BERT, an ALBERT or an ELECTRA"
"""Those in words."""


def kin_of(settings: Mapping[str, Any]) -> str | None:
    """The model a config.json is of, by its model_type or else its architecture, where that is not a BERT."""
    kind, classes = settings.get("model_type"), settings.get("architectures")
    if kind is not None:
        return None if kind == BERT else _KIN.get(str(kind), _printable(str(kind)))
    first = str(classes[0]) if isinstance(classes, list) and classes else ""
    if not first or first.startswith("Bert"):
        return None
    named = [name for name in _KIN.values() if first.lower().startswith(name.lower().replace("-", ""))]
    return max(named, key=len) if named else _printable(first)


def family_said(settings: Mapping[str, Any]) -> str | None:
    """The family, among those that are imported, that a config.json is of; None for a model of another build."""
    kin = kin_of(settings)
    return BERT if kin is None else next((name for name in IMPORTED if FAMILIES[name].what == kin), None)


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)


def kin_of_tensors(names: Iterable[str]) -> str | None:
    """The model that tensors of these names are of, where that is not a BERT."""
    for name in names:
        parts = name.split(".")
        found = next((_KIN[part] for part in parts[:2] if part in _KIN), None)
        found = found or next((kin for sign, kin in _SIGNS if sign in name), None)
        if found:
            return found
    return None
