"""Who answered for a source: its own graph, the programs it was trained by, … A stage says so in reference.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bertbuild.files.disk import read_json

FILE = "reference.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One who answered.

    Attributes:
        what: who it was: "the checkpoint's own graph (bert_model.ckpt.meta)", "google-research/bert's run_squad.py".
        outputs: the names of the answers.
        why: why it was not the checkpoint's own graph; empty where it was, or where there is no .meta.
    """

    what: str
    outputs: tuple[str, ...]
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """For stores and programs."""
        return {**asdict(self), "outputs": list(self.outputs)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Answered:
        """One as it is stored."""
        return cls(what=value["what"], outputs=tuple(value["outputs"]), why=value["why"])


def answered_in(folders: Iterable[Path]) -> tuple[Answered, ...]:
    """Who answered in the results of some stages, each once; () where none says so."""
    rows = [row for folder in folders if (folder / FILE).exists() for row in read_json(f"{folder}/{FILE}")]
    return tuple(dict.fromkeys(map(Answered.from_json, rows)))


def in_words(answered: Sequence[Answered]) -> str:
    """It in a few words: who, and of several which outputs; "" where nobody is named."""
    by_name: dict[str, list[str]] = {}
    for one in answered:
        by_name.setdefault(one.what, []).extend(one.outputs)
    if len(by_name) == 1:
        return next(iter(by_name))
    return " and ".join(f"{what} ({', '.join(dict.fromkeys(outputs))})" for what, outputs in by_name.items())


def reasons(answered: Iterable[Answered]) -> list[str]:
    """Why it was not, or not for all, the checkpoint's own graph: a line each."""
    return [f"{one.what} answered for {', '.join(one.outputs)}: {one.why}" for one in answered if one.why]
