"""The way back: which tensors of a TensorFlow 2 checkpoint are which of google-research/bert's variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.layouts import layout
from bertbuild.checkpoint.model_garden import (
    Place,
    encoder_aliases,
    encoder_places,
    keras_name,
)
from bertbuild.checkpoint.object_graph import Path, read_variables, value_key
from bertbuild.checkpoint.recovered_heads import Encoder, head_places
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import SCOPE
from bertbuild.heads import masked_lm
from bertbuild.heads.found import FoundHead
from bertbuild.plural import number_of

_WORDS_OF_TENSORFLOW_1 = "embeddings/word_embeddings"  # below any scope
_INSIDE = "encoder"  # a name for the root of paths that begin at the encoder itself
_OWN_CONFIG = "Use the bert_config.json that came with the checkpoint."
_WHOLE = "Give a TensorFlow 2 checkpoint of a whole BERT in float32."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One variable: what it is, and under which key it lies."""

    place: Place
    key: str


def recover(reader: CheckpointReader, config: BertConfig, root: str = "") -> tuple[Found, ...]:
    """Every variable of the encoder, and of the heads that are there.

    Of several encoders the one below the object `root` (names with slashes between them) is taken; empty: the only one.

    Works for checkpoints of any of the formats of `layouts`, whether bertbuild or TensorFlow saved them, for those of
    fine-tuned legacy models, and for the variables of a SavedModel or hub module.
    Raises `CheckpointError` when a variable of the encoder is not there, or has another shape than the config asks for;
    and when there are several encoders and `root` names none of them.
    """
    if OBJECT_GRAPH_KEY in reader.entries:
        found = _by_object(reader, config, root)
    elif root:
        raise CheckpointError(
            f"The checkpoint {reader.prefix} has names and no objects, so there is no root {root}.",
            next_step="Leave --root out.",
        )
    else:
        found = _by_name(reader, config)
    for item in found:
        entry = reader.entries.get(item.key)
        if entry is None:
            raise CheckpointError(
                f"The checkpoint {reader.prefix} has no {item.key}, but others of its kind.", next_step=_WHOLE
            )
        if entry.shape != item.place.shape:
            raise CheckpointError(
                f"{item.key} has shape {list(entry.shape)}; the configuration asks for {list(item.place.shape)}.",
                next_step=_OWN_CONFIG,
            )
        if entry.dtype != "float32":
            raise CheckpointError(f"{item.key} has dtype {entry.dtype}; a BERT has float32.", next_step=_WHOLE)
    return tuple(found)


def of_heads(found: Iterable[Found], heads: Iterable[FoundHead]) -> tuple[Found, ...]:
    """Of all variables those of the encoder and of these heads."""
    kept = {name for head in heads for name in (head.weights, head.bias)}
    if masked_lm.BIAS in kept:
        kept |= masked_lm.HEAD.variables(0, 0, 0).keys()
    return tuple(item for item in found if item.place.source.startswith(SCOPE) or item.place.source in kept)


def encoder_roots(reader: CheckpointReader, config: BertConfig) -> tuple[str, ...]:
    """The paths of all encoders of this config in an object-based checkpoint, with slashes between the names."""
    keys = {path: key for path, key in read_variables(reader).items() if key in reader.entries}
    return tuple("/".join(encoder.roots[0]) for encoder in _encoders(keys, config))


def _by_name(reader: CheckpointReader, config: BertConfig) -> list[Found]:
    names = {keras_name(source): source for source in encoder_variables(config)}
    missing = sorted(names.keys() - reader.entries.keys())
    if missing and any(name.endswith(_WORDS_OF_TENSORFLOW_1) for name in reader.entries):
        raise CheckpointError(
            f"{reader.prefix} is a TensorFlow 1 checkpoint already: its variables have google-research/bert's names.",
            next_step=f"Use it as it is: --checkpoint {reader.prefix}.",
        )
    if missing:
        raise CheckpointError(
            f"The checkpoint {reader.prefix} has no {missing[0]}, and {len(missing) - 1} more are missing.",
            next_step="Give a TensorFlow 2 checkpoint of a BERT, with its bert_config.json.",
        )
    kept = sort_variables(reader.entries).model
    _refuse_layers([name for name in kept if name.startswith("bert_model/") and name not in names], config)
    shapes = {names.get(name, name): reader.entries[name].shape for name in kept}
    return [Found(place=place, key=place.name) for place in layout("keras-names", config, shapes).places]


