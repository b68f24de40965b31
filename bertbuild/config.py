"""Settings from four places: flags win over environment variables, then comes `bertbuild.toml`, then the defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.places import AUTO, described, isolation_values
from bertbuild.toml.document import Document, read_document, shown
from bertbuild.toml.values import Choice, Size, Text, Texts, Truth, Type, Value, Whole, WrongValueError, in_bytes

CONFIG_FILE = "bertbuild.toml"
REMOTE, CLUSTER = "remote", "cluster"
"""The tables of `bertbuild.toml` with the settings of the remote store, and of the machines that run stages."""
SETTING_TABLES = {
    REMOTE: "the remote store, whose results builds use",
    CLUSTER: "the scheduler of the machines that run stages",
}

FETCH = ("targets", "all", "none")
"""What a build brings here of the results that the remote store has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How and where to build; nothing here changes what is built.

    Attributes:
        artifacts: the store, the shared volume of all stages. `BERTBUILD_ARTIFACTS`.
        isolation: the name of a place (`places.PLACES`), or "auto": what the last build of the store used, if that can
            be used still, else the first that can be used. `BERTBUILD_ISOLATION`.
        environments: where virtual environments are kept, shared by all checkouts. `BERTBUILD_ENVIRONMENTS`.
        models_lock: hashes of downloads whose publisher gives none. `BERTBUILD_MODELS_LOCK`.
        mirror: base URL that takes the place of the models' public one. `BERTBUILD_MIRROR`.
        local: folder with downloaded zips or unpacked models. `BERTBUILD_FROM`.
        jobs: stages that run at the same time; 0: as many as there are cores. `BERTBUILD_JOBS`.
        memory: what all of them together may take, as "16g"; empty: what the machine has free.
            `BERTBUILD_MEMORY_BUDGET`; `BERTBUILD_MEMORY` is the limit of one container (compose.yaml).
        offline: whether the network must not be used. `BERTBUILD_OFFLINE`.
        remote: address of the remote store: oci://, s3:// or file://; empty: there is none. `BERTBUILD_REMOTE`.
        remote_read: whether builds look there for results. `BERTBUILD_REMOTE_READ`.
        remote_write: whether builds put there what they made. `BERTBUILD_REMOTE_WRITE`.
        remote_trust: public keys, with commas; a result counts only where one of them signed it.
            `BERTBUILD_REMOTE_TRUST`.
        remote_key: file of the private key that signs what is put there. `BERTBUILD_REMOTE_KEY`.
        fetch: which results of the remote store a build brings here, one of `FETCH`. `BERTBUILD_FETCH`.
        scheduler: address of the scheduler whose workers run stages: tls://host:port, or tcp:// on this machine; empty:
            stages run here. `BERTBUILD_SCHEDULER`.
        certificates: folder with the certificates of tls://. `BERTBUILD_CERTIFICATES`.
    """

    artifacts: Path = Path("artifacts")
    isolation: str = AUTO
    environments: Path = Path("~/.cache/bertbuild/environments")
    models_lock: Path = Path("models.lock.json")
    mirror: str | None = None
    local: Path | None = None
    jobs: int = 0
    memory: str = ""
    offline: bool = False
    remote: str = ""
    remote_read: bool = True
    remote_write: bool = False
    remote_trust: str = ""
    remote_key: Path | None = None
    fetch: str = "targets"
    scheduler: str = ""
    certificates: Path | None = None

    @property
    def memory_bytes(self) -> int | None:
        """The memory budget in bytes, None where it is what the machine has free."""
        return in_bytes(self.memory) if self.memory else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting: its key in `bertbuild.toml`, its variable, what it may be, and what it means in a line.

    `table`, `key`: where it stands in the file, of those that stand in one of `SETTING_TABLES`.
    """

    name: str
    variable: str
    type: Type
    about: str
    table: str = ""
    key: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """Where it stands in the file."""
        return (self.table, self.key) if self.table else (self.name,)


