"""What travels with a model that answers text: its tokenizer, its labels, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from bertbuild.text.words import ROLES, VOCAB_FILE, Words

TEXT_FILE: Final = "text.json"
TOKENIZER_FILE: Final = "tokenizer.json"
TEXT_GATE_FILE: Final = "text_gate.json"
"""How models that take strings read a corpus of texts."""
WORDS_FILE: Final = "tokenizer_file"
"""What text.json calls the name of the file that text is read with, where it is no vocab.txt."""
FORMAT: Final = 1
USUAL_LENGTH: Final = 128


class HowRead(NamedTuple):
    """What a user says of how text is read; the model's files tell what is not said.

    Attributes:
        lower_case: whether letters are made small.
        vocab_reading: how duplicate lines of vocab.txt are numbered.
    """

    lower_case: bool | None = None
    vocab_reading: str = ""


AS_TOLD_BY_FILES: Final = HowRead()
"""Nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is known of a model's text.

    Attributes:
        task: what it was trained for, "" where nothing tells.
        head: the kind of its head for that task, "" where it has none.
        labels: words of the classes or tags, in the order of the head's rows; empty where nothing tells.
        do_lower_case: whether letters are made small; None where only the vocabulary tells.
        vocab_reading: how duplicate lines of vocab.txt are numbered; "" where there are none.
        max_seq_length: pieces that it was trained on, 0 where nothing tells.
        max_positions: pieces that it can take.
        doc_stride, max_query_length: of questions, as it was trained; 0 where nothing tells.
        negatives: whether a question may have no answer.
        special_tokens_in_text: whether special tokens are such where they stand in a text.
        asked: how the target is asked: "stage", "flag" and "params" of the stage that answers for it.
    """

    task: str = ""
    head: str = ""
    labels: tuple[str, ...] = ()
    do_lower_case: bool | None = None
    vocab_reading: str = ""
    max_seq_length: int = 0
    max_positions: int = 0
    doc_stride: int = 0
    max_query_length: int = 0
    negatives: bool = False
    special_tokens_in_text: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Pieces that a text is cut to: what the model was trained on, or the usual number."""
        return self.max_seq_length or min(USUAL_LENGTH, self.max_positions)

    def as_parameter(self) -> str:
        """As a value of a step's parameter."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":"))

    def as_json(self, words: Words) -> dict[str, Any]:
        """What text.json says, with what the file of the tokenizer tells."""
        vocab = words.vocab
        lower_case = words.lower_cases() if self.do_lower_case is None else self.do_lower_case
        named = dict(zip(ROLES, words.special, strict=True))
        return {
            "format": FORMAT,
            **asdict(self),
            "labels": list(self.labels),
            "do_lower_case": lower_case,
            "tokens": {role: {"word": word, "id": vocab[word]} for role, word in named.items() if word in vocab},
            "preprocessing": words.preprocessing(lower_case=lower_case),
            **({} if words.file == VOCAB_FILE else {WORDS_FILE: words.file}),
        }


def from_json(value: Mapping[str, Any]) -> Text:
    """What text.json, or the value of a parameter, says.

    Raises:
        ValueError, TypeError, KeyError: it is of another form.
    """
    if value["format"] != FORMAT:
        raise ValueError(f"text.json is of format {value['format']}, and this version reads {FORMAT}")
    known = {name: value[name] for name in Text.__dataclass_fields__ if name in value}
    for name, (is_one, words) in _FORMS.items():
        if name in known and not is_one(known[name]):
            raise ValueError(f"{name} is not {words}")
    return Text(**{**known, "labels": tuple(value["labels"])})


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_WORD: Final = lambda value: isinstance(value, str), "a word"
_TRUTH: Final = lambda value: isinstance(value, bool), "true or false"
_FORMS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    **dict.fromkeys(("task", "head", "vocab_reading"), _WORD),
    **dict.fromkeys(
        ("max_seq_length", "max_positions", "doc_stride", "max_query_length"), (_is_whole, "a number from 0")
    ),
    **dict.fromkeys(("negatives", "special_tokens_in_text"), _TRUTH),
    "do_lower_case": (lambda value: value is None or isinstance(value, bool), "true or false"),
    "labels": (_is_words, "a list of words"),
    "asked": (lambda value: isinstance(value, dict), "an object"),
}
