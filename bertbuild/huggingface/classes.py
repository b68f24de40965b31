"""Which class of transformers has just the heads of a model; each family has its own. Needs no numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bertbuild.errors import CheckpointError
from bertbuild.families.table import ALBERT, ALBERT_ZH, BERT, ELECTRA

_TASKS: Final[Mapping[tuple[str, ...], str]] = {
    (): "Model",
    ("classifier",): "ForSequenceClassification",
    ("multi-label",): "ForSequenceClassification",
    ("regression",): "ForSequenceClassification",
    ("tokens",): "ForTokenClassification",
    ("span",): "ForQuestionAnswering",
    ("masked-lm",): "ForMaskedLM",
    ("masked-lm", "next-sentence"): "ForPreTraining",
}
_DISCRIMINATOR: Final = ("replaced-token",)


def _classes(word: str, kinds: Iterable[tuple[str, ...]] = tuple(_TASKS)) -> dict[tuple[str, ...], str]:
    return {found: word + _TASKS[found] for found in kinds}


CLASSES: Final[Mapping[tuple[str, ...], str]] = {
    **_classes("Bert"),
    ("next-sentence",): "BertForNextSentencePrediction",
}
"""Kinds of heads → the class of transformers for a BERT that has just these."""
OF_FAMILY: Final[Mapping[str, Mapping[tuple[str, ...], str]]] = {
    BERT: CLASSES,
    ALBERT: _classes("Albert"),
    ALBERT_ZH: {kinds: name for kinds, name in CLASSES.items() if "masked-lm" not in kinds},
    ELECTRA: {
        **_classes("Electra", ((), ("tokens",), ("span",), ("masked-lm",))),
        _DISCRIMINATOR: "ElectraForPreTraining",
    },
}
"""The same for each family. An albert_zh is written as a BERT: `exporting.py` says how."""
MODEL_TYPES: Final[Mapping[str, str]] = {ALBERT_ZH: BERT}
"""Family → config.json's model_type, where that is not the family's name."""


def class_for(heads: Iterable[str], family: str = BERT) -> str:
    """The class of transformers that has just heads of these kinds.

    Raises:
        CheckpointError: there is none.
    """
    kinds = tuple(sorted(heads))
    if kinds not in OF_FAMILY[family]:
        of = "" if family == BERT else f" for an {family}"
        raise CheckpointError(
            f"transformers has no class{of} with the heads {' and '.join(kinds)}.",
            next_step="Give heads of one class: one for a task, or those of pre-training.",
        )
    return OF_FAMILY[family][kinds]


def kinds_of(architecture: str, family: str) -> frozenset[str]:
    """The kinds of heads that a class may have; none of a class that is not known here."""
    found = OF_FAMILY[family].items()
    return frozenset(kind for kinds, name in found if name == architecture for kind in kinds)
