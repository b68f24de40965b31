"""predict: text in, answer out, by a target that is built."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.tokenizer_file import read_words
from bertbuild.checkpoint.user_files import read_object, read_regular
from bertbuild.commands.predict_texts import Predict, texts_of
from bertbuild.commands.predicted import ANSWERED, Reading, Row, asked_of, line_of, rows_of, tensors_of
from bertbuild.commands.reference import presumed, require_1
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import BertbuildError, DataError, UsageError
from bertbuild.kinds import KINDS
from bertbuild.names import did_you_mean
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.plural import number_of
from bertbuild.source.known_text import OF_WORDS
from bertbuild.text.asking import Asked, Questions
from bertbuild.text.facts import TEXT_FILE, WORDS_FILE, from_json
from bertbuild.text.wordpiece import MASK
from bertbuild.text.words import ROLES, TOKENIZER_FILES, VOCAB_FILE

MASKED_LM: Final = "masked-lm"
SIGNATURE: Final = "signature.json"
MAPPING: Final = "mapping.json"
"""The file of a checkpoint of TensorFlow 2 that tells what of the source it has."""
HUGGING_FACE: Final = "tokenizer_config.json"
"""The file by which a Hugging Face folder is known: its stage writes a tokenizer as transformers wants it."""
SHORTEST: Final = 5
"""Pieces: one of each of two texts, and three special tokens."""
AT_A_TIME: Final = 1024
"""Sequences of one run of the stage that answers; of a masked LM, whose answers are the vocabulary's size, `FEW`."""
FEW: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted(Result):
    """What a target answers to texts.

    Attributes:
        target: as it was named.
        task: what it was trained for, "" where nothing tells.
        head: the kind of head that answers.
        texts: how many.
        cut: how many were cut to fit.
        max_seq_length: pieces that they were cut to.
        answers: of each text: `text`, `other` where there is one, and what its kind of head tells.
    """

    target: str
    task: str
    head: str
    texts: int
    cut: int
    max_seq_length: int
    answers: tuple[Mapping[str, Any], ...]


def predict(session: Session, asked: Predict) -> Predicted:
    """Ask a target in its own backend.

    Raises:
        UsageError: there is no such target, or it does not answer such a question.
        DataError: a file of texts cannot be read, or the target has no tokenizer.
    """
    folder = _folder(session, asked.target)
    texts = texts_of(asked)
    facts = facts_of(folder)
    kind = _kind(folder, facts, asked)
    reading = reading_of(folder, facts, kind, asked)
    _check_fits(texts, kind)
    questions = _asked(kind, texts, reading)
    if kind in OF_WORDS and not reading.text.labels:
        text = f"{asked.target} carries no labels: classes are told by their numbers (--labels of build-ir names them)"
        session.report({"event": "warning", "text": text})
    session.isolation.require()
    rows = [
        row for part in _parts(kind, questions) for row in _told(session, folder, facts, kind, part, reading, asked)
    ]
    lines = [line_of(kind, row) for row in rows]
    if questions.cut:
        one = "question" if kind == "span" else "text"
        whole = f"The {one} was" if len(texts) == 1 else f"{len(questions.cut)} of {number_of(len(texts), one)} were"
        fitting = (
            f"to {reading.query} pieces" if kind == "span" else f"to fit {reading.length} pieces (--max-seq-length)"
        )
        session.report({"event": "warning", "text": f"{whole} cut {fitting}"})
    named = [{"text": one.text, **({} if one.other is None else {"other": one.other})} for one in texts]
    result = Predicted(
        target=asked.target,
        task=reading.text.task,
        head=kind,
        texts=len(texts),
        cut=len(questions.cut),
        max_seq_length=reading.length,
        answers=tuple({**name, **row} for name, row in zip(named, rows, strict=True)),
    )
    return session.result(result, *lines)


def _folder(session: Session, target: str) -> Path:
    """The folder of a target: a name in out/, or a path."""
    named = session.store.root / "out" / target
    if target.count("/") == 1 and named.is_dir():
        return named.resolve()
    path = Path(target)
    if path.is_dir():
        return path.resolve()
    if path.is_file():
        return path.resolve().parent
    there = [f"{one.parent.name}/{one.name}" for one in (session.store.root / "out").glob("*/*")]
    raise UsageError(
        f"There is no target {target!r}{did_you_mean(target, there)}",
        next_step="Give MODEL/TARGET, as invoke status lists them, or the folder of a target.",
    )


