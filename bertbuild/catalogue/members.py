"""The table of contents of an archive, examined before anything is unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from bertbuild.errors import ArchiveError

Kind = Literal["file", "folder", "other"]

_JUNK = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\._[^/]*$)")  # what macOS adds to every archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an archive may grow; the largest published BERT, with optimizer slots, stays below a tenth of it."""

    members: int = 4096
    total_bytes: int = 64 << 30
    ratio: int = 200
    """Bytes out per byte in, for what has over `ratio_from` bytes, of a member and of all up to it: freshly initialised
    slots are small and all zero.
    """
    ratio_from: int = 64 << 20
    directory: int = 4 << 20
    """Bytes of a zip's directory: a thousand for each member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an archive says of a member.

    Attributes:
        name: as the archive has it, nothing cut or rewritten.
        size: bytes when unpacked.
        packed: bytes in the archive; None where all of it is packed as one.
        kind: what it is; "other" is a link, a device, a file with holes.
        encrypted: whether it needs a password.
        handle: what the library that reads the archive opens it by.
    """

    name: str
    size: int
    packed: int | None
    kind: Kind
    encrypted: bool
    handle: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file to unpack: its entry in the archive, and its name below the destination, with forward slashes."""

    info: Entry
    name: str


def list_members(entries: Iterable[Entry], archive: str, *, limits: Limits, inside: str) -> list[Member]:
    """The files of an archive whose every member is harmless, without the folders that all of them share.

    With `inside`, only the files below that folder. Raises ArchiveError naming the first member at fault.
    """
    infos = list(entries)
    if len(infos) > limits.members:
        raise _refused(archive, f"it has {len(infos):,} members, more than {limits.members:,}")
    seen: dict[str, Entry] = {}
    total = packed = 0
    members = []
    for info in infos:
        fault = _fault(info, limits)
        path = "/".join(part for part in info.name.split("/") if part not in ("", "."))
        # Case is folded because two such files are one on macOS. A tar may say of a folder more than once that it is.
        if fault is None and path:
            first = seen.setdefault(path.casefold(), info)
            if first is not info and not (info.packed is None and first.kind == info.kind == "folder"):
                fault = "comes twice"
        total += info.size
        packed += info.packed or 0
        if info.packed is not None and total > limits.ratio_from and total > limits.ratio * max(1, packed):
            fault = fault or f"makes it grow more than {limits.ratio} times when unpacked"
        if total > limits.total_bytes:
            fault = f"brings the unpacked size over {limits.total_bytes:,} bytes"
        if fault is not None:
            raise _refused(archive, f"its member {info.name!r} {fault}")
        if info.kind == "file" and not _JUNK.search(path):
            members.append(Member(info=info, name=path))
    _no_file_is_a_folder(members, archive)
    top = f"{inside.strip('/')}/" if inside else _shared_folder(members)
    return [Member(info=m.info, name=m.name[len(top) :]) for m in members if m.name.startswith(top)]


def _fault(info: Entry, limits: Limits) -> str | None:
    name = info.name
    if "\\" in name or "\0" in name:
        return "has a name no checkpoint would have"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "climbs out of the folder it is unpacked into"
    if info.kind == "other":
        return "is a link or a special file"
    if info.encrypted:
        return "is encrypted"
    if info.packed is not None and info.size > limits.ratio_from and info.size > limits.ratio * max(1, info.packed):
        return f"grows more than {limits.ratio} times when unpacked"
    return None


def _no_file_is_a_folder(members: list[Member], archive: str) -> None:
    files = {member.name.casefold() for member in members}
    for member in members:
        parts = member.name.casefold().split("/")
        if any("/".join(parts[:depth]) in files for depth in range(1, len(parts))):
            raise _refused(archive, f"its member {member.info.name!r} lies below another file")


def _shared_folder(members: list[Member]) -> str:
    """The folder all members are in, with a slash at its end; "" if there is none."""
    if not members:
        return ""
    shared = members[0].name.split("/")[:-1]
    for member in members[1:]:
        folder = member.name.split("/")[:-1]
        same = [one == other for one, other in zip(shared, folder, strict=False)]
        shared = shared[: same.index(False) if False in same else len(same)]
    return "".join(f"{part}/" for part in shared)


def _refused(archive: str, why: str) -> ArchiveError:
    return ArchiveError(
        f"{archive} is not unpacked: {why}.",
        next_step="Nothing was written. Get the archive from a source you trust, or unpack it yourself.",
    )
