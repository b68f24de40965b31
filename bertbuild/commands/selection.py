"""What a name on the command line means: of a build file, else of what was built before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bertbuild.buildfile.entries import BuildFile
from bertbuild.buildfile.load import find_build_file
from bertbuild.buildfile.select import means_something, names_in, select
from bertbuild.commands.forecast import Forecast
from bertbuild.commands.session import Session
from bertbuild.errors import MisledNameError, UsageError
from bertbuild.names import did_you_mean, is_meant
from bertbuild.plural import number_of
from bertbuild.store.opened import Misled, misled
from bertbuild.store.records import Record, read_records
from bertbuild.store.store import Store
from bertbuild.toml.document import shown


def find(session: Session, file: str) -> BuildFile | None:
    """The build file that was named, else the folder's, None where there is none; its warnings are told.

    Raises:
        UsageError, UnknownModelError: as `find_build_file`.
    """
    build_file = find_build_file(file)
    if build_file is not None:
        session.warn(build_file.warnings)
    return build_file


def add_all(session: Session, forecast: Forecast, build_file: BuildFile | None) -> list[Record]:
    """Add all targets of a build file, and those on record that it does not have; gives the records of all targets."""
    records = list(read_records(session.store))
    if build_file is not None:
        forecast.add_build_file(build_file)
    listed = {(target.model, target.name) for target in forecast.targets}
    for record in records:
        if (record.model, record.target.name) not in listed:
            forecast.add_record(record)
    return records


def add_named(
    session: Session, forecast: Forecast, build_file: BuildFile | None, names: Sequence[str], also: Iterable[str] = ()
) -> None:
    """Add what the names mean: each a model, a target, model/target, or a shell's pattern of these.

    Args:
        session: of the command.
        forecast: what they are added to.
        build_file: where they are looked for first.
        names: what was typed.
        also: other names that the command knows, for the error.

    Raises:
        UsageError: a name is nothing's.
    """
    listed = [name for name in names if build_file is not None and means_something(build_file, name)]
    if build_file is not None and listed:
        forecast.add_build_file(select(build_file, listed))
    others = [name for name in names if name not in listed]
    records = list(read_records(session.store)) if others else []
    for name in others:
        if not any(_is_named(record, name) for record in records):
            known = names_in(build_file) if build_file is not None else []
            raise _unknown(name, [*known, *_names_of(records)], also)
    there = {(target.model, target.name) for target in forecast.targets}
    for record in records:
        is_new = (record.model, record.target.name) not in there
        if is_new and any(_is_named(record, name) for name in others):
            forecast.add_record(record)


def built(store: Store, names: Sequence[str]) -> list[Record]:
    """The records of what is built, or of what the names mean of it.

    Raises:
        UsageError: nothing is built, or a name is nothing's.
    """
    records = list(read_records(store))
    if not records:
        raise UsageError("Nothing is built yet.", next_step="Build it first: invoke build-ir --model minilm-l6")
    for name in names:
        if not any(_is_named(record, name) for record in records):
            raise _unknown(name, _names_of(records), ())
    return [record for record in records if not names or any(_is_named(record, name) for name in names)]


def misled_names(store: Store, names: Sequence[str]) -> list[Misled]:
    """The names in out/ (of those that are meant; all for none) that lead elsewhere than is on record of them."""

    def wanted(model: str, target: str) -> bool:
        return not names or any(is_meant(model, target, name) for name in names)

    return misled(store, read_records(store), wanted)


def require_names(store: Store, names: Sequence[str]) -> None:
    """Refuse where such a name leads elsewhere.

    Raises:
        MisledNameError: all of them are in its details.
    """
    found = misled_names(store, names)
    if found:
        raise misled_error([item.problem for item in found])


def misled_error(problems: Sequence[str]) -> MisledNameError:
    """The error on names that lead elsewhere, of which `problems` tell."""
    more = len(problems) - 1
    others = f" ({number_of(more, 'more name')} like it)" if more else ""
    return MisledNameError(
        f"{problems[0]}{others}.",
        next_step="Remove what you did not put there from out/, and build the target again: that gives it its name.",
        details="\n".join(problems),
    )


def is_known(session: Session, build_file: BuildFile | None, name: str) -> bool:
    """Whether a name means something in the build file or on record."""
    if build_file is not None and means_something(build_file, name):
        return True
    return any(_is_named(record, name) for record in read_records(session.store))


def _is_named(record: Record, name: str) -> bool:
    return is_meant(record.model, record.target.name, name)


def _names_of(records: Iterable[Record]) -> list[str]:
    found = [(record.model, record.target.name) for record in records]
    return [name for model, target in found for name in (model, target, f"{model}/{target}")]


def _unknown(name: str, known: Sequence[str], also: Iterable[str]) -> UsageError:
    if not known:
        return UsageError(
            f"Nothing is called {shown(name)}: there is no build file here, and nothing is built yet.",
            next_step="Name a build file with --file, or build something first: invoke build-ir --model minilm-l6",
        )
    near = did_you_mean(name, [*known, *also])
    few = ", ".join(list(dict.fromkeys(known))[:8])
    return UsageError(
        f"Nothing is called {shown(name)}{near}",
        next_step=f"Names: {few}{', …' if len(set(known)) > 8 else ''}; invoke status shows all targets.",
    )
