"""init: a build file of all the models that a folder holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bertbuild.buildfile.parameters import READING
from bertbuild.buildfile.targets import LONGEST_NAME
from bertbuild.buildfile.written import WrittenModel, table_key, toml_text, written
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.config import CONFIG_FILE
from bertbuild.errors import BertbuildError, CheckpointError, StoreError, UsageError
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.kind import Request
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.kinds.planning import plan_targets
from bertbuild.kinds.tf1_checkpoint import Tf1Checkpoint
from bertbuild.names import clean_name
from bertbuild.parameters import check, parameter
from bertbuild.plans.plan import File
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import number_of
from bertbuild.source.folder_models import Place, Unusable, models_in
from bertbuild.source.folder_tree import Tree
from bertbuild.source.resolve import called
from bertbuild.source.seen_models import Seen, seen
from bertbuild.toml.values import Location, Truth

MADE_OF: Final[Mapping[str, tuple[Request, str]]] = {
    "checkpoint": (Ir(), "ir"),
    "huggingface": (Ir(), "ir"),
    "frozen": (Ir(), "ir"),
    "tf2": (Tf1Checkpoint(), "tf1-checkpoint"),
    "saved_model": (NeuronReady(), "neuron-ready"),
}
"""What names a source in a build file → the target that is made of it, and its kind."""
SHOWN: Final = "what was found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """What is asked of init."""

    folder: str = parameter(Location(), ".", "what to look through, with all the folders in it", written="FOLDER")
    yes: bool = parameter(Truth(), False, "write without asking; without a terminal nothing is ever asked")

    def __post_init__(self) -> None:
        """Refuse what is no folder's name."""
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model of the folder that something is built from.

    Attributes:
        name: what it is called in the build file.
        source: what kind of source it is: a key of [models.NAME].
        path: where it lies.
        what: its sizes and heads, in words.
        labels: words of its head's rows, where they are known.
        targets: what is built of it.
    """

    name: str
    source: str
    path: Path
    what: str
    labels: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiated(Result):
    """A build file that was written, or would have been.

    Attributes:
        file: it; None where the user said no.
        models: those in it.
        unusable: what seems to be a model and cannot be built from: `path`, `why`, `next_step`.
    """

    file: Path | None
    models: tuple[FoundModel, ...]
    unusable: tuple[Unusable, ...]


def init(session: Session, asked: Init, agreed: Callable[[str], bool] = lambda _question: True) -> Initiated:
    """Look through a folder and write the bertbuild.toml that builds all the models in it; no other is written over.

    Args:
        session: of the command.
        asked: what to look through.
        agreed: asks the user, unless `asked.yes`.

    Raises:
        UsageError: there is a bertbuild.toml already, or no such folder.
        CheckpointError: the folder holds no model that can be built from; `details` says why of each.
    """
    file, top = Path(CONFIG_FILE), Path(asked.folder)
    if file.exists() or file.is_symlink():
        raise UsageError(
            f"There is already a {file} here, and init does not overwrite it.",
            next_step="Add to that one, or move it away and run init again.",
        )
    if not top.is_dir():
        raise UsageError(f"{top} is not a folder.", next_step="Give the one that holds your models: --folder FOLDER.")
    found = _Found(session)
    found.look_through(top)
    if not found.models:
        raise CheckpointError(
            f"{top} holds no model that bertbuild builds from.",
            next_step="Fix what the lines above name, or name another folder: --folder FOLDER."
            if found.left
            else "Name the folder of your models: --folder FOLDER; or begin with one of invoke fetch --list.",
            details="\n".join(f"{one.why} → {one.next_step}" for one in found.left),
        )
    found.tell()
    result = Initiated(file=file.absolute(), models=tuple(found.models), unusable=tuple(found.left))
    question = f"Write {file} with {number_of(len(found.models), 'model')}?"
    if not asked.yes and not agreed(question):
        return session.result(Initiated(file=None, models=result.models, unusable=result.unusable), "nothing written")
    _write(file, found.text(top))
    return session.result(
        result,
        f"{file}: {number_of(len(result.models), 'model')}",
        "next: invoke build --dry-run",
    )


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(
            f"A {file} was written here in the meantime.", next_step="Look at it, and run init again."
        ) from None
    except OSError as error:
        raise StoreError(
            f"{file.absolute()} cannot be written: {error.strerror}.", next_step="Run init in a folder of yours."
        ) from error


class _Found:
    """The models of a folder.

    Attributes:
        models: those that something is built from.
        left: the others.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.models: list[FoundModel] = []
        self.left: list[Unusable] = []
        self._tables: list[WrittenModel] = []
        self._left_lines: list[str] = []
        self._told: list[str] = []
        self._names: set[str] = set()

    def look_through(self, top: Path) -> None:
        """Find them."""
        places: set[Place] = set()
        tree = Tree(top=top, without=(self.session.settings.artifacts.resolve(),))
        for folder in tree.folders():
            for one in models_in(folder):
                if isinstance(one, Unusable):
                    self._leave(one)
                elif one not in places:
                    places.add(one)
                    self._look(one)
        self._told = tree.told

    def _look(self, place: Place) -> None:
        try:
            path = _path(place.path)
        except UnicodeEncodeError:
            why = f"The name of {str(place.path)!a} is not UTF-8, and a build file is."
            self._leave(Unusable(path=place.path, why=why, next_step="Rename it."))
            return
        name, (request, kind) = _name(place, self.session, self._names), MADE_OF[place.key]
        table = WrittenModel(name=name, key=place.key, path=path, targets=(kind,))
        try:
            found = seen(place, name, self.session.store)
            if found is None:
                return
            plan_targets(found.source, request, File(path=Path(), digest=""))
        except OSError as error:
            why = f"{place.path} cannot be read: {error.strerror}."
            self._leave(Unusable(path=place.path, why=why, next_step="Check its rights, and that it is whole."))
            return
        except BertbuildError as error:
            why = str(error).removeprefix(f"{name}: ")
            whole = why if str(place.path) in why else f"{place.path}: {why}"
            said = next((key for key in READING if f"--{key} " in error.next_step), "")
            one = Unusable(path=place.path, why=whole, next_step=error.next_step)
            self._leave(one, replace(table, below=[f'{said} = "…"']) if said else None)
            return
        self._names.add(name.casefold())
        what = f"{found.what}; {found.heads}"
        self.models.append(
            FoundModel(name=name, source=place.key, path=place.path, what=what, labels=found.labels, targets=(kind,))
        )
        hints = [*_hints(place, name, found, self.session.store.root / "out")]
        self._tables.append(replace(table, about=[what, *found.told], below=hints))

    def _leave(self, one: Unusable, table: WrittenModel | None = None) -> None:
        """Keep what nothing is built of; `table` is what would be, once something is said in it."""
        self.left.append(one)
        self._left_lines.append(f"{one.why} {one.next_step}")
        if table is not None:
            self._left_lines += [line.removeprefix("# ") for line in table.lines([*table.targets])]

    def tell(self) -> None:
        """Show what was found, and a sentence on each thing that cannot be built."""
        rows = [[one.name, one.source, str(one.path), one.what] for one in self.models]
        self.session.report(
            {"event": "table", "title": SHOWN, "columns": ["model", "is a", "in", "with"], "rows": rows}
        )
        self.session.warn([*(f"not in the file: {one.why} {one.next_step}" for one in self.left), *self._told])

    def text(self, top: Path) -> str:
        """The build file."""
        kinds = {kind: KINDS[kind].about for _, kind in MADE_OF.values() if any(kind in m.targets for m in self.models)}
        head = [
            f"The models of {top}, as bertbuild init found them. bertbuild build --dry-run tells what would run,",
            "bertbuild build builds it all; docs/build-file.md has every key.",
        ]
        left = [*self._left_lines, *self._told]
        return written(head, kinds, self._tables, ["Not in this file:", *left] if left else [])


