"""Which heads of a Hugging Face model google-research/bert has too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from bertbuild.checkpoint.variables import Shape
from bertbuild.errors import CheckpointError
from bertbuild.families.table import ELECTRA, FAMILIES
from bertbuild.heads import classifier, masked_lm, next_sentence, replaced_token, span
from bertbuild.huggingface.classes import class_for
from bertbuild.huggingface.family_names import DECODERS
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
REPLACED_TOKEN: Final = tuple(replaced_token.HEAD.variables(0, 0, 0))
_WORDS: Final = {
    CLASSIFIER: "the classifier",
    SQUAD: "the head for questions",
    NEXT_SENTENCE: "the head for next sentences",
    MASKED_LM: "the masked-LM head",
    REPLACED_TOKEN: "the replaced-token head",
}
_SEQUENCE_CLASSIFIER: Final = "ForSequenceClassification"
_TAGGER: Final = "ForTokenClassification"
_TIED: Final = "tie_word_embeddings"
"""config.json's key; transformers takes it for true where it is not there."""


@dataclass(slots=True, kw_only=True)
class Chosen:
    """What is taken of the heads, and what is not.

    Attributes:
        shapes: Google's name → shape of the variables that are taken.
        left_out: Google's names of what is not taken.
        also: Hugging Face's names of what is not taken and has no name of Google's.
        tied: Hugging Face's names of what is tied to others that are taken.
        notes: what is not taken and why, a sentence for each head.
        own_table: Hugging Face's name of the masked LM's table, where that is not the one of the word embeddings.
        kind: of what kind the classifier is ("kind", a name of the table of heads) and what tells it ("why"); empty
            where config.json does not tell, or there is none.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    tied: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    own_table: str = ""
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
    layer, taken = DECODERS[settings.family], set(named.values())
    decoder = {name.rpartition(layer)[2]: name for name in tensors if layer in name and name not in taken}
    hidden, vocab = settings.bert_config["hidden_size"], settings.bert_config["vocab_size"]
    width = settings.bert_config.get("embedding_size", hidden)
    classes = tensors[named[CLASSIFIER[0]]].shape[:1] if CLASSIFIER[0] in named else ()
    sizes: dict[tuple[str, ...], tuple[Shape, ...]] = {
        CLASSIFIER: ((*classes, hidden), classes),
        SQUAD: ((2, hidden), (2,)),
        NEXT_SENTENCE: ((2, hidden), (2,)),
        MASKED_LM: ((vocab,), (hidden, width), (width,), (width,), (width,)),
        REPLACED_TOKEN: tuple(replaced_token.HEAD.variables(hidden, 0, 0).values()),
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
            why = why or _other_bias(tensors, named, decoder)
            chosen.own_table = "" if why else _own_table(settings, tensors, named, decoder)
        if why:
            chosen.left_out.extend(there)
            chosen.notes.append(f"{_WORDS[head]} is left out: {why}")
        else:
            chosen.shapes.update(zip(head, shapes, strict=True))
    if chosen.own_table:
        chosen.shapes[masked_lm.UNTIED_WEIGHTS] = (vocab, width)
    rest = [name for name in decoder.values() if name != chosen.own_table]
    (chosen.tied if MASKED_LM[0] in chosen.shapes else chosen.also).extend(rest)
    return chosen


def _no_classifier(settings: Settings, classes: Shape) -> str:
    """Why `classifier.*` is none of the heads of the table; or ""."""
    word = class_for((), settings.family).removesuffix("Model")
    of_family = (_TAGGER,) if settings.family == ELECTRA else (_SEQUENCE_CLASSIFIER, _TAGGER)
    if settings.architecture.startswith(word) and settings.architecture.removeprefix(word) not in of_family:
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
    if settings.architecture.endswith(_TAGGER):
        return {"kind": "tokens", "why": f"config.json says {settings.architecture}"}
    problem = settings.theirs.get("problem_type")
    if problem is not None:
        return {"kind": PROBLEM_TYPES[problem], "why": f"config.json has problem_type {problem}"}
    if not settings.architecture.endswith(_SEQUENCE_CLASSIFIER):
        return {}
    kind, labels = ("regression", " of one label") if classes == (1,) else ("classifier", "")
    return {"kind": kind, "why": f"config.json says {settings.architecture}{labels}"}


def _other_bias(tensors: Mapping[str, Stored], named: Mapping[str, str], decoder: Mapping[str, str]) -> str:
    """Why a masked-LM head's bias, which transformers keeps twice, is not just one; or ""."""
    bias = decoder.get("bias")
    if bias is None or _same(tensors[bias], tensors[named[MASKED_LM[0]]]):
        return ""
    return f"its {bias} is not tied to {named[MASKED_LM[0]]}"


def _own_table(
    settings: Settings, tensors: Mapping[str, Stored], named: Mapping[str, str], decoder: Mapping[str, str]
) -> str:
    """The name of a masked-LM head's table where that is its own and not the word embeddings'; else "".

    Raises:
        CheckpointError: config.json says otherwise than the weights are; transformers would go by config.json.
    """
    words, table = named.get(_words(settings.family)), decoder.get("weight")
    tied = settings.theirs.get(_TIED, True) is not False
    if words is None or (table is None and tied):
        return ""
    if table is None:
        raise CheckpointError(
            f"config.json says that the masked LM has a table of its own ({_TIED} false), and the weights have none.",
            next_step=f"Remove {_TIED} from config.json if the head shares the word embeddings, else add the table.",
        )
    if _same(tensors[table], tensors[words]):
        return ""
    if tied:
        raise CheckpointError(
            f"{table} is not {words}, and config.json says that they are one table ({_TIED}, or nothing of it).",
            next_step=f'Say "{_TIED}": false in config.json if the head has a table of its own, else remove {table}.',
        )
    return table


def _words(family: str) -> str:
    return FAMILIES[family].scopes.words


def _same(one: Stored, other: Stored) -> bool:
    if one.shape != other.shape or not {one.dtype, other.dtype} <= FLOATS.keys():
        return False
    return one == other or bool(np.array_equal(one.read(), other.read()))
