"""Archives unpacked with suspicion: a download, or a user's own checkpoint, may be broken, foreign or hostile."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatch
from pathlib import Path

from bertbuild.catalogue import disk
from bertbuild.catalogue.containers import DAMAGE, Container, ending_of, open_container
from bertbuild.catalogue.members import Limits, Member, list_members
from bertbuild.errors import ArchiveError
from bertbuild.families.bert_names import CONFIG_FILE, OTHER_CONFIGS

_CHUNK = 1 << 20
_LIMITS = Limits()
_HEADS = (  # how files begin that people take for archives
    (b"\x1f\x8b", "a gzip file (a .tar.gz, perhaps cut short or under another name)"),
    (b"BZh", "a bzip2 file (a .tar.bz2, perhaps cut short or under another name)"),
    (b"\xfd7zXZ\0", "an xz file (a .tar.xz, perhaps cut short or under another name)"),
    (b"<", "a web page, it seems"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself (`git lfs pull` gets it)"),
    (b"PK\x03\x04", "a zip, cut short or under another name"),
)


def unpack_archive(
    archive: Path,
    destination: Path,
    *,
    inside: str = "",
    only: Collection[str] | None = None,
    limits: Limits = _LIMITS,
    accept: Callable[[Sequence[str]], None] | None = None,
) -> tuple[str, ...]:
    """Unpack `archive` into the new folder `destination`; the names of its files, with forward slashes, sorted.

    A folder that holds everything else in it is taken away, so that an archive with one folder on top and a flat one
    give the same. `inside` keeps only what is below that folder, `only` only the files of these names; every member
    is examined all the same. `accept` sees the names before anything is written, and raises to refuse them.

    `destination` appears complete or not at all. Raises ArchiveError, naming the member at fault, and NoSpaceError.
    """
    if destination.exists():
        raise ArchiveError(f"{destination} exists already.", next_step="Remove it, or unpack somewhere else.")
    work = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}")
    try:
        with open_container(archive, limits) as opened:
            members = list_members(opened.entries(), archive.name, limits=limits, inside=inside)
            if accept is not None:
                accept([member.name for member in members])
            kept = [member for member in members if only is None or member.name in only]
            destination.parent.mkdir(parents=True, exist_ok=True)
            disk.require_space(destination.parent, sum(m.info.size for m in kept), what=f"Unpacking {archive.name}")
            for member in kept:
                _write(opened, member, work / member.name, archive.name)
        work.mkdir(exist_ok=True)  # an archive of nothing gives an empty folder
        work.rename(destination)
    except DAMAGE as error:
        raise ArchiveError(
            f"{archive.name} cannot be read as a {ending_of(archive)}; it is {_what_it_is(archive)}.",
            next_step="Fetch it again; if it is your own, check how it was made.",
            details=str(error),
        ) from error
    except OSError as error:
        raise disk.no_space(error, what=str(work)) or ArchiveError(
            f"{archive.name} cannot be unpacked.",
            next_step="Check the file and the folder's rights.",
            details=str(error),
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return tuple(sorted(member.name for member in kept))


def unpack_checkpoint(
    archive: Path, destination: Path, *, only: Collection[str] | None = None, limits: Limits = _LIMITS
) -> tuple[str, ...]:
    """`unpack_archive` for one that must hold a Google-format checkpoint: its configuration and a `*.index` on top.

    Raises ArchiveError also for an archive of something else, saying what it holds.
    """

    def accept(names: Sequence[str]) -> None:
        top = [name for name in names if "/" not in name]
        configs = [name for name in top if any(fnmatch(name, pattern) for pattern in (CONFIG_FILE, *OTHER_CONFIGS))]
        if configs and any(name.endswith(".index") for name in top):
            return
        shown = ", ".join(sorted(names)[:8]) or "nothing"
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        raise ArchiveError(
            f"{archive.name} is not a BERT checkpoint: it holds {shown}{more}.",
            next_step=f"A checkpoint's archive has {CONFIG_FILE}, vocab.txt and bert_model.ckpt.* side by side.",
        )

    return unpack_archive(archive, destination, only=only, limits=limits, accept=accept)


def _write(opened: Container, member: Member, target: Path, archive: str) -> None:
    """Stream one member to disk; zipfile checks the CRC at its end, the packer of a tar did so when it was listed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with opened.open(member.info) as source, target.open("xb") as out:
            while chunk := source.read(_CHUNK):
                out.write(chunk)
                written += len(chunk)
            out.flush()
            os.fsync(out.fileno())
    except DAMAGE as error:
        raise _damaged(member, archive, str(error)) from error
    if written != member.info.size:
        raise _damaged(member, archive, f"{written:,} bytes came out, {member.info.size:,} were declared")


def _damaged(member: Member, archive: str, details: str) -> ArchiveError:
    return ArchiveError(
        f"{member.info.name!r} in {archive} is damaged.", next_step="Fetch the archive again.", details=details
    )


def _what_it_is(archive: Path) -> str:
    with archive.open("rb") as stream:
        head = stream.read(64)
    if not head:
        return "empty"
    return next((words for start, words in _HEADS if head.lstrip().startswith(start)), "something else, or damaged")
