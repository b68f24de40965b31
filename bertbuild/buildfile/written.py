"""A build file as text: written for people who go on with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenModel:
    """A table [models.NAME].

    Attributes:
        name: of it.
        key: what names its source.
        path: of that, as it is to be written.
        about: comments above it.
        below: comments below it.
        targets: those of the file that it has.
    """

    name: str
    key: str
    path: str
    targets: Sequence[str]
    about: Sequence[str] = ()
    below: Sequence[str] = ()

    def lines(self, targets: Sequence[str]) -> list[str]:
        """The table, in a file that has these targets."""
        own = [] if list(self.targets) == list(targets) else [f"targets = [{', '.join(map(toml_text, self.targets))}]"]
        table = [f"[models.{table_key(self.name)}]", f"{self.key} = {toml_text(self.path)}", *own]
        return [*_comments(self.about), *table, *_comments(self.below)]


def written(head: Sequence[str], kinds: Mapping[str, str], models: Sequence[WrittenModel], left: Sequence[str]) -> str:
    """The text of a build file.

    Args:
        head: comments at its beginning.
        kinds: of the targets, each called as its kind, and what each is.
        models: in their order.
        left: comments at its end: what was left out.
    """
    lines = [*_comments(head), ""]
    for kind, about in kinds.items():
        lines += [*_comments([about]), f"[targets.{table_key(kind)}]", f"kind = {toml_text(kind)}", ""]
    for model in models:
        lines += [*model.lines([*kinds]), ""]
    return "\n".join([*lines, *_comments(left)]).rstrip("\n") + "\n"


def toml_text(value: str) -> str:
    """A string as TOML has it; raises UnicodeEncodeError for one that is not Unicode, as names of files may be."""
    value.encode()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def table_key(name: str) -> str:
    """A name as a key: in quotes where a dot stands in it."""
    return toml_text(name) if "." in name else name


def _comments(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        shown = "".join(letter if letter.isprintable() else "�" for letter in line)
        yield f"# {shown}".rstrip()
