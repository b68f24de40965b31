"""What each TensorFlow 2 format holds of a checkpoint: the places of its variables, and the names its objects go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.model_garden import (
    Place,
    classifier_places,
    encoder_aliases,
    encoder_places,
    keras_name,
    masked_lm_places,
    next_sentence_places,
    squad_places,
)
from bertbuild.checkpoint.object_graph import Path
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.variables import Shape, encoder_variables, find_heads
from bertbuild.families.bert import HEADS_SCOPE, POOLER_SCOPE
from bertbuild.heads import classifier, masked_lm, next_sentence

FORMATS = ("encoder", "keras-bert", "keras-names", "pretrainer")
ENCODER = "encoder"
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A format, for one model.

    Attributes:
        places: of the variables.
        aliases: path → path of the same object.
        object_based: whether variables are found by object; else by `Place.name`.
    """

    places: tuple[Place, ...]
    aliases: Mapping[Path, Path] = field(default_factory=dict)
    object_based: bool = True

    @property
    def roots(self) -> tuple[str, ...]:
        """The names by which `tf.train.Checkpoint` finds the objects."""
        paths = (*(place.path for place in self.places), *self.aliases)
        return tuple(sorted({path[0] for path in paths})) if self.object_based else ()


def layout(format_: str, config: BertConfig, shapes: Mapping[str, Shape]) -> Layout:
    """The layout of a format for a checkpoint with these variables (name → shape)."""
    return _LAYOUTS[format_](config, shapes)


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
    return name.startswith(HEADS_SCOPE) or name in (classifier.WEIGHTS, classifier.BIAS)


def _encoder(config: BertConfig, _shapes: Mapping[str, Shape]) -> Layout:
    aliases: dict[Path, Path] = {(MODEL,): (ENCODER,), **encoder_aliases(config, ENCODER)}
    return Layout(places=tuple(encoder_places(config, ENCODER)), aliases=aliases)


def _keras_bert(config: BertConfig, shapes: Mapping[str, Shape]) -> Layout:
    """Without a head what run_classifier and run_squad start from; with one what they predict with."""
    heads = find_heads(shapes)
    if heads.classifier_labels:
        head = tuple(classifier_places(config, heads.classifier_labels, (MODEL, "layer_with_weights-1", "out_proj")))
    elif heads.squad:
        head = tuple(squad_places(config, (MODEL, "layer_with_weights-1", "layer_with_weights-0")))
    else:
        return _encoder(config, shapes)
    aliases: dict[Path, Path] = {(MODEL, "layer_with_weights-0"): (ENCODER,), **encoder_aliases(config, ENCODER)}
    return Layout(places=(*encoder_places(config, ENCODER), *head), aliases=aliases)


def _pretrainer(config: BertConfig, shapes: Mapping[str, Shape]) -> Layout:
    """BertPretrainerV2 and its `checkpoint_items`, with the heads that the source has."""
    places = [*encoder_places(config, ENCODER)]
    aliases: dict[Path, Path] = {(MODEL, "encoder_network"): (ENCODER,), **encoder_aliases(config, ENCODER)}
    if any(name.startswith(masked_lm.SCOPE) for name in shapes):
        places += masked_lm_places(config)
        aliases[MODEL, "masked_lm"] = ("masked_lm",)
        aliases["masked_lm", "embedding_table"] = (ENCODER, "layer_with_weights-0", "embeddings")
    if any(name.startswith(next_sentence.SCOPE) for name in shapes):
        head = (MODEL, "classification_heads", "0")
        # The head has a pooler of its own; of two objects under one name TensorFlow would restore but one.
        poolers = [place for place in places if place.source.startswith(POOLER_SCOPE)]
        places += (replace(place, path=(*head, "dense", place.path[-1])) for place in poolers)
        places += next_sentence_places(config, (*head, "out_proj"))
        aliases["next_sentence.pooler_dense",] = (*head, "dense")
    return Layout(places=tuple(places), aliases=aliases)


def _keras_names(config: BertConfig, shapes: Mapping[str, Shape]) -> Layout:
    """Every variable but those of training under the first converter's name, its shape as it is."""
    wanted = encoder_variables(config)
    wanted |= {name: shapes[name] for name in sort_variables(shapes).model if name not in wanted}
    places = (
        Place(source=name, source_shape=shape, path=(), name=keras_name(name), shape=shape)
        for name, shape in wanted.items()
    )
    return Layout(places=tuple(places), object_based=False)


_LAYOUTS: dict[str, Callable[[BertConfig, Mapping[str, Shape]], Layout]] = {
    "encoder": _encoder,
    "keras-bert": _keras_bert,
    "keras-names": _keras_names,
    "pretrainer": _pretrainer,
}