def _refuse_layers(beyond: list[str], config: BertConfig) -> None:
    if beyond:
        raise CheckpointError(
            f"The checkpoint has {beyond[0]}, which a BERT of {number_of(config.num_hidden_layers, 'layer')} has not.",
            next_step=_OWN_CONFIG,
        )


def _by_object(reader: CheckpointReader, config: BertConfig, root: str) -> list[Found]:
    keys = {path: key for path, key in read_variables(reader).items() if key in reader.entries}
    encoder = _chosen(_encoders(keys, config), root, reader)
    if encoder is None:
        raise CheckpointError(
            f"The checkpoint {reader.prefix} has no BertEncoder of "
            f"{number_of(config.num_hidden_layers, 'layer')} below its objects "
            f"{', '.join(sorted({path[0] for path in keys}))}.",
            next_step="Give the bert_config.json of this model, and a checkpoint of the Model Garden's BERT.",
        )
    own = encoder.own(keys)
    beyond = (*encoder.roots[0], "_transformer_layers", str(config.num_hidden_layers))
    _refuse_layers([key for path, key in own.items() if path[: len(beyond)] == beyond], config)
    places = [replace(place, path=(*encoder.roots[0], *place.path[1:])) for place in encoder.places]
    named = {place.source: keys.get(place.path, value_key(place.path)) for place in places}
    heads = head_places(Encoder(reader=reader, keys=own, roots=encoder.roots, own=named, config=config))
    return [Found(place=place, key=keys.get(place.path, value_key(place.path))) for place in (*places, *heads)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoder:
    """An encoder in a checkpoint: the paths at which it lies, the shortest first, and its places below them."""

    roots: tuple[Path, ...]
    places: tuple[Place, ...]
    alone: bool

    def own(self, keys: Mapping[Path, str]) -> Mapping[Path, str]:
        """Of all variables those that may be its heads: of several encoders, what hangs on the same objects as it."""
        tops = {root[:1] for root in self.roots}
        return keys if self.alone else {path: key for path, key in keys.items() if path[:1] in tops}


def _encoders(keys: Mapping[Path, str], config: BertConfig) -> list[_Encoder]:
    """Every encoder, in order of its path. Paths at which the same table of words lies are one."""
    found: dict[str, tuple[list[Path], tuple[Place, ...]]] = {}
    for places in (tuple(encoder_places(config, _INSIDE)), tuple(_subclassed(config))):
        for root in _roots(keys, [place.path[1:] for place in places]):
            roots, taken = found.setdefault(keys[(*root, *places[0].path[1:])], ([], places))
            if taken is places:
                roots.append(root)
    return [
        _Encoder(roots=tuple(sorted(roots, key=_length)), places=places, alone=len(found) == 1)
        for roots, places in sorted(found.values(), key=lambda item: min(item[0], key=_length))
    ]


def _chosen(encoders: list[_Encoder], root: str, reader: CheckpointReader) -> _Encoder | None:
    """The only encoder, or the one that has the root; None where there is none."""
    if not encoders:
        return None
    asked = tuple(filter(None, root.split("/")))
    fitting = [one for one in encoders if any(path[: len(asked)] == asked for path in one.roots)]
    if len(fitting) == 1:
        return fitting[0]
    names = ["/".join(one.roots[0]) or "." for one in encoders]
    says = f"has no encoder below {root}, but" if root and not fitting else "holds"
    raise CheckpointError(
        f"The checkpoint {reader.prefix} {says} {len(names)} encoders: {', '.join(names)}.",
        next_step=f"Choose one: --root {names[0]}.",
    )


def _length(path: Path) -> tuple[int, Path]:
    return len(path), path


def _subclassed(config: BertConfig) -> Iterator[Place]:
    """The encoder's places by the names that `BertEncoderV2`, a subclassed model, gives its objects."""
    names = {target: alias for alias, target in encoder_aliases(config, _INSIDE).items()}
    for place in encoder_places(config, _INSIDE):
        yield replace(place, path=(*names[place.path[:2]], *place.path[2:]))


def _roots(keys: Mapping[Path, str], wanted: list[Path]) -> list[Path]:
    """The paths below which all the wanted ones lie."""
    first = wanted[0]
    candidates = (path[: -len(first)] for path in keys if path[-len(first) :] == first)
    return [root for root in candidates if all((*root, *path) in keys for path in wanted)]
