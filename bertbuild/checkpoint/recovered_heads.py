"""The heads of a TensorFlow 2 checkpoint, told by the objects that the Model Garden's classes have them as.

The classes are those of official.nlp.modeling.models (2.20): BertClassifier, BertTokenClassifier, BertSpanLabeler,
BertPretrainer and BertPretrainerV2; besides them a plain dense layer behind an encoder. BertSpanLabeler has its last
layer at the path at which BertPretrainer has that of its next sentence (`layer_with_weights-1/layer_with_weights-0`),
and BertTokenClassifier at that of a plain dense layer; so the path that is kept is the one through the attribute that
the class has its head as.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import BertConfig
from bertbuild.checkpoint.model_garden import Place, dense_places, masked_lm_places
from bertbuild.checkpoint.object_graph import Path
from bertbuild.families.bert_names import POOLER
from bertbuild.heads import classifier, masked_lm, next_sentence, span
from bertbuild.heads.found import FoundHead

CLASSIFIER, PROJECTION, SPANS, SENTENCES = "classifier", "out_proj", "span_labeling", "classification"
"""The attributes that the classes have their heads as, and that a ClassificationHead has its last layer as."""
FIRST, SECOND, THIRD = "layer_with_weights-0", "layer_with_weights-1", "layer_with_weights-2"

_SPAN = FoundHead(kind=span.HEAD.name, weights=span.WEIGHTS, bias=span.BIAS, labels=2)
_NEXT_SENTENCE = FoundHead(
    kind=next_sentence.HEAD.name, weights=next_sentence.WEIGHTS, bias=next_sentence.BIAS, labels=2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """An encoder that was found in a checkpoint.

    Attributes:
        reader: of the checkpoint.
        keys: path → key of all variables that may be those of its heads.
        roots: its paths, the shortest first.
        own: google-research/bert's name → key of its variables.
        config: of the model.
    """

    reader: CheckpointReader
    keys: Mapping[Path, str]
    roots: tuple[Path, ...]
    own: Mapping[str, str]
    config: BertConfig

    def has_dense(self, path: Path) -> bool:
        """Whether the object at a path is a dense layer."""
        return (*path, "kernel") in self.keys

    def width(self, dense: Path) -> int:
        """How many columns a dense layer gives."""
        return self.reader.entries[self.keys[(*dense, "kernel")]].shape[-1]

    def has_other_pooler(self, head: Path) -> bool:
        """Whether a ClassificationHead reads through a dense layer of its own that is not the encoder's pooler."""
        inner = (*head, "dense")
        if not self.has_dense(inner):
            return False
        pairs = zip(POOLER, ("kernel", "bias"), strict=True)
        return not all(self._same(self.own[source], self.keys.get((*inner, name), "")) for source, name in pairs)

    def _same(self, one: str, other: str) -> bool:
        there = one in self.reader.entries and other in self.reader.entries
        return there and np.array_equal(self.reader.tensor(one), self.reader.tensor(other))


def head_places(encoder: Encoder) -> Iterator[Place]:
    """The places of the heads that are there, their paths as they are in this checkpoint."""
    bases = [root[:-1] for root in encoder.roots if root[-1:] == (FIRST,)]  # it is the first layer of a model
    config = encoder.config
    dense = next(filter(None, (_of_task(encoder, base) for base in bases)), None)
    if dense is not None:
        head = _SPAN if dense[-1] == FIRST else classifier.found(encoder.width(dense))
        yield from dense_places(config, head, dense)
    table = _first_with(encoder.keys, ("output_bias/bias",))
    if table is not None:
        own = encoder.keys.get((*table, "embedding_table"))
        tied = own in (None, encoder.own[masked_lm.TIED_WEIGHTS])
        yield from masked_lm_places(config, table, masked_lm.TIED_WEIGHTS if tied else masked_lm.UNTIED_WEIGHTS)
    dense = _of_sentences(encoder, bases)
    if dense is not None:
        yield from dense_places(config, _NEXT_SENTENCE, dense)


def _of_task(encoder: Encoder, base: Path) -> Path | None:
    """The path of the last layer of a model's head for a task, where it is one that TensorFlow 1's BERT has too."""
    for attribute in (CLASSIFIER, SECOND):
        head = (*base, attribute)
        if encoder.has_dense((*head, PROJECTION)):
            return None if encoder.has_other_pooler(head) else (*head, PROJECTION)
    if encoder.has_dense((*base, CLASSIFIER)):
        return (*base, CLASSIFIER)
    if encoder.has_dense((*base, SENTENCES, FIRST)):
        return None
    for attribute in (SPANS, SECOND):
        if encoder.has_dense((*base, attribute, FIRST)):
            return (*base, attribute, FIRST)
    dense, third = (*base, SECOND), (*base, THIRD)
    last = not any(path[: len(third)] == third for path in encoder.keys)
    return dense if last and encoder.has_dense(dense) else None


def _of_sentences(encoder: Encoder, bases: Sequence[Path]) -> Path | None:
    """The path of the last layer of the next sentence: of BertPretrainerV2's first head, or of BertPretrainer."""
    head = _first_with(encoder.keys, ("classification_heads", "0", PROJECTION, "kernel"))
    if head is not None:
        whole = (*head, "classification_heads", "0")
        fits = encoder.width((*whole, PROJECTION)) == _NEXT_SENTENCE.labels and not encoder.has_other_pooler(whole)
        return (*whole, PROJECTION) if fits else None
    networks = ((*base, SENTENCES, FIRST) for base in bases)
    return next((path for path in networks if encoder.has_dense(path)), None)


def _first_with(keys: Iterable[Path], ending: Path) -> Path | None:
    """What stands before an ending in the shortest path that has it."""
    found = [path[: -len(ending)] for path in keys if path[-len(ending) :] == ending]
    return min(found, key=lambda path: (len(path), path)) if found else None


def recovered_heads(places: Iterable[Place]) -> tuple[FoundHead, ...]:
    """The heads whose variables are among recovered places, of the kind that their class in the Model Garden tells."""
    by_source = {place.source: place for place in places}
    found = []
    if classifier.WEIGHTS in by_source and classifier.BIAS in by_source:
        found.append(_of_its_class(by_source[classifier.WEIGHTS]))
    if span.WEIGHTS in by_source:
        found.append(_SPAN._replace(why=_why("BertSpanLabeler")))
    if masked_lm.BIAS in by_source:
        weights = masked_lm.UNTIED_WEIGHTS if masked_lm.UNTIED_WEIGHTS in by_source else masked_lm.TIED_WEIGHTS
        words = by_source[masked_lm.BIAS].source_shape[0]
        why = _why("BertPretrainer")
        found.append(FoundHead(masked_lm.HEAD.name, weights, masked_lm.BIAS, words, why))
    if next_sentence.WEIGHTS in by_source:
        found.append(_NEXT_SENTENCE._replace(why=_why("BertPretrainer")))
    return tuple(found)


def _of_its_class(place: Place) -> FoundHead:
    """The head with run_classifier's variables, the kind of which the place of its weights tells."""
    head = classifier.found(place.source_shape[0])
    if place.path[-2:-1] == (PROJECTION,):
        # "If `num_classes` is set to 1, a regression network is instantiated" (bert_classifier.py)
        kind = "regression" if head.labels == 1 else head.kind
        return head._replace(kind=kind, why=_why("BertClassifier"))
    if place.path[-2:-1] == (CLASSIFIER,):
        return head._replace(kind="tokens", why=_why("BertTokenClassifier"))
    return head._replace(assumed=True)


def _why(name: str) -> str:
    return f"the Model Garden's class {name} has it"
