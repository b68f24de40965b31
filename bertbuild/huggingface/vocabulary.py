"""The vocabulary of a Hugging Face folder as vocab.txt has it, and whether its text is lower-cased."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.sentencepiece import is_model, told
from bertbuild.checkpoint.user_files import read_object, read_regular, require_utf8
from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import PIECES, TOKENIZER, TOKENIZER_CONFIG, VOCAB, HuggingFaceFiles

LOWER_CASE: Final = "do_lower_case"
_NOT_BERTS: Final = "Add the model's vocab.txt, or spiece.model where its pieces are of SentencePiece."
_PIECES_OTHERWISE: Final = f"Give the model's own words, or its model of SentencePiece as {PIECES} in place of {VOCAB}."


def vocabulary(files: HuggingFaceFiles) -> bytes | None:
    """The content of vocab.txt: a word a line, in order of the ids; None of a model with SentencePiece's alone.

    Raises:
        CheckpointError: tokenizer.json stands in for it and is of another kind, or has gaps; or it is not UTF-8, or of
            SentencePiece.
    """
    if files.vocabulary is None:
        return None
    if files.vocabulary.name != TOKENIZER:
        content = read_regular(files.vocabulary)
        if odd := told(content):
            raise CheckpointError(f"{files.vocabulary} {odd}.", next_step=_PIECES_OTHERWISE)
        require_utf8(content, files.vocabulary)
        return content
    words = _words(files.vocabulary)
    return "".join(f"{word}\n" for word in words).encode()


def pieces(files: HuggingFaceFiles) -> bytes | None:
    """The content of spiece.model; None of a model with a vocab.txt.

    Raises:
        CheckpointError: it is no model of SentencePiece.
    """
    if files.pieces is None:
        return None
    content = read_regular(files.pieces)
    if not is_model(content):
        raise CheckpointError(
            f"{files.pieces} is no model of SentencePiece.",
            next_step=f"If it lists the words of WordPiece, call it {VOCAB}; else download it again.",
        )
    return content


def lower_case(files: HuggingFaceFiles) -> bool | None:
    """Whether text is lower-cased before words are looked up; None where the folder does not say.

    Raises:
        CheckpointError: what it says is not a truth value.
    """
    found = recorded_lower_case(files.folder)
    if found is not None or files.vocabulary is None or files.vocabulary.name != TOKENIZER:
        return found
    normalizer = read_object(files.vocabulary).get("normalizer")
    return _truth(files.vocabulary, "lowercase", normalizer if isinstance(normalizer, dict) else {})


def recorded_lower_case(folder: Path) -> bool | None:
    """What the tokenizer_config.json beside a model or checkpoint says of it, if there is one and it does.

    Raises:
        CheckpointError: what it says is not a truth value.
    """
    path = folder / TOKENIZER_CONFIG
    return _truth(path, LOWER_CASE, read_object(path)) if path.is_file() else None


def _truth(path: Path, key: str, values: Mapping[str, Any]) -> bool | None:
    found = values.get(key)
    if found is not None and not isinstance(found, bool):
        raise CheckpointError(f"{path} has {key} {found!r}, not true or false.", next_step=f"Fix {key} in that file.")
    return found


def _words(path: Path) -> list[str]:
    """The words of a tokenizer.json in order of their ids, added ones with them."""
    tokenizer = read_object(path)
    found, added = tokenizer.get("model"), tokenizer.get("added_tokens") or []
    model = found if isinstance(found, dict) else {}
    kind = model.get("type")
    if kind != "WordPiece":
        raise CheckpointError(
            f"{path} is a vocabulary of {kind or 'no known kind'}, not of WordPiece.", next_step=_NOT_BERTS
        )
    ids: dict[int, str] = {}
    for word, number in (*_pairs(path, model.get("vocab")), *_added(path, added)):
        if ids.setdefault(number, word) != word:
            raise _odd(path, f"two words have the id {number}")
    if sorted(ids) != list(range(len(ids))):
        raise _odd(path, f"its {len(ids)} words do not have the ids 0 to {len(ids) - 1}")
    return [ids[number] for number in range(len(ids))]


def _pairs(path: Path, vocab: Any) -> list[tuple[str, int]]:
    if not isinstance(vocab, dict) or not vocab:
        raise _odd(path, "it has no words")
    for word, number in vocab.items():
        _check(path, word, number)
    return list(vocab.items())


def _added(path: Path, added: Any) -> list[tuple[str, int]]:
    try:
        pairs = [(token["content"], token["id"]) for token in added]
    except (TypeError, KeyError) as error:
        raise _odd(path, "its added tokens have no id or no text") from error
    for word, number in pairs:
        _check(path, word, number)
    return pairs


def _check(path: Path, word: Any, number: Any) -> None:
    lone = isinstance(word, str) and any("\ud800" <= letter <= "\udfff" for letter in word)
    if not isinstance(word, str) or "\n" in word or lone or type(number) is not int:
        raise _odd(path, f"{word!r} is not a word with an id")


def _odd(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be written as a vocab.txt: {why}.", next_step=_NOT_BERTS)
