"""Models of another build than BERT, told by what only their variables are called.

Names are those of the models' own repositories and of their known forks: google-research/albert, brightmart/albert_zh,
google-research/electra, huawei-noah's NEZHA, and what Hugging Face's TensorFlow classes call theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bertbuild.families.albert import ALBERT_ZH as ZH
from bertbuild.families.table import ALBERT, ALBERT_ZH, BERT, ELECTRA

Shape = tuple[int, ...]

_SIGNS: Final = (
    (re.compile(r"embedding_hidden_mapping_in|/inner_group_\d|/layer_shared(_\d+)?/|/word_embeddings_2$"), "ALBERT"),
    (
        re.compile(
            r"(^|/)(electra|embeddings_project|(generator|discriminator)_predictions)/|(^|/)generator/(embeddings|encoder)/"
        ),
        "ELECTRA",
    ),
    (re.compile(r"relative_positions?_(embeddings?|encoding)"), "NEZHA"),
    (re.compile(r"(^|/)distil_?bert/|/(q_lin|k_lin|v_lin|sa_layer_norm)/"), "DistilBERT"),
    (re.compile(r"(^|/)(xlm_)?roberta/"), "RoBERTa"),
    (re.compile(r"(^|/)transformer/(layer_\d+/rel_attn|r_w_bias)"), "XLNet"),
    (re.compile(r"(^|/)deberta/|/rel_embeddings(/|$)"), "DeBERTa"),
    (re.compile(r"/bottleneck/|/FakeLayerNorm/|/embedding_transformation/"), "MobileBERT"),
)
_ANY: Final = re.compile("|".join(sign.pattern for sign, _ in _SIGNS))
_ROBERTA_POSITIONS: Final = 514
"""Its positions count from 2, so it has two rows more than it takes pieces; and it has one type of token."""
_NO_POSITIONS: Final = re.compile(r"^(?P<scope>(.*/)?)embeddings/token_type_embeddings$")


_DESCRIBED: Final = {"ALBERT": ALBERT, "ELECTRA": ELECTRA}
_OF_ALBERT_ZH: Final = (f"{ZH.layer.removeprefix('bert')}/", ZH.projected_words.removeprefix("bert"))


def family(shapes: Mapping[str, Shape], model_type: object = None) -> str | None:
    """The family of a checkpoint's variables in the table of families; None where it is a model that is in none.

    Args:
        shapes: name → shape.
        model_type: what the configuration says of it, which alone tells an ELECTRA under BERT's names.
    """
    model = kin(shapes)
    if model == "ALBERT" and any(part in name for name in shapes for part in _OF_ALBERT_ZH):
        return ALBERT_ZH
    if model is None:
        return ELECTRA if model_type == ELECTRA else BERT
    return _DESCRIBED.get(model)


def kin(shapes: Mapping[str, Shape]) -> str | None:
    """The name of the model that variables (name → shape) are of, where they tell that it is one of BERT's kin."""
    for name in filter(_ANY.search, shapes):
        return next(model for sign, model in _SIGNS if sign.search(name))
    for name, shape in shapes.items():
        found = _NO_POSITIONS.match(name)
        if found is None or f"{found['scope']}embeddings/word_embeddings" not in shapes:
            continue
        positions = shapes.get(f"{found['scope']}embeddings/position_embeddings")
        if positions is None and f"{found['scope']}encoder/layer_0/attention/self/query/kernel" in shapes:
            return "NEZHA"  # its positions are relative, and worked out
        if positions is not None and positions[:1] == (_ROBERTA_POSITIONS,) and shape[:1] == (1,):
            return "RoBERTa"
    return None
