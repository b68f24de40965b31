"""The tensors of a Hugging Face folder under Google's names, checked against its settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.variables import Shape, encoder_variables
from bertbuild.errors import CheckpointError
from bertbuild.families.bert_names import POOLER
from bertbuild.families.table import FAMILIES
from bertbuild.heads import masked_lm
from bertbuild.huggingface.heads import choose_heads
from bertbuild.huggingface.naming import BUFFERS, encoder_prefix, google_name, is_turned
from bertbuild.huggingface.settings import Settings
from bertbuild.huggingface.stored import FLOATS, Floats, Stored
from bertbuild.huggingface.weights import unfit
from bertbuild.plural import are, number_of

_UNKNOWN = "google-research/bert has no such variable"
_OF_A_HEAD = "of a head that is left out"


class Numbers(Mapping[str, Floats]):
    """Tensors by Google's name, each read and turned when it is asked for, so that no more than one is held."""

    def __init__(self, tensors: Mapping[str, Stored]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Floats:
        numbers = self._tensors[name].read()
        return np.ascontiguousarray(numbers.T) if is_turned(name) else numbers

    def shape(self, name: str) -> Shape:
        """Of one of them; nothing is read."""
        found = self._tensors[name].shape
        return found[::-1] if is_turned(name) else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a folder's weights become.

    Attributes:
        numbers: Google's name → float32 array.
        left_out: Hugging Face's name → why it has no place in the checkpoint.
        derived: names of tensors that are tied to others, or counted up again: nothing is lost without them.
        notes: what a person should know, a sentence each.
        head: of what kind the classifier is ("kind") and what tells it ("why"); empty where nothing does.
        prefix: what stands before the encoder's part of Hugging Face's names.
    """

    numbers: Numbers
    left_out: Mapping[str, str]
    derived: tuple[str, ...]
    notes: tuple[str, ...]
    head: Mapping[str, str]
    prefix: str


def import_tensors(settings: Settings, tensors: Mapping[str, Stored]) -> Imported:
    """Rename, sort out, check.

    Raises:
        CheckpointError: no BERT, or not the one that `settings` describe.
    """
    family = settings.family
    prefix = encoder_prefix(tensors, family)
    named: dict[str, str] = {}
    left_out: dict[str, str] = {}
    derived: list[str] = []
    for name in sorted(tensors):
        google = google_name(name, prefix, family)
        if BUFFERS.search(name):
            derived.append(name)
        elif google is None:
            left_out[name] = _UNKNOWN
        elif google in named:
            raise CheckpointError(
                f"The weights hold two tensors that would be called {google}: {named[google]} and {name}.",
                next_step="Save the model again (save_pretrained), so that each of its tensors is there once.",
            )
        else:
            named[google] = name
    notes = []
    if prefix not in ("", f"{family}."):
        notes.append(f"the encoder is taken from the tensors {prefix}…")
    heads = choose_heads(settings, tensors, named)
    if heads.own_table:
        named[masked_lm.UNTIED_WEIGHTS] = heads.own_table
    left_out |= dict.fromkeys([named.pop(google) for google in heads.left_out] + heads.also, _OF_A_HEAD)
    for name in (*heads.tied, *filter(None, [heads.own_table])):
        left_out.pop(name, None)
    notes += heads.notes
    wanted = _wanted(settings, named, notes) | heads.shapes
    found = {google: tensors[name] for google, name in named.items()}
    _check(found, wanted)
    widened = Counter(stored.dtype for stored in found.values() if stored.dtype != "float32")
    for dtype, count in sorted(widened.items()):
        change = "narrowed" if dtype == "float64" else "widened"
        notes.append(f"{count} of {number_of(len(found), 'tensor')} {are(count)} {dtype}, {change} to float32")
    return Imported(
        numbers=Numbers(found),
        left_out=left_out,
        derived=(*derived, *sorted(heads.tied)),
        notes=tuple(notes),
        head=heads.kind,
        prefix=prefix,
    )


def _wanted(settings: Settings, named: Mapping[str, str], notes: list[str]) -> dict[str, Shape]:
    """Name → shape of the variables that the encoder must have; a model without a pooler has none."""
    config = config_from(settings.bert_config, name="config.json", family=settings.family)
    wanted = encoder_variables(config)
    if FAMILIES[settings.family].scopes.pooler and not any(name in named for name in POOLER):
        notes.append("the model has no pooler, so it gives no pooled output")
        for name in POOLER:
            del wanted[name]
    return wanted


def _check(found: Mapping[str, Stored], wanted: Mapping[str, Shape]) -> None:
    """Refuse tensors that are not those of the model that config.json describes."""
    for name in sorted(wanted):
        if name not in found:
            raise unfit(f"the weights have no {name}")
    for name, stored in found.items():
        if name not in wanted:
            raise unfit(f"the weights have {name}, which such a model does not have")
        shape = stored.shape[::-1] if is_turned(name) else stored.shape
        if shape != wanted[name]:
            raise unfit(f"{name} has shape {list(shape)}, config.json wants {list(wanted[name])}")
        if stored.dtype not in FLOATS:
            raise unfit(f"{name} has dtype {stored.dtype}, and weights are {', '.join(FLOATS)}")
