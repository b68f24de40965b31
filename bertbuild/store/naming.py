"""What each name in out/ was made from, so that no name passes from one source to another unseen.

Beside `out/<model>/<target>` stands `names/<model>/<target>.json`: the source as the user named it, its digest, and the
result that the name was given to. A
command claims its names before it runs anything; a name that was made from another source is refused then, and so is
one beside names of another source.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bertbuild.errors import UsageError
from bertbuild.files.disk import read_json, write_atomically

FOLDER = "names"
MODEL, DATA = "model", "data"
"""What a name is of: a model's targets have one source, and data that are prepared for it have another."""
LONGEST_NAME = 255
"""Bytes of a file's name, on all file systems in use."""
REPLACED = "replaced"
"""The key of a name's record that has the source to which its model was given, and this name was not made from."""


_GIVEN = ("result", "manifest")
"""The keys of a name's record that say what it was given to: STAGE/KEY, and the digest of the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The result that a name was given to; all is empty where it was given before that was noted."""

    stage: str
    key: str
    manifest: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """A name that is being made: its record, as it was too, and the model's names that are then of another source."""

    value: dict[str, str]
    known: dict[str, str] | None
    replaced: tuple[str, ...]


def lock_name(model: str, target: str) -> str:
    """The name of the lock of a name in out/."""
    return f"out-{model}-{target}"


class Names:
    """The names of one store, and those that this process has claimed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._claimed: dict[tuple[str, str], _Claim] = {}

    def claim(self, model: str, target: str, *, source: str, digest: str, replace: bool, of: str = MODEL) -> None:
        """Say what a name is about to be made from.

        Args:
            model: the name's folder in out/.
            target: the name in there.
            source: what it is made from, as the user named it (`described`).
            digest: of that source; what moved and stayed the same is not another source.
            replace: whether the model's names may pass to another source.
            of: `MODEL`, or `DATA`.

        Raises:
            UsageError: the name is too long for a file system, something else lies in its place, it was made from
                another source, or others of the same model were.
        """
        if len(os.fsencode(lock_name(model, target))) > LONGEST_NAME:
            raise UsageError(
                f"The name {model}/{target} is too long: its lock's would have over {LONGEST_NAME} bytes.",
                next_step="Give a shorter name.",
            )
        self._require_place(model, target)
        known = self._known(model, target)
        claimed = {"source": source, "digest": digest, "of": of}
        others: dict[str, str] = {}
        if _without_given(known) == claimed:
            self._claimed[model, target] = _Claim(value=claimed, known=known, replaced=())
            return
        if of == MODEL and not (known and _is_same(known, claimed) and REPLACED not in known):
            others = self._of_others(model, target, claimed)
        if not replace:
            if known and not _is_same(known, claimed) and known.get(REPLACED) != source:
                raise _refused(f"out/{model}/{target} was made from {known['source']}, and would now be made", source)
            for name, first in others.items():
                raise _refused(f"out/{model}/{name} was made from {first}, and out/{model}/{target} would be", source)
        self._claimed[model, target] = _Claim(value=claimed, known=known, replaced=tuple(others))

    def _require_place(self, model: str, target: str) -> None:
        """Refuse what is no name of ours before minutes are spent on a result that could get none."""
        folder = f"{self._root}/out/{model}"
        link = f"{folder}/{target}"
        if os.path.lexists(link) and not os.path.islink(link):  # noqa: PTH114 - every build asks
            odd = link
        elif os.path.lexists(folder) and not os.path.isdir(folder):  # noqa: PTH112 - likewise
            odd = folder
        else:
            return
        raise UsageError(
            f"{odd} is in the place of a name, and was not made by bertbuild.",
            next_step="Move it away, or give another name (--name NAME).",
        )

    def _of_others(self, model: str, target: str, claimed: Mapping[str, str]) -> dict[str, str]:
        """The model's names that are of another source → that source; what was trained from a model is its own."""
        found = {}
        for path in sorted((self._root / FOLDER / model).glob("*.json")):
            other = self._known(model, path.stem)
            if other is None or path.stem == target or other.get("of") == DATA or REPLACED in other:
                continue
            inside = any(f" out/{model}/" in source for source in (other["source"], claimed["source"]))
            if not inside and not _is_same(other, claimed):
                found[path.stem] = other["source"]
        return found

    def remember(self, model: str, target: str, given: Given) -> None:
        """A claimed name has been given: write down what it was made from and is given to, and which names are another
        source's now.
        """
        claim = self._claimed.pop((model, target), None)
        if claim is None:
            return
        value = {**claim.value, "result": f"{given.stage}/{given.key}", "manifest": given.manifest}
        if value == claim.known:
            return
        write_atomically(self._path(model, target), json.dumps(value) + "\n")
        for name in claim.replaced:
            other = self._known(model, name)
            if other is not None:
                write_atomically(self._path(model, name), json.dumps({**other, REPLACED: claim.value["source"]}) + "\n")

    def replaced(self, model: str, target: str) -> str:
        """The sentence on a name whose model was given to another source with --replace; empty for any other."""
        known = self._known(model, target)
        if known is None or REPLACED not in known:
            return ""
        return f"it was made from {known['source']}, and out/{model}/ is now made from {known[REPLACED]}"

    def given(self, model: str, target: str) -> Given | None:
        """The result that a name was given to; None where nothing is on record of it."""
        known = self._known(model, target)
        if known is None:
            return None
        stage, _, key = known.get("result", "").partition("/")
        return Given(stage=stage, key=key, manifest=known.get("manifest", ""))

    def forget(self, model: str, target: str) -> None:
        """A name was taken away."""
        self._path(model, target).unlink(missing_ok=True)

    def _known(self, model: str, target: str) -> dict[str, str] | None:
        """What a name in out/ was made from; None where there is no such name, or it was made before this was kept."""
        with contextlib.suppress(OSError, ValueError):
            value = read_json(f"{self._root}/{FOLDER}/{model}/{target}.json")
            if isinstance(value, dict) and {"source", "digest"} <= value.keys() and _are_words(value):
                return value if os.path.islink(f"{self._root}/out/{model}/{target}") else None  # noqa: PTH114 - as there
        return None

    def _path(self, model: str, target: str) -> Path:
        return self._root / FOLDER / model / f"{target}.json"


