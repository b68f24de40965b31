"""What is known of a source's text: its tokenizer, and what its own files, its training or the user say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.imported import RECORD, import_facts
from bertbuild.checkpoint.tokenizer_file import read_words, tokenizer_in
from bertbuild.checkpoint.user_files import read_object
from bertbuild.checkpoint.vocabulary import chosen_reading, is_pieces, require_words
from bertbuild.errors import BertbuildError, CheckpointError, UsageError
from bertbuild.huggingface.vocabulary import recorded_lower_case
from bertbuild.json_text import parse_json
from bertbuild.plans.plan import TF2, File, Source
from bertbuild.plural import number_of
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.prepared import fine_tuned
from bertbuild.store.inputs import file_input
from bertbuild.store.store import Store
from bertbuild.text.facts import AS_TOLD_BY_FILES, TEXT_FILE, HowRead, Text, from_json
from bertbuild.text.words import ROLES

OF_WORDS = ("classifier", "multi-label", "tokens")
"""Heads whose rows have names."""
UNNAMED = "LABEL_"
"""How transformers begins the names of labels that nobody named."""


def text_of(found: Inspected, store: Store, how_read: HowRead = AS_TOLD_BY_FILES) -> tuple[Text, File] | None:
    """A source's text and the file of its tokenizer; None for one without.

    Args:
        found: the source.
        store: knows digests.
        how_read: what the user says.

    Raises:
        UsageError: --labels names more or fewer labels than the head has.
    """
    source = found.source
    vocab = _vocabulary(source)
    if vocab is None:
        if found.labels:
            raise UsageError(
                f"--labels goes with a tokenizer, and {source.model} comes without a vocab.txt or a model of "
                "SentencePiece.",
                next_step="Name it: --vocab FILE.",
            )
        return None
    folder = _folder(source)
    text = _known(folder, source, found) if source.kind == "checkpoint" or source.kind in TF2 else None
    text = text or _beside(folder) or Text()
    head = source.head
    if found.labels:
        text = replace(text, labels=_named(found.labels, source, text))
    elif head is not None and head.kind in OF_WORDS and len(text.labels) != head.labels:
        text = replace(text, labels=())
    try:
        is_of_lines = not is_pieces(vocab)
        known = is_of_lines and not how_read.vocab_reading and text.vocab_reading
        reading = known or chosen_reading(vocab, found.vocab_size, how_read.vocab_reading)[0]
    except BertbuildError:
        return None  # damaged, or nothing tells how its lines are numbered: text cannot be read with it
    text = replace(text, vocab_reading=reading, max_positions=source.max_positions)
    if how_read.lower_case is not None:
        text = replace(text, do_lower_case=how_read.lower_case)
    return text, file_input(vocab, store.inputs)


def unknown_of(found: Inspected, text: tuple[Text, File] | None) -> int:
    """The number of [UNK], which a guarded graph takes ids outside the vocabulary for.

    Args:
        found: the source.
        text: what `text_of` gives.

    Raises:
        UsageError: it comes without a tokenizer, or there is no [UNK] in its vocab.txt.
        CheckpointError: its tokenizer has more words than the model.
    """
    model = found.source.model
    if text is None:
        raise UsageError(
            f"--guard answers an id outside the vocabulary as [UNK], and {model} comes without a vocab.txt or a model "
            "of SentencePiece that can be read.",
            next_step="Name the model's vocab.txt (--vocab FILE), or leave --guard out.",
        )
    facts, vocab = text
    require_words(vocab.path, found.vocab_size, facts.vocab_reading)
    words = read_words(vocab.path.read_bytes(), facts.vocab_reading)
    unknown = words.special[ROLES.index("unknown")]
    if unknown not in words.vocab:
        raise UsageError(
            f"--guard answers an id outside the vocabulary as {unknown}, and the {words.file} of {model} has none.",
            next_step="Leave --guard out.",
        )
    return words.vocab[unknown]


def require_text(found: Inspected, text: tuple[Text, File] | None) -> None:
    """Refuse models that take strings, of a source whose text nothing tells how to read.

    Args:
        found: the source.
        text: what `text_of` gives.

    Raises:
        UsageError: it comes without a tokenizer's file, or nothing tells how equal lines of a vocab.txt are numbered.
        CheckpointError: the file has more words than the model.
    """
    if text is None:
        raise UsageError(
            f"--text makes models that read text, and {found.source.model} comes without a vocab.txt or a model of "
            f"SentencePiece that can be read.{_why_unread(found)}",
            next_step="Put the model's vocab.txt or model of SentencePiece beside it, or leave --text out.",
        )
    if found.vocab_size:
        require_words(text[1].path, found.vocab_size, text[0].vocab_reading)


def require_tokenizer(found: Inspected, text: tuple[Text, File] | None, how_read: HowRead) -> None:
    """Refuse targets whose format has the files of a tokenizer, of a source without one that fits it.

    Args:
        found: the source.
        text: what `text_of` gives.
        how_read: what it was given.

    Raises:
        UsageError: it comes without a tokenizer, or nothing tells how equal lines of its vocab.txt are numbered.
        CheckpointError: its tokenizer cannot be read, or has more words than the model.
    """
    vocab = _vocabulary(found.source)
    if vocab is None:
        raise UsageError(
            f"A Hugging Face folder has a tokenizer, and {found.source.model} comes without a vocab.txt and without "
            "one model of SentencePiece.",
            next_step="Name the one that came with the model: --vocab FILE.",
        )
    if text is None:
        chosen_reading(vocab, found.vocab_size, how_read.vocab_reading)  # which says why it cannot be read
    elif found.vocab_size:
        require_words(vocab, found.vocab_size, text[0].vocab_reading)


def words_of_another(found: Inspected, text: tuple[Text, File]) -> str:
    """Why a model's tokenizer is another model's: it has more words than the model; "" where it may be its own."""
    try:
        if found.vocab_size:
            require_words(text[1].path, found.vocab_size, text[0].vocab_reading)
    except CheckpointError as error:
        return str(error)
    return ""


def _why_unread(found: Inspected) -> str:
    """Why the tokenizer that is there cannot be read; "" where there is none."""
    vocab = _vocabulary(found.source)
    try:
        if vocab is not None:
            chosen_reading(vocab, found.vocab_size, "")
    except BertbuildError as error:
        return f" {error}"
    return ""


def _folder(source: Source) -> Path:
    return source.file.path if source.file.files else source.file.path.parent


def _vocabulary(source: Source) -> Path | None:
    """Where the file of a source's tokenizer is, if it has one."""
    return source.vocab.path if source.vocab else tokenizer_in(_folder(source))