def facts_of(folder: Path) -> Mapping[str, Any]:
    """What text.json says.

    Raises:
        DataError: there is none that can be read.
    """
    path = folder / TEXT_FILE
    if (folder / HUGGING_FACE).is_file():
        raise DataError(
            f"{shown(folder)} is a Hugging Face folder: transformers asks it in words, and bertbuild does not.",
            next_step="Give another target of the model, or ask transformers: pipeline(model='FOLDER').",
        )
    if not path.is_file() or not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise DataError(
            f"{shown(folder)} carries no tokenizer ({TEXT_FILE}, and {' or '.join(TOKENIZER_FILES)}).",
            next_step="Build the target again from a checkpoint that has a vocab.txt or a model of SentencePiece "
            "(--vocab FILE names one that lies elsewhere): that adds them, and computes nothing again.",
        )
    try:
        found = read_object(path)
        from_json(found)
    except (BertbuildError, ValueError, TypeError, KeyError) as error:
        why = str(error).rstrip(".")
        raise DataError(f"{path} cannot be read: {why}.", next_step="Build the target again.") from error
    how = found.get("asked", {})
    params = how.get("params", {})
    told = isinstance(params, dict) and all(isinstance(value, str) for value in params.values())
    if not told or (how.get("stage"), how.get("flag")) not in _ways():
        raise DataError(f"{path} does not say how the target is asked.", next_step="Build the target again.")
    if not {"head", "do_lower_case", "max_seq_length", "max_positions"} <= found.keys():
        raise DataError(f"{path} does not say how text is read.", next_step="Build the target again.")
    return found


def _ways() -> list[tuple[str, str]]:
    """The stages that answer for a target, each with what it calls that: another one is not run for it."""
    return [(kind.asked.stage, kind.asked.flag) for kind in KINDS.values()]


def _kind(folder: Path, facts: Mapping[str, Any], asked: Predict) -> str:
    """The kind of head that answers: the trained one, if the target gives its answers, else one that it gives."""
    kinds = [facts["head"], *(kind for kind in ANSWERED if kind != facts["head"])]
    given = _outputs(folder)
    if given is None:
        heads = _heads(folder)
        found = facts["head"] if facts["head"] in ANSWERED and (heads is None or facts["head"] in heads) else ""
        if heads and not found:
            found = next((kind for kind in (MASKED_LM, "next-sentence") if kind in heads), "")
    else:
        own = (kind for kind in kinds if kind in ANSWERED and set(tensors_of(kind)) & given)
        found = next((kind for kind in own if kind == facts["head"] or kind in (MASKED_LM, "next-sentence")), "")
    if not found:
        gives = f" gives {', '.join(sorted(given))}" if given else " has no head whose answers can be told in words"
        next_step = "Build a target of a model that was fine-tuned, or with --output masked-lm-logits."
        if given is None and facts["head"]:
            next_step = f"Build one that has the model's {facts['head']} head: of TensorFlow 2 --format keras-bert."
        raise UsageError(
            f"{asked.target}{gives}: predict tells classes, labels, scores, tags, answers to questions, masked words.",
            next_step=next_step,
        )
    if (found == "span") != (asked.question is not None) and not asked.file:
        flags = "--question and --context" if found == "span" else "--text"
        raise UsageError(f"{asked.target} answers with a head of kind {found}.", next_step=f"Give {flags}.")
    return str(found)


def _outputs(folder: Path) -> set[str] | None:
    """The names of the target's outputs, None where no signature.json tells them, as of TensorFlow 2's SavedModels."""
    return set(_ports(folder, "outputs")) or None


def _heads(folder: Path) -> set[str] | None:
    """The kinds of the heads that a checkpoint of TensorFlow 2 has, None where nothing tells them."""
    told = read_object(folder / MAPPING).get("heads") if (folder / MAPPING).is_file() else None
    if not isinstance(told, list) or not all(isinstance(head, dict) for head in told):
        return None
    return {str(head.get("kind")) for head in told}


