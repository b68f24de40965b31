"""The code that a module runs: its own file, and those of ours that it imports, with what these import in turn.

Nothing is run, and no file is parsed: import statements are found by how a line begins, those inside functions too, and
`import_module("…")` with the name in it. That takes a fiftieth of the time that Python's own parser takes; the tests
compare the two on every file that a stage can run. Images are built with this file too, so it is plain Python 3.7 of
the standard library.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Tuple  # evaluated by Python 3.7

PACKAGE = "bertbuild"
"""Stages see it without its own `__init__.py`, which is the host's: a namespace package."""

_STATEMENT = re.compile(
    r"""^[ \t]*(?:
        from[ \t]+ (\.*) ([\w.]*) [ \t]+import[ \t]* ( \( (?:[^)#]|\#[^\n]*)* \) | [^\n#]+ )
        | import[ \t]+ ([\w., \t]+) )
    """,
    re.MULTILINE | re.VERBOSE,
)
_COMMENT = re.compile(r"#[^\n]*")
_BY_NAME = re.compile(r"""\bimport_module\(\s*["']([\w.]+)["']""")

Import = Tuple[int, str, Tuple[str, ...]]
"""Dots before the name; the name; what `from` takes out of it, which may be modules."""


class Source(NamedTuple):
    """A file of code: the sha256 of its bytes, and what it imports."""

    sha256: str
    imports: Tuple[Import, ...]


_known: dict[str, tuple[tuple[int, ...], Source]] = {}


def closure(modules: Iterable[str], places: Mapping[str, Path]) -> dict[str, Path]:
    """The files that some modules run, by their names below a folder that all could be imported from.

    Args:
        modules: names, as they are imported.
        places: where our modules are: the file or folder of each that stands outside any package. All other modules
            are not ours.
    """
    found: dict[str, Path] = {}
    listed: dict[str, frozenset[str]] = {}
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        head = module.partition(".")[0]
        if head not in places or module == PACKAGE:
            continue
        package = module.rpartition(".")[0]
        waiting.append(package)
        name, path = _file(module, str(places[head]), listed)
        if path:
            found[name] = Path(path)
            waiting += _imported(module if name.endswith("/__init__.py") else package, source(path).imports)
    return dict(sorted(found.items()))


def source(path: str) -> Source:
    """What a file holds; one that was read before is read again when it has another size or time."""
    there = os.stat(path)
    version = (there.st_mtime_ns, there.st_ctime_ns, there.st_size, there.st_ino)
    known = _known.get(path)
    if known is None or known[0] != version:
        with open(path, "rb") as file:
            content = file.read()
        found = Source(hashlib.sha256(content).hexdigest(), tuple(_imports(content.decode("utf-8", "replace"))))
        known = _known[path] = (version, found)
    return known[1]


def _file(module: str, place: str, listed: dict[str, frozenset[str]]) -> tuple[str, str]:
    """The name and path of a module's file; empty where there is no such module."""
    name = module.replace(".", "/")
    if place.endswith(".py"):
        return (name + ".py", place) if "/" not in name else ("", "")
    path = place + name[len(name.partition("/")[0]) :]
    if os.path.basename(path) + ".py" in _names(os.path.dirname(path), listed):
        return name + ".py", path + ".py"
    if "__init__.py" in _names(path, listed):
        return name + "/__init__.py", path + "/__init__.py"
    return "", ""


def _names(folder: str, listed: dict[str, frozenset[str]]) -> frozenset[str]:
    if folder not in listed:
        listed[folder] = frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset()
    return listed[folder]


def _imported(package: str, imports: Iterable[Import]) -> Iterator[str]:
    """The names of the modules that a module of a package may import; not all need be there."""
    for dots, name, taken in imports:
        base = name
        if dots:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - dots + 1], *filter(None, [name])])
        yield base
        yield from (base + "." + one for one in taken)


@lru_cache(maxsize=None)
def _taken(text: str) -> tuple[str, ...]:
    """The names in `a, b as c`, which may stand in brackets over several lines."""
    words = (part.split() for part in _COMMENT.sub("", text).strip("() \t").split(","))
    return tuple(part[0] for part in words if part)


def _imports(code: str) -> Iterator[Import]:
    for dots, name, taken, names in _statements(code):
        if names:
            yield from ((0, one, ()) for one in _taken(names))
        else:
            yield len(dots), name, _taken(taken)
    if "import_module" in code:
        yield from ((0, name, ()) for name in _BY_NAME.findall(code))


def _statements(code: str) -> Iterator[Tuple[str, ...]]:
    """What `_STATEMENT` finds, looked for only in lines that have the word: most have not."""
    end = at = 0
    while True:
        at = code.find("import", max(at, end))
        if at < 0:
            return
        start = code.rfind("\n", 0, at) + 1
        found = _STATEMENT.match(code, start) if start >= end else None
        if found:
            yield found.groups("")
        end, at = found.end() if found else end, at + 1
