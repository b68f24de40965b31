"""Settings from four places: flags win over environment variables, then comes `bertbuild.toml`, then the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from bertbuild.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: docker/ and compose.yaml lie here."""

CONFIG_FILE = "bertbuild.toml"
ISOLATIONS = ("auto", "docker", "venv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How and where to build; nothing here changes what is built.

    Attributes:
        artifacts: the store, the shared volume of all stages. `BERTBUILD_ARTIFACTS`.
        isolation: "docker", "venv", or "auto": docker where an engine answers, else venv. `BERTBUILD_ISOLATION`.
        environments: where virtual environments are kept, shared by all checkouts. `BERTBUILD_ENVIRONMENTS`.
        models_lock: hashes of downloads whose publisher gives none. `BERTBUILD_MODELS_LOCK`.
        mirror: base URL that takes the place of the models' public one. `BERTBUILD_MIRROR`.
        local: folder with downloaded zips or unpacked models. `BERTBUILD_FROM`.
    """

    artifacts: Path = Path("artifacts")
    isolation: str = "auto"
    environments: Path = Path("~/.cache/bertbuild/environments")
    models_lock: Path = Path("models.lock.json")
    mirror: str | None = None
    local: Path | None = None


VARIABLES = {
    "artifacts": "BERTBUILD_ARTIFACTS",
    "isolation": "BERTBUILD_ISOLATION",
    "environments": "BERTBUILD_ENVIRONMENTS",
    "models_lock": "BERTBUILD_MODELS_LOCK",
    "mirror": "BERTBUILD_MIRROR",
    "local": "BERTBUILD_FROM",
}
_PATHS = {"artifacts", "environments", "models_lock", "local"}


def load_settings(
    flags: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings for this run; empty flags and variables count as not given.

    Raises:
        UsageError: an unknown key in `bertbuild.toml`, or a value that is not allowed.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, str] = {}
    values.update(_from_file((folder or Path.cwd()) / CONFIG_FILE))
    values.update({name: environ[variable] for name, variable in VARIABLES.items() if environ.get(variable)})
    values.update({name: value for name, value in (flags or {}).items() if value})
    settings = Settings()
    for name, value in values.items():
        settings = replace(settings, **{name: Path(value).expanduser() if name in _PATHS else value})  # type: ignore[arg-type]
    if settings.isolation not in ISOLATIONS:
        raise UsageError(
            f"Isolation {settings.isolation!r} is none of {', '.join(ISOLATIONS)}.",
            next_step="Give --isolation docker or --isolation venv, or leave it out.",
        )
    return replace(settings, artifacts=settings.artifacts.absolute(), environments=settings.environments.expanduser())


def _from_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", next_step="Mend its permissions.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}.", next_step="Save it as UTF-8.") from error
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib  # type: ignore[import-not-found,no-redef]
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", next_step="Mend the line it names.") from error
    known = {field.name for field in fields(Settings)}
    for name, value in table.items():
        if name not in known or not isinstance(value, str):
            raise UsageError(
                f"{path}: {name!r} is no setting."
                if name not in known
                else f"{path}: {name!r} must be a string, not {type(value).__name__}.",
                next_step=f"Known settings: {', '.join(sorted(known))}.",
            )
    return table