def _ports(folder: Path, which: str) -> Mapping[str, Any]:
    """The "inputs" or "outputs" of the target's signature.json; nothing where it has none.

    Raises:
        DataError: the file is of another form.
    """
    path = folder / SIGNATURE
    if not path.is_file():
        return {}
    found = read_object(path).get(which, {})
    if not isinstance(found, dict) or not all(isinstance(port, dict) for port in found.values()):
        raise DataError(f"{path} has {which} that do not fit its inputs by name.", next_step="Build the target again.")
    return found


def reading_of(folder: Path, facts: Mapping[str, Any], kind: str, asked: Predict) -> Reading:
    """What text is read with.

    Raises:
        DataError: the vocabulary is not the one that the target was built with, or lacks a special token.
        UsageError: --max-seq-length is more than the model or the target takes.
    """
    text, path = from_json(facts), _tokenizer_of(folder, facts)
    content = read_regular(path)
    if facts.get("vocab_sha256") != hashlib.sha256(content).hexdigest():
        raise DataError(
            f"{path} is another vocabulary than the one that the target was built with.",
            next_step="Bring the model's own back, or build the target again with --vocab FILE.",
        )
    try:
        words = read_words(content, text.vocab_reading)
    except ValueError as error:
        raise DataError(f"{path} {error}.", next_step="Give the model's own file.") from error
    _, *needed = words.special if kind == MASKED_LM else words.special[: ROLES.index("mask")]
    missing = [word for word in needed if word not in words.vocab]
    if missing:
        raise DataError(f"{path} has no {' and no '.join(missing)}.", next_step=f"Give the model's own {path.name}.")
    fixed = _fixed_length(folder)
    longest = min(filter(None, (text.max_positions, fixed)), default=0)
    usual = min(longest, facts["max_seq_length"])
    if usual < SHORTEST:
        raise DataError(f"{folder / TEXT_FILE} tells of texts of {usual} pieces.", next_step="Build the target again.")
    if asked.max_seq_length > longest or 0 < asked.max_seq_length < SHORTEST:
        raise UsageError(
            f"--max-seq-length must be from {SHORTEST} to {longest} (got {asked.max_seq_length}).",
            next_step="Longer texts are cut.",
        )
    as_such = asked.special_tokens_in_text or text.special_tokens_in_text
    special = words.special if as_such else (MASK,) if kind == MASKED_LM else ()
    lower_case = bool(facts["do_lower_case"])
    return Reading(
        text=text,
        lower_case=lower_case,
        words=words,
        tokenizer=words.tokenizer(lower_case=lower_case, special=special),
        length=asked.max_seq_length or usual,
    )


def _tokenizer_of(folder: Path, facts: Mapping[str, Any]) -> Path:
    """The file that text is read with.

    Raises:
        DataError: it is not there, or not called as such a file.
    """
    name = facts.get(WORDS_FILE, VOCAB_FILE)
    if name not in TOKENIZER_FILES or not (folder / name).is_file():
        raise DataError(
            f"{folder / TEXT_FILE} names {name!r}, which is not there.", next_step="Build the target again."
        )
    return folder / str(name)


def _fixed_length(folder: Path) -> int:
    """The only sequence length that the target takes, 0 where it takes several."""
    shape = _ports(folder, "inputs").get("input_ids", {}).get("shape")
    known = isinstance(shape, list) and len(shape) == 2 and isinstance(shape[1], int)
    return shape[1] if known and shape[1] > 0 else 0


def _check_fits(texts: Sequence[Asked], kind: str) -> None:
    """Refuse texts that the head does not read."""
    if kind == "span" and any(one.other is None for one in texts):
        raise UsageError("Questions need their paragraphs.", next_step="Name their column: --text-pair-column NAME.")
    if kind == "tokens" and any(one.other is not None for one in texts):
        raise UsageError("Tags are of one text, not of a pair.", next_step="Leave the second text out.")
    if kind == MASKED_LM:
        unmasked = next((number for number, one in enumerate(texts, 1) if MASK not in one.text + (one.other or "")), 0)
        if unmasked:
            raise UsageError(
                f"Text {unmasked} has no [MASK].", next_step="Put [MASK] in the place of each word that is asked for."
            )


