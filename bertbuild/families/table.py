"""The table of families: which models there are whose encoder is described (`model/encoder.py`).

Python 3.7 of the standard library, as all of this package.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from bertbuild.families import albert, bert, electra
from bertbuild.families.scopes import EMBEDDING_SIZE, SIZES, Scopes, Shape, encoder_variables

BERT, ALBERT, ALBERT_ZH, ELECTRA = "bert", "albert", "albert-zh", "electra"


class Family(NamedTuple):
    """A family of models.

    Attributes:
        name: its word in this program, and of Hugging Face's models the `model_type`.
        what: it in words.
        scopes: of its variables, as stages see them.
        gelu: the form that is taken where nothing tells it.
        why: that one, for people.
    """

    name: str
    what: str
    scopes: Scopes
    gelu: str
    why: str


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(BERT, "BERT", bert.SCOPES, "erf", "the form of the published graphs"),
        Family(ALBERT, "ALBERT", albert.SCOPES, "tanh", "the form of google-research/albert's code"),
        Family(ALBERT_ZH, "ALBERT of albert_zh", albert.ALBERT_ZH, "tanh", "the form of brightmart/albert_zh's code"),
        Family(ELECTRA, "ELECTRA", electra.SCOPES, "erf", "the form of google-research/electra's code"),
    )
}


def family_of(names: Container[str], config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint as stages see it.

    Args:
        names: of its variables.
        config: the content of bert_config.json, whose model_type tells an ELECTRA without a projection from a BERT.
    """
    for family in (FAMILIES[ALBERT], FAMILIES[ALBERT_ZH]):
        scopes = family.scopes
        if scopes.layer + "/" + scopes.query + "/kernel" in names or scopes.projected_words in names:
            return family
    if config.get("model_type") == ELECTRA or electra.SCOPES.projection + "/kernel" in names:
        return FAMILIES[ELECTRA]
    return FAMILIES[BERT]


def variables_of(family: str, config: Any) -> dict[str, Shape]:
    """Name → shape of the encoder's variables of a configuration with the keys of `SIZES` as attributes."""
    sizes = {name: getattr(config, name) for name in (*SIZES, EMBEDDING_SIZE)}
    return encoder_variables(FAMILIES[family].scopes, sizes)
