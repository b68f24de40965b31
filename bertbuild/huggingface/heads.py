"""Which heads of a Hugging Face model google-research/bert has too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bertbuild.checkpoint.variables import Shape
from bertbuild.errors import CheckpointError
from bertbuild.families.bert import WORD_EMBEDDINGS
from bertbuild.heads import classifier, masked_lm, next_sentence, span
from bertbuild.huggingface.settings import PROBLEM_TYPES, Settings
from bertbuild.huggingface.stored import FLOATS, Stored
from bertbuild.plural import number_of

CLASSIFIER: Final = (classifier.WEIGHTS, classifier.BIAS)
SQUAD: Final = (span.WEIGHTS, span.BIAS)
NEXT_SENTENCE: Final = (next_sentence.WEIGHTS, next_sentence.BIAS)
MASKED_LM: Final = (
    masked_lm.BIAS,
    masked_lm.KERNEL,
    masked_lm.KERNEL_BIAS,
    masked_lm.GAMMA,
    masked_lm.BETA,
)
_WORDS: Final = {
    CLASSIFIER: "the classifier",
    SQUAD: "the head for questions",
    NEXT_SENTENCE: "the head for next sentences",
    MASKED_LM: "the masked-LM head",
}
_DECODER: Final = "cls.predictions.decoder."
_SEQUENCE_CLASSIFIER: Final = "BertForSequenceClassification"
_TAGGER: Final = "BertForTokenClassification"
_HAS_CLASSIFIER: Final = (_SEQUENCE_CLASSIFIER, _TAGGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is taken of the heads, and what is not.

    Attributes:
        shapes: Google's name → shape of the variables that are taken.
        left_out: Google's names of what is not taken.
        also: Hugging Face's names of what is not taken and has no name of Google's.
        tied: Hugging Face's names of what is tied to others that are taken.
        notes: what is not taken and why, a sentence for each head.
        kind: of what kind the classifier is ("kind", a name of the table of heads) and what tells it ("why"); empty
            where config.json does not tell, or there is none.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    tied: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: dict[str, str] = field(default_factory=dict)


def choose_heads(settings: Settings, tensors: Mapping[str, Stored], named: Mapping[str, str]) -> Chosen:
    """Judge each head there is.

    Args:
        settings: of the model.
        tensors: by Hugging Face's names.
        named: Google's name → Hugging Face's.

    Raises:
        CheckpointError: config.json has another number of labels than the classifier.
    """
    chosen = Chosen()
    decoder = {name.rpartition(_DECODER)[2]: name for name in tensors if _DECODER in name}
    hidden, vocab = settings.bert_config["hidden_size"], settings.bert_config["vocab_size"]
    classes = tensors[named[CLASSIFIER[0]]].shape[:1] if CLASSIFIER[0] in named else ()
    sizes: dict[tuple[str, ...], tuple[Shape, ...]] = {
        CLASSIFIER: ((*classes, hidden), classes),
        SQUAD: ((2, hidden), (2,)),
        NEXT_SENTENCE: ((2, hidden), (2,)),
        MASKED_LM: ((vocab,), (hidden, hidden), (hidden,), (hidden,), (hidden,)),
    }
    for head, shapes in sizes.items():
        there = [name for name in head if name in named]
        if not there:
            continue
        missing = next((name for name in head if name not in named), None)
        why = f"it has no {missing}" if missing else ""
        if head is CLASSIFIER and not why:
            why = _no_classifier(settings, classes)
            if not why:
                _check_labels(settings, classes, named[CLASSIFIER[0]])
                chosen.kind.update(_kind(settings, classes))
        if head is MASKED_LM:
            why = why or _untied(tensors, named, decoder)
        if why:
            chosen.left_out.extend(there)
            chosen.notes.append(f"{_WORDS[head]} is left out: {why}")
        else:
            chosen.shapes.update(zip(head, shapes, strict=True))
    (chosen.tied if MASKED_LM[0] in chosen.shapes else chosen.also).extend(decoder.values())
    return chosen


def _no_classifier(settings: Settings, classes: Shape) -> str:
    """Why `classifier.*` is none of the heads of the table; or ""."""
    if settings.architecture.startswith("Bert") and settings.architecture not in _HAS_CLASSIFIER:
        return f"{settings.architecture} has another one than google-research/bert"
    kind = settings.theirs.get("problem_type")
    if kind not in (None, *PROBLEM_TYPES):
        return f"its problem_type is {kind}, which is not known"
    if kind == "regression" and classes != (1,):
        return f"its problem_type is regression, and it gives {number_of(classes[0], 'number')}"
    return ""


def _check_labels(settings: Settings, classes: Shape, weights: str) -> None:
    """Refuse a config.json with another number of labels than the classifier has rows."""
    labels = settings.theirs.get("id2label")
    if isinstance(labels, dict) and labels and (len(labels),) != classes:
        raise CheckpointError(
            f"config.json names {number_of(len(labels), 'label')} (id2label), and {weights} has "
            f"{number_of(classes[0], 'row')}.",
            next_step="Download the whole folder of the model, with the config.json that belongs to it.",
        )


def _kind(settings: Settings, classes: Shape) -> dict[str, str]:
    """Of what kind the classifier is, and what tells it; nothing where config.json does not tell.

    transformers takes one label for a regression where there is no problem_type.
    """
    if settings.architecture == _TAGGER:
        return {"kind": "tokens", "why": f"config.json says {settings.architecture}"}
    problem = settings.theirs.get("problem_type")
    if problem is not None:
        return {"kind": PROBLEM_TYPES[problem], "why": f"config.json has problem_type {problem}"}
    if settings.architecture != _SEQUENCE_CLASSIFIER:
        return {}
    kind, labels = ("regression", " of one label") if classes == (1,) else ("classifier", "")
    return {"kind": kind, "why": f"config.json says {settings.architecture}{labels}"}


def _untied(tensors: Mapping[str, Stored], named: Mapping[str, str], decoder: Mapping[str, str]) -> str:
    """Why a masked-LM head's decoder is not the one that google-research/bert shares with the embeddings; or ""."""
    pairs = (("weight", WORD_EMBEDDINGS), ("bias", MASKED_LM[0]))
    for part, google in pairs:
        if part in decoder and not _same(tensors[decoder[part]], tensors[named[google]]):
            return f"its {_DECODER}{part} is not tied to {named[google]}"
    return ""


def _same(one: Stored, other: Stored) -> bool:
    if one.shape != other.shape or not {one.dtype, other.dtype} <= FLOATS.keys():
        return False
    return one == other or bool(np.array_equal(one.read(), other.read()))
