"""A remote store in a registry, by the Distribution API: https://github.com/opencontainers/distribution-spec (v1.1).

A registry is trusted in nothing, and little is asked of it: no referrers, no deletion (but for gc), no single step from
"is there a tag" to "put one". A result is a tag: STAGE-KEY, or PREFIX.STAGE-KEY.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from bertbuild.errors import RemoteError
from bertbuild.json_text import parse_json
from bertbuild.remote.http import Http, let_go, read
from bertbuild.remote.manifest import LARGEST, MANIFEST_TYPE
from bertbuild.remote.protocols import GoneError

CHUNK = 64 * 2**20
"""Bytes that are sent at once: what is lost where a connection breaks."""
SMALLEST_CHUNK = 2**20
_IMAGE_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)
"""Manifests of images, as engines put them there."""
_PIECE = 2**20
_TRIES = 4
_PAGE, _MOST_PAGES = 1000, 10_000
_MOST_TAGS = 64 * 2**20
_RANGE = re.compile(r"(?:bytes[ =])?0-([0-9]{1,18})")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class Registry:
    """See `Transport`."""

    def __init__(self, address: str, http: Http, repository: str, prefix: str = "", *, chunk: int = CHUNK) -> None:
        """`prefix`: of the tags, a scope of its own within the repository."""
        self.address, self._http, self._chunk = address, http, chunk
        self._base, self._prefix = f"/v2/{repository}", f"{prefix}." if prefix else ""
        self.place = f"{http.host}/{repository}"

    def tag(self, name: str) -> str:
        """The tag of a manifest."""
        return f"{self._prefix}{name}"

    def has_manifest(self, name: str) -> bool:
        """See `Transport`."""
        answer = self._http.request("HEAD", self._of_manifest(name), headers={"Accept": MANIFEST_TYPE})
        let_go(answer)
        return self._found(answer)

    def manifest(self, name: str, most: int) -> bytes | None:
        """See `Transport`."""
        return self._manifest(name, most, MANIFEST_TYPE)

    def _manifest(self, name: str, most: int, accepted: str) -> bytes | None:
        answer = self._http.request("GET", self._of_manifest(name), headers={"Accept": accepted})
        if not self._found(answer):
            let_go(answer)
            return None
        return self._read(answer, most + 1)

    def put_manifest(self, name: str, content: bytes, *, replace: bool) -> bool:  # noqa: ARG002 - the last one stays
        """See `Transport`. By its digest first, so that the tag, last of all, leads to what is there."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        for reference in (digest, self.tag(name)):
            answer = self._http.request(
                "PUT",
                f"{self._base}/manifests/{reference}",
                headers={"Content-Type": MANIFEST_TYPE},
                body=content,
                writes=True,
            )
            self._require(answer, (201,), "take the manifest of a result")
        return True

    def has_blob(self, digest: str) -> bool:
        """See `Transport`."""
        answer = self._http.request("HEAD", self._of_blob(digest), writes=True)
        let_go(answer)
        return self._found(answer)

    def blob(self, digest: str, start: int) -> Iterator[bytes]:
        """See `Transport`."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._http.request("GET", self._of_blob(digest), headers={"Accept-Encoding": "identity", **headers})
        skip = 0
        if start and answer.status == 206:
            found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
            if found is None or int(found[1]) != start:
                answer.close()
                raise self._wrong("gives another part of a file than it was asked for")
        elif start and answer.status == 200:
            skip = start  # it knows no ranges
        elif answer.status == 404:
            let_go(answer)
            raise GoneError
        elif answer.status != 200:
            answer.close()
            raise self._wrong(f"does not give a file that a result has (HTTP {answer.status})")
        try:
            for piece in answer.stream(_PIECE, decode_content=False):
                if skip < len(piece):
                    yield piece[skip:]
                skip = max(0, skip - len(piece))
        except (HTTPError, OSError) as error:
            raise self._http.silent(error) from error
        else:
            answer.release_conn()
        finally:
            answer.close()  # which leaves a connection alone that was given back

    def put_blob(self, digest: str, size: int, opened: Callable[[], BinaryIO], progress: Callable[[int], None]) -> None:
        """See `Transport`. In chunks, each the next after what the registry says to have; lost ones are sent again."""
        chunk = self._chunk
        for number in range(1, _TRIES + 1):
            upload = _Upload(self._http, self._base, digest, size, progress)
            try:
                with opened() as source:
                    upload.send(source, chunk)
            except _TooLargeError:
                upload.take_back()
                if chunk <= SMALLEST_CHUNK:
                    raise self._wrong("takes no files of this size") from None
                chunk = max(SMALLEST_CHUNK, chunk // 8)
            except RemoteError:
                upload.take_back()
                if number == _TRIES:
                    raise
            else:
                return
        raise self._wrong("takes no files of this size")

    def names(self) -> Iterator[str]:
        """See `Transport`."""
        path = f"{self._base}/tags/list?n={_PAGE}"
        for _ in range(_MOST_PAGES):
            answer = self._http.request("GET", path)
            if answer.status == 404:
                let_go(answer)
                return
            link = _NEXT.search(answer.headers.get("Link", ""))
            content = self._read(answer, _MOST_TAGS)
            try:
                tags = [str(tag) for tag in parse_json(content)["tags"] or ()]
            except (ValueError, KeyError, TypeError) as error:
                raise self._wrong("does not list its tags") from error
            for tag in tags:
                prefix, dot, name = tag.rpartition(".")
                if f"{prefix}{dot}" == self._prefix:
                    yield name
            if link is None:
                return
            path = link[1]
        raise self._wrong("lists its tags without end")

    def remove(self, name: str) -> None:
        """See `Transport`."""
        content = self._manifest(name, LARGEST, f"{MANIFEST_TYPE}, {_IMAGE_TYPES}")
        if content is None:
            return
        path = f"{self._base}/manifests/sha256:{hashlib.sha256(content).hexdigest()}"
        answer = self._http.request("DELETE", path, writes=True)
        self._require(answer, (202, 200, 204, 404), "let anything be removed")

    def collect(self, used: Callable[[], Iterable[str]]) -> int | None:  # noqa: ARG002 - it knows
        """See `Transport`. A registry has a collection of its own."""
        return None

    def _of_manifest(self, name: str) -> str:
        return f"{self._base}/manifests/{self.tag(name)}"

    def _of_blob(self, digest: str) -> str:
        return f"{self._base}/blobs/sha256:{digest}"

    def _found(self, answer: BaseHTTPResponse) -> bool:
        if answer.status not in (200, 404):
            answer.close()
            raise self._wrong(f"does not say what it has (HTTP {answer.status})")
        return answer.status == 200

    def _read(self, answer: BaseHTTPResponse, most: int) -> bytes:
        try:
            return read(answer, most)
        except (HTTPError, OSError) as error:
            raise self._http.silent(error) from error

    def _require(self, answer: BaseHTTPResponse, good: tuple[int, ...], what: str) -> None:
        let_go(answer)
        if answer.status not in good:
            raise self._wrong(f"does not {what} (HTTP {answer.status})")

    def _wrong(self, what: str) -> RemoteError:
        return RemoteError(
            f"The registry {self._http.host} {what}.", next_step="Ask whoever runs it, or name another one."
        )


class _TooLargeError(Exception):
    """A registry takes no request of this size."""


class _Upload:
    """One blob on its way."""

    def __init__(self, http: Http, base: str, digest: str, size: int, progress: Callable[[int], None]) -> None:
        self._http, self._base, self._digest, self._size = http, base, digest, size
        self._progress, self._told = progress, 0

    def send(self, source: BinaryIO, chunk: int) -> None:
        """Send all.

        Raises:
            _TooLargeError: a chunk is too large for the registry.
            RemoteError: it went wrong, and what was sent may be lost.
        """
        place = self._location(self._request("POST", f"{self._base}/blobs/uploads/", b"", {}, (202,)))
        if self._size <= chunk:
            self._end(place, source.read())
            self._tell(self._size)
            return
        done = 0
        while done < self._size:
            source.seek(done)
            piece = source.read(chunk)
            headers = {"Content-Range": f"{done}-{done + len(piece) - 1}"}
            answer = self._request("PATCH", place, piece, headers, (202,))
            place = self._location(answer)
            told = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
            come = done + len(piece) if told is None else int(told[1]) + 1
            if not done < come <= done + len(piece):
                raise self._wrong("lost a part of a file")
            self._tell(come - done)
            done = come
        self._end(place, b"")

    def take_back(self) -> None:
        """What was told to be sent is sent again."""
        self._tell(-self._told)

    def _end(self, place: str, content: bytes) -> None:
        joint = "&" if "?" in place else "?"
        path = f"{place}{joint}{urllib.parse.urlencode({'digest': f'sha256:{self._digest}'})}"
        self._request("PUT", path, content, {}, (201,))

    def _request(
        self, method: str, path: str, body: bytes, headers: dict[str, str], good: tuple[int, ...]
    ) -> BaseHTTPResponse:
        more = {"Content-Type": "application/octet-stream", "Content-Length": str(len(body))}
        answer = self._http.request(method, path, headers={**more, **headers}, body=body, writes=True, tries=1)
        let_go(answer)
        if answer.status == 413:
            raise _TooLargeError
        if answer.status not in good:
            raise self._wrong(f"does not take a file (HTTP {answer.status})")
        return answer

    def _location(self, answer: BaseHTTPResponse) -> str:
        place = answer.headers.get("Location", "")
        if not place:
            raise self._wrong("does not say where a file is to be sent")
        return place

    def _tell(self, count: int) -> None:
        self._told += count
        self._progress(count)

    def _wrong(self, what: str) -> RemoteError:
        return RemoteError(f"The registry {self._http.host} {what}.", next_step="Ask whoever runs it.")
