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

ENTRY = "run_stage"
"""The module of docker/common that starts a stage in an image."""

CARRIED = "carried.txt"
"""In a backend's folder: BACKEND/STAGE of others' stages that it runs too."""

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


Version = Tuple[int, ...]
"""What tells a file or folder from a changed one; empty where there is none."""


class Folder(NamedTuple):
    """What a folder holds, and its version before that was asked."""

    version: Version
    names: frozenset[str]


class Looked(NamedTuple):
    """What a stage was found to run, and the versions of all files and folders that this was found by."""

    versions: dict[str, Version]
    files: dict[str, Path]


_known: dict[str, tuple[Version, Source]] = {}
_stages: dict[Tuple[str, str, str], Looked] = {}


def closure(
    modules: Iterable[str], places: Mapping[str, Path], folders: dict[str, Folder] | None = None
) -> dict[str, Path]:
    """The files that some modules run, by their names below a folder that all could be imported from.

    Args:
        modules: names, as they are imported.
        places: where our modules are: the file or folder of each that stands outside any package. All other modules
            are not ours.
        folders: gets each folder that was looked into.

    Raises:
        LookupError: a module of ours is imported that is not there.
    """
    found: dict[str, Path] = {}
    listed: dict[str, Folder] = {} if folders is None else folders
    seen: set[str] = set()
    there: set[str] = set()
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
            for base, members in _imported(module if name.endswith("/__init__.py") else package, source(path).imports):
                if base not in there:
                    if base.partition(".")[0] not in places:
                        continue  # nor is anything in it ours
                    if not _is_there(base, places, listed):
                        raise LookupError(f"{path} imports {base}, which is not there")
                    there.add(base)
                waiting += (base, *members)
    return dict(sorted(found.items()))


def module_of(command: str) -> str:
    """The module of a stage: `python -m stages.NAME`."""
    return "stages." + command.replace("-", "_")


def stage_files(root: str | Path, backend: str, command: str) -> dict[str, Path]:
    """The files that a stage runs, by their names in an image: its own, the entry's, and all that they import.

    Args:
        root: has docker/ and bertbuild/.
        backend: whose stage it is.
        command: the stage's name there.
    """
    asked = (str(root), backend, command)
    known = _stages.get(asked)
    if known is None or any(_version(path) != version for path, version in known.versions.items()):
        known = _stages[asked] = _looked(Path(root), backend, command)
    return dict(known.files)


def _looked(root: Path, backend: str, command: str) -> Looked:
    docker = root / "docker"
    listed: dict[str, Folder] = {}
    folder = docker / "common"
    names = (os.path.splitext(name) for name in sorted(_names(str(folder), listed)))
    common = {stem: folder / (stem + ending) for stem, ending in names if ending == ".py"}
    places = {**common, "stages": docker / backend / "stages", PACKAGE: root / PACKAGE}
    files = closure((ENTRY, module_of(command)), places, listed)
    versions = {path: one.version for path, one in listed.items()}
    versions.update((str(path), _known[str(path)][0]) for path in files.values())
    return Looked(versions, files)


def image_files(root: str | Path, backend: str) -> dict[str, Path]:
    """The files that the stages of an image can run, by their names in it; another backend's lie below its name."""
    folder = Path(root) / "docker" / backend
    found: dict[str, Path] = {}
    for path in sorted((folder / "stages").glob("*.py")):
        if not path.name.startswith("_"):
            found.update(stage_files(root, backend, path.stem))
    for carried in _carried(folder / CARRIED):
        other, _, command = carried.partition("/")
        for name, path in stage_files(root, other, command).items():
            found[f"{other}/{name}" if name.startswith("stages/") else name] = path
    return dict(sorted(found.items()))


def _carried(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def source(path: str) -> Source:
    """What a file holds; one that was read before is read again when it has another size or time."""
    version = _version(path)
    known = _known.get(path)
    if known is None or known[0] != version:
        with open(path, "rb") as file:
            content = file.read()
        found = Source(hashlib.sha256(content).hexdigest(), tuple(_imports(content.decode("utf-8", "replace"))))
        known = _known[path] = (version, found)
    return known[1]


def _version(path: str) -> Version:
    try:
        there = os.stat(path)
    except OSError:
        return ()
    return there.st_mtime_ns, there.st_ctime_ns, there.st_size, there.st_ino


def _file(module: str, place: str, listed: dict[str, Folder]) -> tuple[str, str]:
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


def _names(folder: str, listed: dict[str, Folder]) -> frozenset[str]:
    if folder not in listed:
        version = _version(folder)
        listed[folder] = Folder(version, frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset())
    return listed[folder].names


def _is_there(module: str, places: Mapping[str, Path], listed: dict[str, Folder]) -> bool:
    """Whether a module is a file, or a folder of modules."""
    place = str(places[module.partition(".")[0]])
    path = os.path.join(place, *module.split(".")[1:])
    return bool(_file(module, place, listed)[1] or _names(path, listed))


def _imported(package: str, imports: Iterable[Import]) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """The modules that a module of a package imports, and of each what may be modules of it."""
    for dots, name, taken in imports:
        base = name
        if dots:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - dots + 1], *filter(None, [name])])
        yield base, tuple(base + "." + one for one in taken)


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
