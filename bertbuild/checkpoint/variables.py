"""The variables of a BERT by name and shape, and how a checkpoint's differ from them.

Names and shapes: google-research/bert, modeling.py, run_pretraining.py, run_classifier.py, run_squad.py (eedf5716).
V vocabulary, H hidden, I intermediate, P positions, T token types, L layers, C classes.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.training import sort_variables
from bertbuild.families.bert import LAYER_PATTERN
from bertbuild.families.bert_names import POOLER, SCOPE
from bertbuild.families.table import BERT, FAMILIES, variables_of
from bertbuild.heads import classifier, masked_lm, next_sentence, span
from bertbuild.plural import are, number_of

Shape = tuple[int, ...]

FLOAT32: Final = "float32"
CAST_TO_FLOAT32: Final = ("float16", "bfloat16", "float64")
"""What training in mixed or double precision leaves; such variables are read as float32."""

ASKED_FOR: Final = "the configuration asks for"
NOT_OF_IT: Final = "does not have:"
"""Words of two problems by which others know what to do about them."""

_LAYER: Final = re.compile(LAYER_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSizes:
    """The sizes that shapes tell; None where the variable that would tell is missing or has another rank.

    The number of attention heads A is not among them: it shapes no variable, only bert_config.json has it.
    """

    layers: int | None
    hidden: int | None
    intermediate: int | None
    vocab: int | None
    positions: int | None
    token_types: int | None
    embedding: int | None = None
    """The width of the table of words of another family than BERT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """What a checkpoint has been trained for, by the variables outside the encoder."""

    masked_lm: bool
    next_sentence: bool
    classifier_labels: int | None
    """C of `output_weights` [C, H], or None without a classifier."""
    squad: bool


def encoder_variables(config: BertConfig) -> dict[str, Shape]:
    """Name → shape of the variables of the encoder that `config` describes, all float32; of a BERT 5 + 16·L + 2."""
    return variables_of(config.family, config)


def encoder_sizes(shapes: Mapping[str, Shape], family: str = BERT) -> EncoderSizes:
    """The sizes of the encoder in a checkpoint with variables of these shapes."""
    scopes = FAMILIES[family].scopes
    layers = {int(found[1]) for name in shapes if (found := _LAYER.match(name))}
    width = _side(shapes, scopes.words, 1)
    layer = scopes.of_layer(0)
    return EncoderSizes(
        layers=max(layers) + 1 if layers else None,
        hidden=width if family == BERT else _side(shapes, f"{layer}/{scopes.query}/kernel", 0),
        intermediate=_side(shapes, f"{layer}/{scopes.grown}/kernel", 1),
        vocab=_side(shapes, scopes.words, 0),
        positions=_side(shapes, scopes.positions, 0),
        token_types=_side(shapes, scopes.types, 0),
        embedding=None if family == BERT else width,
    )


def _side(shapes: Mapping[str, Shape], name: str, axis: int) -> int | None:
    shape = shapes.get(name)
    return shape[axis] if shape is not None and len(shape) == 2 else None


def find_heads(shapes: Mapping[str, Shape]) -> Heads:
    """The heads in a checkpoint with variables of these shapes."""
    whole = classifier.BIAS in shapes and len(shapes.get(classifier.WEIGHTS, ())) == 2
    return Heads(
        masked_lm=masked_lm.BIAS in shapes,
        next_sentence=next_sentence.WEIGHTS in shapes,
        classifier_labels=shapes[classifier.WEIGHTS][0] if whole else None,
        squad=span.WEIGHTS in shapes,
    )


def has_pooler(names: Container[str]) -> bool:
    """Whether there is a pooler. Half a pooler counts as one: the other half is missing."""
    return any(name in names for name in POOLER)


def disagreements(config: BertConfig, shapes: Mapping[str, Shape], dtypes: Mapping[str, str]) -> list[str]:
    """One sentence per way in which the encoder in a checkpoint is not the one that `config` describes.

    Args:
        config: of the checkpoint.
        shapes: google-research/bert's name → shape of the variables of the encoder and heads.
        dtypes: the same names → TensorFlow's name of the dtype.
    """
    expected = encoder_variables(config)
    if not any(name.startswith(SCOPE) for name in shapes):
        return ["The checkpoint holds no BERT encoder: no variable is named bert/…."]
    problems = []
    optional = () if has_pooler(shapes) else POOLER
    missing = [name for name in expected if name not in shapes and name not in optional]
    if missing:
        problems.append(
            f"{len(missing)} of the {number_of(len(expected), 'encoder variable')} {are(len(missing))} "
            f"missing: {listed(missing)}.",
        )
    sizes = encoder_sizes(shapes, config.family)
    if sizes.layers is not None and sizes.layers > config.num_hidden_layers:
        problems.append(
            f"The checkpoint has {number_of(sizes.layers, 'layer')}, the configuration num_hidden_layers "
            f"{config.num_hidden_layers}.",
        )
    problems += [
        f"{name} has shape {list(shapes[name])}; {ASKED_FOR} {list(shape)}."
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    problems += _dtype_problems({name: dtypes[name] for name in expected if name in shapes})
    beyond = sizes.layers is not None and sizes.layers > config.num_hidden_layers
    extra = [
        name
        for name in sort_variables(shapes).model
        if name.startswith(SCOPE) and name not in expected and not (beyond and _LAYER.match(name))
    ]
    if extra:
        what = FAMILIES[config.family].what
        problems.append(f"The encoder has {number_of(len(extra), 'variable')} that {what} {NOT_OF_IT} {listed(extra)}.")
    return problems


def of_another_build(model: str) -> str:
    """The sentence on a checkpoint of one of BERT's kin."""
    return f"The checkpoint is of {model}, a model of another build than BERT."


def _dtype_problems(dtypes: Mapping[str, str]) -> Iterator[str]:
    """A sentence per dtype that is not one of BERT's, and cannot be cast to one's."""
    others: dict[str, list[str]] = {}
    for name, dtype in dtypes.items():
        if dtype != FLOAT32 and dtype not in CAST_TO_FLOAT32:
            others.setdefault(dtype, []).append(name)
    for dtype, names in others.items():
        yield (
            f"{number_of(len(names), 'variable')} {are(len(names), 'has', 'have')} dtype {dtype}; a "
            f"BERT checkpoint has float32: {listed(names)}."
        )


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
