"""What targets are made of, as it is named in Python."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from bertbuild.errors import UsageError

if TYPE_CHECKING:
    from bertbuild.plans.wanted import Wanted

Path = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of your own: folder, prefix, zip or tar, or a Hugging Face folder.

    `config` and `vocab` are its files where they are not in its folder. Of several encoders in it the one of the
    variable scope `scope` is taken; with `ema` the variables' moving averages. `head` says of what kind its head is
    where its files do not tell ("classifier", "tokens", …); `labels` are words for its rows, with commas.
    """

    path: Path
    config: Path = ""
    vocab: Path = ""
    scope: str = ""
    ema: bool = False
    head: str = ""
    labels: str = ""

    def wanted(self, name: str) -> Wanted:
        """It as commands take it; `name` is what its results are called, empty for its own."""
        files = {"checkpoint": str(self.path), "config": str(self.config), "vocab": str(self.vocab)}
        said = {"scope": self.scope, "ema": self.ema, "head": self.head, "labels": self.labels}
        return _wanted(name=name, **said, **files)


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue, fetched where it is not there yet; `Project.models` lists them."""

    name: str

    def wanted(self, name: str) -> Wanted:
        """See `Checkpoint.wanted`."""
        return _wanted(model=self.name, name=name)


@dataclass(frozen=True, slots=True)
class FrozenGraph:
    """A graph frozen earlier (.pb); `outputs` are those that are wanted, "NODE[:name],…", empty for what it tells."""

    path: Path
    outputs: str = ""

    def wanted(self, name: str) -> Wanted:
        """See `Checkpoint.wanted`."""
        return _wanted(frozen=str(self.path), outputs=self.outputs, name=name)


@dataclass(frozen=True, slots=True)
class SavedModelFolder:
    """A SavedModel of TensorFlow 1, with variables or frozen."""

    path: Path

    def wanted(self, name: str) -> Wanted:
        """See `Checkpoint.wanted`."""
        return _wanted(saved_model=str(self.path), name=name)


@dataclass(frozen=True, slots=True)
class TrainBegin:
    """A model of TensorFlow 2 that `train` begins with: one of the three, as its flags say.

    `config` and `vocab` are its files where they are not in its folder; of several encoders in it the one below the
    object `root` is taken.
    """

    init_checkpoint: Path = ""
    hub_module_url: Path = ""
    model_dir: Path = ""
    config: Path = ""
    vocab: Path = ""
    root: str = ""

    def wanted(self, name: str) -> Wanted:
        """See `Checkpoint.wanted`."""
        paths = {one: str(getattr(self, one)) for one in ("init_checkpoint", "hub_module_url", "model_dir")}
        return _wanted(name=name, config=str(self.config), vocab=str(self.vocab), root=self.root, **paths)


Source = Checkpoint | Model | FrozenGraph | SavedModelFolder


def wanted(source: object, name: str) -> Wanted:
    """A source as commands take it; `name` is what its results are called, empty for its own.

    Raises:
        UsageError: it is not a source.
    """
    if not isinstance(source, Source | TrainBegin):
        raise UsageError(
            f"{source!r} is not a source.",
            next_step="Give a Checkpoint, Model, FrozenGraph or SavedModelFolder, for instance Checkpoint('path').",
        )
    return source.wanted(check_text("name", name))


def check_text(argument: str, value: object) -> str:
    """An argument that must be text.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, str):
        raise UsageError(f"{argument} must be text (got {value!r}).", next_step="Give a str.")
    return value


def check_path(argument: str, value: object) -> Path:
    """An argument that must be a path.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(value, str | PathLike):
        raise UsageError(f"{argument} must be a path (got {value!r}).", next_step="Give a str or a pathlib.Path.")
    return value


def check_names(names: tuple[object, ...]) -> None:
    """Refuse names that are not text.

    Raises:
        UsageError: one is not.
    """
    for name in names:
        check_text("a name", name)


def _wanted(**named: Any) -> Wanted:
    from bertbuild.plans.wanted import Wanted

    for argument, value in named.items():
        if argument != "ema":
            check_text(argument, value)
    return Wanted(**named)