SETTINGS = (
    Setting(name="artifacts", variable="BERTBUILD_ARTIFACTS", type=Text(), about="the store, shared by all stages"),
    Setting(
        name="isolation",
        variable="BERTBUILD_ISOLATION",
        type=Choice(isolation_values()),
        about=f"where stages run: {described()}",
    ),
    Setting(
        name="environments",
        variable="BERTBUILD_ENVIRONMENTS",
        type=Text(),
        about="where virtual environments are kept, shared by all checkouts",
    ),
    Setting(
        name="models_lock",
        variable="BERTBUILD_MODELS_LOCK",
        type=Text(),
        about="hashes of downloads whose publisher gives none",
    ),
    Setting(
        name="mirror",
        variable="BERTBUILD_MIRROR",
        type=Text(),
        about="base URL that takes the place of the models' public one",
    ),
    Setting(
        name="local",
        variable="BERTBUILD_FROM",
        type=Text(),
        about="folder with downloaded zips or unpacked models",
    ),
    Setting(
        name="jobs",
        variable="BERTBUILD_JOBS",
        type=Whole(),
        about="stages that run at the same time; 0: as many as there are cores",
    ),
    Setting(
        name="memory",
        variable="BERTBUILD_MEMORY_BUDGET",
        type=Size(),
        about="what all stages together may take; default: what the machine has free",
    ),
    Setting(
        name="offline", variable="BERTBUILD_OFFLINE", type=Truth(), about="use no network, and say what is missing"
    ),
    Setting(
        name="remote",
        variable="BERTBUILD_REMOTE",
        type=Text(),
        about="the remote store: oci://host/repository[:prefix], s3://bucket/prefix or file:///folder",
        table=REMOTE,
        key="url",
    ),
    Setting(
        name="remote_read",
        variable="BERTBUILD_REMOTE_READ",
        type=Truth(),
        about="whether builds look for results there (default: true)",
        table=REMOTE,
        key="read",
    ),
    Setting(
        name="remote_write",
        variable="BERTBUILD_REMOTE_WRITE",
        type=Truth(),
        about="whether builds put there what they made (default: false)",
        table=REMOTE,
        key="write",
    ),
    Setting(
        name="remote_trust",
        variable="BERTBUILD_REMOTE_TRUST",
        type=Texts(),
        about="public keys, as `bertbuild remote keygen` prints them; a result counts only where one of them signed it",
        table=REMOTE,
        key="trust",
    ),
    Setting(
        name="remote_key",
        variable="BERTBUILD_REMOTE_KEY",
        type=Text(),
        about="file of the private key that signs what is put there",
        table=REMOTE,
        key="key",
    ),
    Setting(
        name="fetch",
        variable="BERTBUILD_FETCH",
        type=Choice(FETCH),
        about="which results of the remote store a build brings here; the steps between are not needed (default: "
        "targets)",
        table=REMOTE,
        key="fetch",
    ),
    Setting(
        name="scheduler",
        variable="BERTBUILD_SCHEDULER",
        type=Text(),
        about="the scheduler whose workers run stages: tls://host:port, or tcp://127.0.0.1:port on this machine",
        table=CLUSTER,
        key="scheduler",
    ),
    Setting(
        name="certificates",
        variable="BERTBUILD_CERTIFICATES",
        type=Text(),
        about="folder with the certificates of tls:// (docs/cluster.md)",
        table=CLUSTER,
        key="certificates",
    ),
)
VARIABLES = {setting.name: setting.variable for setting in SETTINGS}
TABLES = ("defaults", "targets", "models")
"""The tables of `bertbuild.toml` that are not settings but say what is built: `buildfile.load` reads them."""

_PATHS = {"artifacts", "environments", "models_lock", "local", "remote_key", "certificates"}
_FLAGS = {"local": "from"}


def load_settings(
    flags: Mapping[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    file: Path | None = None,
) -> Settings:
    """The settings for this run; empty flags, variables and strings of the file count as not given.

    Args:
        flags: by the settings' names.
        environ: the environment, else the process's.
        folder: where `bertbuild.toml` is looked for, else the current one.
        file: what is read in its place.

    Raises:
        UsageError: an unknown key in `bertbuild.toml`, or a value that is not allowed.
    """
    environ = os.environ if environ is None else environ
    document = read_document(file or (folder / CONFIG_FILE if folder else Path(CONFIG_FILE)))
    values = file_settings(document) if document else {}
    for setting in SETTINGS:
        text, origin = environ.get(setting.variable), setting.variable
        if flags and flags.get(setting.name):
            text, origin = flags[setting.name], f"--{_FLAGS.get(setting.name, setting.name)}"
        if text:
            values[setting.name] = _from_text(setting, text, origin)
    settings = Settings()
    for name, value in values.items():
        settings = replace(settings, **{name: _path(name, str(value)) if name in _PATHS else value})  # type: ignore[arg-type]
    environments = _path("environments", str(settings.environments))
    # One spelling of the store's place, whatever links or `..` are typed: digests and names are looked up by it.
    return replace(settings, artifacts=settings.artifacts.resolve(), environments=environments)


def _path(name: str, text: str) -> Path:
    """A path, in the caller's home where it begins with ~.

    Raises:
        UsageError: the caller has no home, as a uid that no list of users has.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{VARIABLES[name]} is {text}, and this user (uid {os.getuid()}) has no home folder.",
            next_step=f"Set HOME, or {VARIABLES[name]} to a path without ~.",
        ) from error


def file_settings(document: Document) -> dict[str, Value]:
    """The settings in a `bertbuild.toml`, but for empty strings.

    Raises:
        UsageError: it has another key than settings and `TABLES`, or a value that is not allowed.
    """
    values: dict[str, Value] = {}
    known = {setting.place: setting for setting in SETTINGS}
    tables = (*SETTING_TABLES, *TABLES)
    there: dict[tuple[str, ...], object]
    there = {(name,): raw for name, raw in document.values.items() if name not in tables}
    for table in SETTING_TABLES:
        there |= {(table, name): raw for name, raw in document.table((table,)).items()}
    for place, raw in there.items():
        if place not in known:
            beside = [other[-1] for other in known if other[:-1] == place[:-1]]
            raise document.unknown_key(place, beside if place[:-1] else [*beside, *tables])
        setting = known[place]
        try:
            value = setting.type.read(raw)
        except WrongValueError as error:
            raise document.refused(place, _must_be(setting, f'"{place[-1]}"', raw), next_step="Fix it.") from error
        if value != "":
            values[setting.name] = value
    return values


def _from_text(setting: Setting, text: str, origin: str) -> Value:
    """The value of a flag or variable."""
    raw: Value = int(text) if isinstance(setting.type, Whole) and re.fullmatch("[0-9]{1,18}", text) else text
    if isinstance(setting.type, Truth):
        raw = {"1": True, "true": True, "0": False, "false": False}.get(text.lower(), text)
    try:
        return setting.type.read(raw)
    except WrongValueError as error:
        raise UsageError(_must_be(setting, origin, text), next_step="Fix it, or leave it out.") from error


def _must_be(setting: Setting, called: str, raw: object) -> str:
    hint = did_you_mean(raw, setting.type.options) if isinstance(raw, str) else "."
    return f"{called} must be {setting.type.words}, not {shown(raw)}{hint}"
