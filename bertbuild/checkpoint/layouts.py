"""What each TensorFlow 2 format holds of a checkpoint: the places of its variables, and the names its objects go by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.model_garden import (
    Place,
    dense_places,
    encoder_aliases,
    encoder_places,
    keras_name,
    masked_lm_places,
)
from bertbuild.checkpoint.object_graph import Path
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.variables import Shape, encoder_variables
from bertbuild.families.bert import HEADS_SCOPE, POOLER_SCOPE
from bertbuild.heads import classifier, masked_lm
from bertbuild.heads.found import FoundHead

FORMATS = ("encoder", "keras-bert", "keras-names", "pretrainer")
ENCODER = "encoder"
MODEL = "model"
CLASS_OF_HEAD: Mapping[str, str] = {
    "classifier": "BertClassifier",
    "multi-label": "BertClassifier",
    "regression": "BertClassifier",
    "tokens": "BertTokenClassifier",
    "span": "BertSpanLabeler",
    "masked-lm": "BertPretrainerV2",
    "next-sentence": "BertPretrainerV2",
}
"""Kind of a head → the class of official.nlp.modeling.models that has it. Of several labels, as of classes, a
BertClassifier gives the logits: the sigmoid behind them no class of the Model Garden has."""

_OBJECTS_OF_HEAD: Mapping[str, tuple[Path, Path]] = {
    "BertClassifier": (("classifier",), ("out_proj",)),
    "BertTokenClassifier": (("classifier",), ()),
    "BertSpanLabeler": (("span_labeling",), ("layer_with_weights-0",)),
}
"""Of a class with one head: the attribute that it has the head as, and the head's dense layer below that."""
HEADS_OF_FORMAT: Mapping[str, frozenset[str]] = {
    "encoder": frozenset(),
    "keras-bert": frozenset(kind for kind, name in CLASS_OF_HEAD.items() if name in _OBJECTS_OF_HEAD),
    "keras-names": frozenset(CLASS_OF_HEAD),
    "pretrainer": frozenset(kind for kind, name in CLASS_OF_HEAD.items() if name not in _OBJECTS_OF_HEAD),
}
"""Format → the kinds of heads that it has a place for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A format, for one model.

    Attributes:
        places: of the variables.
        heads: those whose variables are among them.
        aliases: path → path of the same object.
        object_based: whether variables are found by object; else by `Place.name`.
    """

    places: tuple[Place, ...]
    heads: tuple[FoundHead, ...] = ()
    aliases: Mapping[Path, Path] = field(default_factory=dict)
    object_based: bool = True

    @property
    def roots(self) -> tuple[str, ...]:
        """The names by which `tf.train.Checkpoint` finds the objects."""
        paths = (*(place.path for place in self.places), *self.aliases)
        return tuple(sorted({path[0] for path in paths})) if self.object_based else ()


def layout(format_: str, config: BertConfig, shapes: Mapping[str, Shape], heads: Iterable[FoundHead] = ()) -> Layout:
    """The layout of a format for a checkpoint with these variables (name → shape).

    Of its heads those have a place that the format has one for; of those that only one fits in, the first.
    """
    placed = (head for head in heads if head.kind in HEADS_OF_FORMAT[format_])
    sized = tuple(head._replace(labels=shapes[head.bias][0]) for head in placed)
    return _LAYOUTS[format_](config, shapes, sized)


def left_out(taken: Layout, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """The variables that a layout leaves out, each with the reason."""
    used = {place.source for place in taken.places}
    found = sort_variables(shapes)
    slots = {name: slot for slot, names in found.slots.items() for name in names}
    reasons = {}
    for name in shapes:
        if name in slots:
            reasons[name] = f"optimizer slot {slots[name]}"
        elif name == "global_step":
            reasons[name] = "counter of the training"
        elif name not in used:
            reasons[name] = "head" if _is_head(name) else "no variable of a BERT"
    return reasons


def _is_head(name: str) -> bool:
    return name.startswith((HEADS_SCOPE, *classifier.HEAD.scopes))


def _encoder(config: BertConfig, _shapes: Mapping[str, Shape], _heads: tuple[FoundHead, ...]) -> Layout:
    aliases: dict[Path, Path] = {(MODEL,): (ENCODER,), **encoder_aliases(config, ENCODER)}
    return Layout(places=tuple(encoder_places(config, ENCODER)), aliases=aliases)


def _keras_bert(config: BertConfig, shapes: Mapping[str, Shape], heads: tuple[FoundHead, ...]) -> Layout:
    """Without a head what run_classifier and run_squad start from; with one what they predict with."""
    if not heads:
        return _encoder(config, shapes, heads)
    head = heads[0]
    attribute, dense = _OBJECTS_OF_HEAD[CLASS_OF_HEAD[head.kind]]
    layer = (MODEL, "layer_with_weights-1")
    aliases: dict[Path, Path] = {
        (MODEL, "layer_with_weights-0"): (ENCODER,),
        (MODEL, "_network"): (ENCODER,),
        (MODEL, *attribute): layer,
        **encoder_aliases(config, ENCODER),
    }
    places = (*encoder_places(config, ENCODER), *dense_places(config, head, (*layer, *dense)))
    return Layout(places=places, heads=(head,), aliases=aliases)


def _pretrainer(config: BertConfig, _shapes: Mapping[str, Shape], heads: tuple[FoundHead, ...]) -> Layout:
    """BertPretrainerV2 and its `checkpoint_items`, with the heads that the source has."""
    places = [*encoder_places(config, ENCODER)]
    aliases: dict[Path, Path] = {(MODEL, "encoder_network"): (ENCODER,), **encoder_aliases(config, ENCODER)}
    by_kind = {head.kind: head for head in heads}
    if "masked-lm" in by_kind:
        weights = by_kind["masked-lm"].weights
        places += masked_lm_places(config, weights=weights)
        aliases[MODEL, "masked_lm"] = ("masked_lm",)
        if weights == masked_lm.TIED_WEIGHTS:
            aliases["masked_lm", "embedding_table"] = (ENCODER, "layer_with_weights-0", "embeddings")
    if "next-sentence" in by_kind:
        head = (MODEL, "classification_heads", "0")
        # The head has a pooler of its own; of two objects under one name TensorFlow would restore but one.
        poolers = [place for place in places if place.source.startswith(POOLER_SCOPE)]
        places += (replace(place, path=(*head, "dense", place.path[-1])) for place in poolers)
        places += dense_places(config, by_kind["next-sentence"], (*head, "out_proj"))
        aliases["next_sentence.pooler_dense",] = (*head, "dense")
    return Layout(places=tuple(places), heads=tuple(by_kind.values()), aliases=aliases)


def _keras_names(config: BertConfig, shapes: Mapping[str, Shape], heads: tuple[FoundHead, ...]) -> Layout:
    """Every variable but those of training under the first converter's name, its shape as it is."""
    wanted = encoder_variables(config)
    wanted |= {name: shapes[name] for name in sort_variables(shapes).model if name not in wanted}
    places = (
        Place(source=name, source_shape=shape, path=(), name=keras_name(name), shape=shape)
        for name, shape in wanted.items()
    )
    return Layout(places=tuple(places), heads=heads, object_based=False)


_LAYOUTS: dict[str, Callable[[BertConfig, Mapping[str, Shape], tuple[FoundHead, ...]], Layout]] = {
    "encoder": _encoder,
    "keras-bert": _keras_bert,
    "keras-names": _keras_names,
    "pretrainer": _pretrainer,
}