def _asked(kind: str, texts: Sequence[Asked], reading: Reading) -> Questions:
    try:
        return asked_of(kind, texts, reading)
    except ValueError as error:
        raise UsageError(
            f"Question {int(error.args[0]) + 1} leaves no room for its paragraph in {reading.length} pieces.",
            next_step="Give a larger --max-seq-length, or a shorter question.",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Sequences that are asked together, and the texts that they are of."""

    questions: Questions
    done: int
    total: int


def _parts(kind: str, questions: Questions) -> Iterator[_Part]:
    """The sequences in parts that answers have room for; all of a text are in one part."""
    most = FEW if kind == MASKED_LM else AT_A_TIME
    begin = 0
    while begin < len(questions.of):
        end = min(begin + most, len(questions.of))
        while end < len(questions.of) and questions.of[end] == questions.of[end - 1]:
            end += 1
        yield _Part(questions=_cut_out(questions, begin, end), done=begin, total=len(questions.of))
        begin = end


def _cut_out(questions: Questions, begin: int, end: int) -> Questions:
    first, last = questions.of[begin], questions.of[end - 1]
    return replace(
        questions,
        ids=questions.ids[begin:end],
        segments=questions.segments[begin:end],
        of=[number - first for number in questions.of[begin:end]],
        places=questions.places[begin:end],
        articles=questions.articles[first : last + 1],
        windows=[(number - first, *rest) for number, *rest in questions.windows[begin:end]],  # type: ignore[misc]
    )


def _told(
    session: Session,
    folder: Path,
    facts: Mapping[str, Any],
    kind: str,
    part: _Part,
    reading: Reading,
    asked: Predict,
) -> list[Row]:
    """What the target answers to a part of the texts."""
    began = time.monotonic()
    session.report({"event": "progress", "name": "sequences answered", "done": part.done, "total": part.total})
    answers = _answers(session, folder, facts["asked"], part.questions, asked)
    lacking = [name for name in _needed(kind) if name not in answers]
    if lacking and not set(tensors_of(kind)) & answers.keys():
        raise UsageError(
            f"{asked.target} gives {', '.join(sorted(answers))}, and no {lacking[0]}.",
            next_step="Build one with its head's answers: leave --output out; of TensorFlow 2 --format keras-bert.",
        )
    done = part.done + len(part.questions.of)
    session.report({"event": "progress", "name": "sequences answered", "done": done, "total": part.total})
    if done < part.total:
        left = (time.monotonic() - began) / len(part.questions.of) * (part.total - done)
        session.report({"event": "note", "text": f"{done} of {part.total} sequences answered; about {left:.0f} s left"})
    return rows_of(kind, part.questions, answers, reading)


def _needed(kind: str) -> tuple[str, ...]:
    names = tensors_of(kind)
    return names if kind == "span" else names[:1]


def _answers(
    session: Session, folder: Path, how: Mapping[str, Any], questions: Questions, asked: Predict
) -> dict[str, Any]:
    """What the stage of the target's kind gives, as arrays; it is not kept."""
    import numpy as np

    with session.store.lock("predict", str(os.getpid()), on_wait=lambda _: None) as work:
        examples = work / "features.npz"
        np.savez(examples, **questions.arrays())
        digest = hashlib.sha256(examples.read_bytes()).hexdigest()
        inputs: dict[str, File | str] = {
            str(how["flag"]): File(path=folder, digest=hashlib.sha256(str(folder).encode()).hexdigest()),
            "examples": File(path=examples, digest=digest),
        }
        params = {**how.get("params", {}), "batch-size": str(asked.batch_size)}
        if questions.width:
            params["pad-to-max"] = "true"
        step = Step(id="predict", stage=str(how["stage"]), inputs=inputs, params=params)
        placed = presumed(session, Plan(model=asked.target, steps=(step,)))
        require_1(session, placed)
        session.engine.run_again(placed.steps[0], {}, work / "answers", {"model": asked.target})
        with np.load(work / "answers" / "answers.npz") as file:
            return dict(file)
