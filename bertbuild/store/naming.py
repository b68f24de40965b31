"""What each name in out/ was made from, so that no name passes from one source to another unseen.

Beside `out/<model>/<target>` stands `names/<model>/<target>.json`: the source as the user named it, and its digest. A
command claims its names before it runs anything; a name that was made from another source is refused then.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from bertbuild.errors import UsageError
from bertbuild.files.disk import read_json, write_atomically

FOLDER = "names"
MODEL, DATA = "model", "data"
"""What a name is of: a model's targets should all have one source, and data that are prepared for it have another."""


class Names:
    """The names of one store, and those that this process has claimed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._claimed: dict[tuple[str, str], dict[str, str]] = {}

    def claim(self, model: str, target: str, *, source: str, digest: str, replace: bool, of: str = MODEL) -> str:
        """Say what a name is about to be made from; gives a sentence where others of its folder have another source.

        Args:
            model: the name's folder in out/.
            target: the name in there.
            source: what it is made from, as the user named it (`described`).
            digest: of that source; what moved and stayed the same is no other source.
            replace: whether the name may pass to another source.
            of: `MODEL`, or `DATA`.

        Raises:
            UsageError: the name in out/ was made from another source.
        """
        known = self._known(model, target)
        if known and not replace and known["source"] != source and known["digest"] != digest:
            raise UsageError(
                f"out/{model}/{target} was made from {known['source']}, and would now be made from {source}.",
                next_step="Give the new one a name of its own (--name NAME), or let it take the old one's (--replace).",
            )
        claimed = self._claimed[model, target] = {"source": source, "digest": digest, "of": of}
        return "" if known or of == DATA else self._mixed(model, target, claimed)

    def _mixed(self, model: str, target: str, claimed: Mapping[str, str]) -> str:
        """The sentence about a folder of out/ that gets a second source; what was trained from a model is its own."""
        for path in sorted((self._root / FOLDER / model).glob("*.json")):
            other = self._known(model, path.stem)
            if other is None or other.get("of") == DATA or other["digest"] == claimed["digest"]:
                continue
            sources = (other["source"], claimed["source"])
            if sources[0] != sources[1] and not any(f" out/{model}/" in source for source in sources):
                return (
                    f"out/{model}/ holds targets of two sources: {path.stem} of {sources[0]}, "
                    f"{target} of {sources[1]}; --name gives one of them a folder of its own"
                )
        return ""

    def remember(self, model: str, target: str) -> None:
        """A claimed name has been given: write down what it was made from."""
        claimed = self._claimed.get((model, target))
        if claimed and claimed != self._known(model, target):
            write_atomically(self._path(model, target), json.dumps(claimed) + "\n")

    def forget(self, model: str, target: str) -> None:
        """A name was taken away."""
        self._path(model, target).unlink(missing_ok=True)

    def _known(self, model: str, target: str) -> dict[str, str] | None:
        """What a name in out/ was made from; None where there is no such name, or it was made before this was kept."""
        with contextlib.suppress(OSError, ValueError):
            value = read_json(f"{self._root}/{FOLDER}/{model}/{target}.json")
            if isinstance(value, dict) and {"source", "digest"} <= value.keys():
                return value if os.path.islink(f"{self._root}/out/{model}/{target}") else None  # noqa: PTH114 - as there
        return None

    def _path(self, model: str, target: str) -> Path:
        return self._root / FOLDER / model / f"{target}.json"


def described(kind: str, path: Path, root: Path) -> str:
    """A source on disk in words, as "checkpoint /models/mine"; one in the store by its place there, wherever that is.

    Links in the last part of the path are not followed: a name in out/ is a name, whatever it leads to today.
    """
    there = place(path)
    inside = _inside(there, root)
    return f"{kind} {there if inside is None else f'{inside} of this store'}"


def below(path: Path, root: Path) -> Path | None:
    """A path relative to the store in which it lies, or None where it lies elsewhere."""
    return _inside(place(path), root)


def _inside(there: Path, root: Path) -> Path | None:
    real = root.resolve()
    return there.relative_to(real) if there.is_relative_to(real) else None


def place(path: Path) -> Path:
    """The real folder of a path, and its own last part."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link in the last part
    return whole.parent.resolve() / whole.name