def _without_given(known: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if known is None else {name: value for name, value in known.items() if name not in _GIVEN}


def _are_words(value: Mapping[str, object]) -> bool:
    return all(isinstance(word, str) for word in value.values())


def _is_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return one["source"] == other["source"] or one["digest"] == other["digest"]


def _refused(what: str, source: str) -> UsageError:
    return UsageError(
        f"{what} from {source}.",
        next_step="Give the new one a name of its own (--name NAME), or let it take the old one's (--replace).",
    )


def described(kind: str, path: Path, root: Path) -> str:
    """A source on disk in words, as "checkpoint /models/mine"; one in the store by its place there, wherever that is.

    Links in the last part of the path are not followed: a name in out/ is a name, whatever it leads to today; nor are
    they where they are names in out/ that the path leads through (`out/mine/frozen/inference_graph.pb`).
    """
    there, inside = _located(path, root)
    return f"{kind} {there if inside is None else f'{inside} of this store'}"


def below(path: Path, root: Path) -> Path | None:
    """A path relative to the store in which it lies, or None where it lies elsewhere; as in `described`."""
    return _located(path, root)[1]


def _located(path: Path, root: Path) -> tuple[Path, Path | None]:
    """Where a path lies, and the same relative to the store if it is in there."""
    whole, real = Path(os.path.abspath(path)), root.resolve()  # noqa: PTH100 - as in `place`
    if "out" in whole.parts:
        for part in (whole, *whole.parents):
            there = place(part) / whole.relative_to(part)
            if there.is_relative_to(real / "out"):
                return there, there.relative_to(real)
    there = place(path)
    return there, there.relative_to(real) if there.is_relative_to(real) else None


def place(path: Path) -> Path:
    """The real folder of a path, and its own last part."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link in the last part
    return whole.parent.resolve() / whole.name
