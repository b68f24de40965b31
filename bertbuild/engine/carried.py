"""A tokenizer and what goes with it, added to what a stage wrote; and taken out again, byte for byte.

Added are `text.json`, `tokenizer.json` and `vocab.txt`, or `spiece.model` in its place; the first and the last also to
a SavedModel's `assets/`; "text" in signature.json; and in an IR two sections of its rt_info: `model_info`, whose names
OpenVINO's Model API reads, and `text`.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bertbuild.checkpoint.tokenizer_file import read_words
from bertbuild.json_text import parse_json
from bertbuild.text.facts import TEXT_FILE, TEXT_GATE_FILE, TOKENIZER_FILE, from_json

MODEL, SIGNATURE, SAVED_MODEL = "model.xml", "signature.json", "saved_model.pb"
MODELS = (MODEL, "text_model.xml", "text_pair_model.xml")
"""Those that may have text in their rt_info."""
ASSETS = "assets"
ADDED = ""
"""Stands for the sha256 of a file that its stage did not write."""
IN_SIGNATURE = ("task", "head", "labels", "do_lower_case", "max_seq_length", "tokens")
_END_OF_RT_INFO = b"\t</rt_info>\n</net>"
_NOT_XML = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no character for, and line breaks and tabs, which an attribute does not keep."""
_SECTIONS = re.compile(
    rb"\t\t<model_info>\n(?:\t\t\t<[^\n]*\n)*\t\t</model_info>\n|\t\t<text>\n(?:\t\t\t<[^\n]*\n)*\t\t</text>\n"
)


def carry(out: Path, told: str, vocab: Path) -> dict[str, str]:
    """Add a model's text to the folder of a target.

    Args:
        out: what the stage wrote.
        told: a `Text` as JSON.
        vocab: the file of the model's tokenizer.

    Returns:
        name of each file that was changed → its sha256 without the text; `ADDED` for one that was not there.
    """
    content = vocab.read_bytes()
    text = from_json(parse_json(told))
    words = read_words(content, text.vocab_reading)
    facts = text.as_json(words)
    facts["vocab_sha256"] = hashlib.sha256(content).hexdigest()
    facts["max_seq_length"] = text.length
    if (out / TEXT_GATE_FILE).is_file():
        facts["text_model"] = _object((out / TEXT_GATE_FILE).read_bytes())
    files = {TEXT_FILE: _json(facts), words.file: content}
    if (out / SAVED_MODEL).is_file():
        files |= {f"{ASSETS}/{name}": files[name] for name in (TEXT_FILE, words.file)}
    own = (out / TOKENIZER_FILE).is_file()  # its stage knows what its format wants
    if not own:
        how = {"lower_case": facts["do_lower_case"], "special": text.special_tokens_in_text}
        written = words.tokenizer_json(max_seq_length=text.length, **how)
        files |= {} if written is None else {TOKENIZER_FILE: written.encode()}
    before = {name: _sha256(_without(out / name)) for name in (*MODELS, SIGNATURE) if (out / name).is_file()}
    files |= {name: _model(_without(out / name), facts) for name in MODELS if name in before}
    if SIGNATURE in before and (signature := _object(_without(out / SIGNATURE))):
        files[SIGNATURE] = _json({**signature, "text": {name: facts[name] for name in IN_SIGNATURE}})
    for name, new in files.items():
        path = out / name
        if name not in before:
            before[name] = _sha256(path.read_bytes()) if path.is_file() else ADDED
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)  # it may be a link to another result's file
        path.write_bytes(new)
    return before


def clean(out: Path) -> None:
    """Take out what a stage copied of the text of its input."""
    for name in (*MODELS, SIGNATURE):
        path = out / name
        if path.is_file() and path.read_bytes() != (new := _without(path)):
            path.write_bytes(new)


def copy_computed(files: Mapping[str, Any], source: Path, out: Path) -> bool:
    """Fill a folder with what a stage wrote of a result, without its text; whether that is all there.

    Args:
        files: of the result's manifest.
        source: its folder.
        out: an empty folder.
    """
    for name, entry in files.items():
        made = entry.get("made", entry["sha256"])
        if made == ADDED:
            continue
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if "made" in entry:
            content = _without(source / name)
            if _sha256(content) != made:
                return False
            (out / name).write_bytes(content)
        else:
            _link(source / name, out / name)
    return True


def _link(source: Path, copy: Path) -> None:
    """The same bytes under another name: on the disk once, where the file system can."""
    try:
        os.link(source, copy)
    except OSError:
        import shutil

        shutil.copyfile(source, copy)


def _without(path: Path) -> bytes:
    """A file's bytes without the text that was added to it."""
    content = path.read_bytes()
    if path.name in MODELS:
        return _SECTIONS.sub(b"", content)
    told = _object(content) if path.name == SIGNATURE else {}
    if "text" in told:
        return _json({name: value for name, value in told.items() if name != "text"})
    return content


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    with contextlib.suppress(ValueError):
        found = parse_json(content)
        return found if isinstance(found, dict) else {}
    return {}


def _model(content: bytes, facts: Mapping[str, Any]) -> bytes:
    head, end, tail = content.rpartition(_END_OF_RT_INFO)
    if not end:
        return content
    return head + "".join(_sections(facts)).encode() + end + tail


def _sections(facts: Mapping[str, Any]) -> Iterator[str]:
    labels = facts["labels"]
    # The Model API splits at spaces.
    named = {"labels": " ".join("_".join(_NOT_XML.sub(" ", label).split()) or "_" for label in labels)}
    named["label_ids"] = " ".join(str(number) for number in range(len(labels)))
    model_info = named if labels else {}
    if facts["head"] == "multi-label":
        model_info["multilabel"] = "True"
    told = {name: str(facts[name]) for name in ("task", "head", "max_seq_length", "vocab_sha256")}
    told["do_lower_case"] = str(facts["do_lower_case"])
    told["labels"] = json.dumps(labels)
    told |= {f"{name}_id": str(token["id"]) for name, token in facts["tokens"].items()}
    yield from _section("model_info", model_info)
    yield from _section("text", told)


def _section(name: str, values: Mapping[str, str]) -> Iterator[str]:
    yield f"\t\t<{name}>\n"
    for key, value in sorted(values.items()):
        yield f'\t\t\t<{key} value="{html.escape(_NOT_XML.sub(" ", value))}" />\n'
    yield f"\t\t</{name}>\n"


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