def _known(folder: Path, source: Source, found: Inspected) -> Text | None:
    """What stands beside a checkpoint: task.json of a training, text.json of a target, what an import noted."""
    tuned = fine_tuned(folder, source.prefix)
    if not tuned and (folder / TEXT_FILE).is_file():
        return _beside(folder)
    lower_case = tuned.get("do_lower_case")
    if lower_case is None:
        lower_case = recorded_lower_case(folder)
    if lower_case is None:
        lower_case = found.lower_case
    head = source.head
    return Text(
        task=str(tuned.get("task") or ""),
        head=head.kind if head else str(tuned.get("head") or ""),
        labels=tuple(tuned.get("labels") or ()) or _imported_labels(folder, source),
        do_lower_case=lower_case,
        vocab_reading=str(tuned.get("vocab_reading") or ""),
        max_seq_length=_whole(tuned, "max_seq_length"),
        doc_stride=_whole(tuned, "doc_stride"),
        max_query_length=_whole(tuned, "max_query_length"),
        negatives=bool(tuned.get("version_2_with_negative")),
    )


def _whole(facts: Mapping[str, Any], name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _beside(folder: Path) -> Text | None:
    """What the text.json of a target that a source lies in says; None where there is none that can be read."""
    path = folder / TEXT_FILE
    if not path.is_file():
        return None
    try:
        return replace(from_json(read_object(path)), asked={})
    except (BertbuildError, ValueError, TypeError, KeyError):
        return None


def _imported_labels(folder: Path, source: Source) -> tuple[str, ...]:
    """The labels of the Hugging Face folder that a checkpoint was imported from, if they were named there."""
    if source.prefix != "bert_model.ckpt" or not (folder / RECORD).is_file():
        return ()
    from bertbuild.checkpoint.folder import find_checkpoint

    facts = import_facts(find_checkpoint(folder)) or {}
    try:
        return named_labels(dict(parse_json(str(facts.get("from", "{}")))))
    except (ValueError, TypeError):
        return ()


def named_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels that a Hugging Face config.json names; none where it has but transformers' own names for them."""
    try:
        named = config.get("id2label") or {}
        labels = tuple(str(named[number]) for number in sorted(named, key=int))
    except (ValueError, TypeError, AttributeError):
        return ()
    return () if all(label.startswith(UNNAMED) for label in labels) else labels


def _named(labels: str, source: Source, text: Text) -> tuple[str, ...]:
    """The labels of --labels, held to the head's rows."""
    words = tuple(label.strip() for label in labels.split(","))
    repeated = next((word for word in words if words.count(word) > 1 or not word), None)
    if repeated is not None:
        what = f"names {repeated!r} twice" if repeated else "has an empty name"
        raise UsageError(f"--labels {what}.", next_step="Give each class a name of its own, with commas between them.")
    head = source.head
    if head is None or head.kind not in OF_WORDS:
        kind = f"a head of kind {head.kind}" if head else "no head"
        raise UsageError(
            f"--labels names classes or tags, and {source.model} has {kind}.", next_step="Leave --labels out."
        )
    if len(words) != head.labels:
        known = f" ({', '.join(text.labels)} as it was trained)" if text.labels else ""
        raise UsageError(
            f"--labels names {number_of(len(words), 'label')}, and the head of {source.model} has "
            f"{head.labels}{known}.",
            next_step="Name each of them, in the order of the head's rows.",
        )
    return words