def _name(place: Place, session: Session, taken: Collection[str]) -> str:
    """What to call a model: as a command of one source calls it; where that is taken, with its folder's name."""
    path = place.path
    field = "checkpoint" if place.key == "huggingface" else place.key
    named: dict[str, Any] = {field: str(path)}
    usual = called(Wanted(**named), session.store)
    if not path.exists() and path.with_name(f"{path.name}.index").exists():  # one of several in its folder
        usual = f"{usual}-{clean_name(path.name)}"
    names = [usual, f"{clean_name(path.absolute().parent.name)}-{usual}"]
    for name in _numbered([clean_name(name[: LONGEST_NAME - 20]) for name in names]):
        if name.casefold() not in taken:
            return name
    raise AssertionError("numbers do not end")


def _numbered(names: Sequence[str]) -> Iterator[str]:
    yield from names
    number = 2
    while True:
        yield f"{names[-1]}-{number}"
        number += 1


def _path(path: Path) -> str:
    """A path as the build file has it: seen from its folder where it lies below."""
    whole = path.absolute()
    text = str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else str(whole)
    toml_text(text)
    return f"./{text}" if text.startswith("~") else text


def _hints(place: Place, name: str, found: Seen, out: Path) -> Iterator[str]:
    """What the user may want to say of a model."""
    head = found.lacks_labels
    if head is not None and place.key == "checkpoint":
        words = ",".join(f"name-{number}" for number in range(min(head.labels, 3)))
        more = ",…" if head.labels > 3 else ""
        yield f'labels = "{words}{more}"    # words for the {head.labels} rows of its head, which nothing names'
    if head is not None and head.assumed:
        yield f'head = "{head.kind}"    # assumed: no file tells of what kind the head is'
    others = [answer for one in found.source.heads if not HEADS[one.kind].of_task for answer in HEADS[one.kind].answers]
    if others and found.source.head is None and place.key in ("checkpoint", "huggingface"):
        yield "It gives what the encoder answers; the words and sentences of its pre-training as well:"
        yield f"[models.{table_key(name)}.override.ir]"
        yield f"output = [{', '.join(toml_text(answer.output) for answer in others)}]"
    if place.key == "tf2":
        yield "Once it is built, its checkpoint is a model like the others:"
        yield f"[models.{table_key(f'{name}-tf1')}]"
        yield f"checkpoint = {toml_text(shown(out / name / 'tf1-checkpoint'))}"
        yield 'targets = ["ir"]'
