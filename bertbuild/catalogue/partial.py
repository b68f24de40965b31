"""An unfinished download on disk: the bytes so far, and what is needed to ask for the rest of the same file."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bertbuild.json_text import parse_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which version of which file the bytes belong to (RFC 9110: entity tag, modification date, length)."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may carry: a strong entity tag, else the date (RFC 9110 §13.1.5 forbids weak tags)."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def continued_by(self, other: Origin) -> bool:
        """Whether another answer is a piece of the same version: it says so, and nothing differs that both say."""
        says = other.etag is not None or other.last_modified is not None  # RFC 9110 15.3.7 asks for what a 200 has
        return says and all(
            mine is None or theirs is None or mine == theirs
            for mine, theirs in (
                (self.etag, other.etag),
                (self.last_modified, other.last_modified),
                (self.total, other.total),
            )
        )


class Partial:
    """`FILE.part` and, beside it, `FILE.part.json` with its origin."""

    def __init__(self, destination: Path) -> None:
        self.path = destination.with_name(f"{destination.name}.part")
        self._origin = destination.with_name(f"{destination.name}.part.json")

    def size(self) -> int:
        """Bytes on disk so far."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def resumable(self, url: str) -> Origin | None:
        """The origin of the bytes on disk if the rest can be asked for; otherwise they are thrown away, and None."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            origin = Origin(**parse_json(self._origin.read_text(encoding="utf-8")))
            fits = origin.total is None or self.size() <= origin.total
            if origin.url == url and origin.validator and self.size() and fits:
                return origin
        self.discard()
        return None

    def begin(self, origin: Origin) -> None:
        """Start again with the bytes of `origin`. Raises OSError."""
        self.discard()
        self.path.touch()
        self._origin.write_text(json.dumps(asdict(origin)), encoding="utf-8")

    def discard(self) -> None:
        """Forget everything."""
        # The origin goes first: bytes without an origin are never resumed, the reverse would be a trap.
        self._origin.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self, destination: Path) -> None:
        """Give the complete file its name."""
        self.path.replace(destination)
        self._origin.unlink(missing_ok=True)
