"""One attempt to get (the rest of) a file over HTTP. Retrying is download.py's business.

Certificates are the system's, `SSL_CERT_FILE` and the `*_proxy` variables work: urllib sees to that.
"""

from __future__ import annotations

import email.utils
import http.client
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import IO, NoReturn

import bertbuild
from bertbuild.addresses import bare
from bertbuild.catalogue import disk
from bertbuild.catalogue.partial import Origin, Partial
from bertbuild.errors import DownloadError, IntegrityError

_CHUNK = 1 << 18  # bytes; small enough for a lively bar, large enough not to show in a profile
_TRY_AGAIN = (408, 425, 429)  # besides every 5xx
_DIGITS = "[0-9]{1,18}"  # of a number of bytes; Python refuses to read thousands of digits
_LENGTH = re.compile(_DIGITS)
_ELSEWHERE = "Try --mirror with a server that has the file, or --from with a folder that does."


class TryAgain(Exception):  # noqa: N818 - a signal within this attempt, never shown to a user
    """The attempt failed in a way that may pass; `wait` is the seconds the server asked for, if it did."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What to get, and how.

    Attributes:
        url: without user information.
        credentials: what `Authorization` says to that server, and to none that it sends on to; "" for nothing.
        timeout: the seconds a silent connection is given.
    """

    url: str
    credentials: str = ""
    expected_bytes: int | None
    timeout: float
    progress: Callable[[int, int | None], None]

    def run(self, part: Partial) -> TryAgain | None:
        """Complete `part`, resuming it where possible; None when done, or why another attempt may succeed.

        Raises DownloadError, IntegrityError and NoSpaceError, which trying again would not cure; an OSError is the
        disk's, never the network's. Whatever happens, bytes that arrived stay in `part` unless known to be useless.
        """
        known = part.resumable(self.url)
        if known is not None and part.size() == known.total:
            self.progress(known.total, known.total)
            return None
        try:
            with self._open(part, known) as response:
                total = self._settle(response, part, known)
                self._body(response, part, total)
        except TryAgain as failure:
            return failure
        return None

    def _open(self, part: Partial, known: Origin | None) -> http.client.HTTPResponse:
        headers = {"User-Agent": f"bertbuild/{bertbuild.__version__}", "Accept-Encoding": "identity"}
        if known is not None and known.validator:
            headers |= {"Range": f"bytes={part.size()}-", "If-Range": known.validator}
        try:
            request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - download.py lets only http(s) in
            if self.credentials:
                request.add_unredirected_header("Authorization", self.credentials)
            response: http.client.HTTPResponse = _opener().open(request, timeout=self.timeout)
        except urllib.error.HTTPError as refusal:
            with refusal:
                self._refused(refusal, part, resuming=known is not None)
        except (ValueError, http.client.InvalidURL) as error:  # of the address that was given, or of one it leads to
            raise DownloadError(
                f"{self.url} cannot be fetched: it is, or the server sends on to, an address that is malformed.",
                next_step=f"Write the address as the standard asks, in ASCII. {_ELSEWHERE}",
                details=str(error),
            ) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise DownloadError(
                    f"The certificate of the server behind {self.url} is not trusted here.",
                    next_step="Behind a company proxy, point SSL_CERT_FILE at its certificate bundle.",
                    details=str(reason),
                ) from error
            raise TryAgain(_words(reason)) from error
        return response

    def _refused(self, refusal: urllib.error.HTTPError, part: Partial, *, resuming: bool) -> NoReturn:
        said = f"HTTP {refusal.code} {refusal.reason}"
        if refusal.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and resuming:
            part.discard()
            raise TryAgain(f"{said}: the server has no such rest, so what was kept belongs to another file")
        if refusal.code in _TRY_AGAIN or refusal.code >= 500:
            raise TryAgain(said, wait=_retry_after(refusal.headers))
        raise DownloadError(f"The server refused {self.url}: {said}.", next_step=_ELSEWHERE)

    def _settle(self, response: http.client.HTTPResponse, part: Partial, known: Origin | None) -> int | None:
        """Make `part` end where the body begins; the length of the whole file in bytes, if the server says."""
        if "html" in response.headers.get_content_subtype():
            raise self._web_page(self._read(response))
        packed = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packed not in ("", "identity") and not self.url.endswith((".gz", ".tgz")):  # whose name says what comes
            raise DownloadError(
                f"The server sends {self.url} packed ({packed}), though it was asked for the file itself.",
                next_step=f"A proxy may do this. {_ELSEWHERE}",
            )
        length = response.headers.get("Content-Length", "")
        offered = Origin(
            url=self.url,
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
            total=int(length) if _LENGTH.fullmatch(length) else None,
        )
        if response.status == http.HTTPStatus.PARTIAL_CONTENT and known is not None:
            return self._resumed(response.headers, part, known, offered)
        if response.status != http.HTTPStatus.OK:
            raise DownloadError(f"The server answered {self.url} with HTTP {response.status}.", next_step=_ELSEWHERE)
        # 200 to a request for the rest means: the whole file, from the start, because it changed or because this
        # server knows no ranges.
        self._expect(offered.total)
        part.begin(offered)
        disk.require_space(part.path.parent, offered.total or self.expected_bytes or 0, what=f"Fetching {self.url}")
        return offered.total

    def _resumed(self, headers: Message, part: Partial, known: Origin, offered: Origin) -> int | None:
        match = re.fullmatch(rf"bytes ({_DIGITS})-({_DIGITS})/({_DIGITS}|\*)", headers.get("Content-Range", "").strip())
        whole = int(match[3]) if match and match[3] != "*" else known.total
        piece = Origin(url=self.url, etag=offered.etag, last_modified=offered.last_modified, total=whole)
        if match is None or int(match[1]) != part.size() or not known.continued_by(piece):
            # Some servers honour Range but not If-Range: joining two versions would make a file nobody published.
            part.discard()
            raise TryAgain("the server's answer does not continue the file that was begun; starting again")
        self._expect(whole)
        if whole is not None:
            disk.require_space(part.path.parent, whole - part.size(), what=f"Fetching the rest of {self.url}")
        return whole

    def _expect(self, offered: int | None) -> None:
        if self.expected_bytes is not None and offered is not None and offered != self.expected_bytes:
            raise IntegrityError(
                f"{self.url} has {offered:,} bytes on the server, but {self.expected_bytes:,} on record.",
                next_step=f"The file was replaced, or a proxy altered it. {_ELSEWHERE}",
            )

    def _body(self, response: http.client.HTTPResponse, part: Partial, total: int | None) -> None:
        done = part.size()
        self.progress(done, total)
        with part.path.open("ab") as stream:
            while chunk := self._read(response):
                if done == 0 and _is_html(chunk):
                    part.discard()
                    raise self._web_page(chunk)
                stream.write(chunk)
                stream.flush()
                done += len(chunk)
                self.progress(done, total)
            os.fsync(stream.fileno())
        goal = self.expected_bytes if total is None else total
        if goal is not None and done < goal:
            raise TryAgain(f"the connection ended after {done:,} of {goal:,} bytes")
        if self.expected_bytes is not None and done != self.expected_bytes:
            part.discard()
            self._expect(done)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(_words(error)) from error

    def _web_page(self, page: bytes) -> DownloadError:
        return DownloadError(
            f"{self.url} gave a web page in place of the file.",
            next_step=f"A proxy or a login page may stand in between: open the address in a browser. {_ELSEWHERE}",
            details=page[:2000].decode("utf-8", "replace"),
        )


class _WebAlone(urllib.request.HTTPRedirectHandler):
    """Goes where servers send on to, if that is http or https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.lower().startswith(("https://", "http://")):
            raise DownloadError(
                f"The server of {req.full_url} sends on to an address that is not http or https: {bare(newurl)}.",
                next_step=_ELSEWHERE,
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:  # proxies and certificates are the environment's of the moment
    return urllib.request.build_opener(_WebAlone)


def _is_html(head: bytes) -> bool:
    return head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html"))


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "the server fell silent"
    if isinstance(error, socket.gaierror):
        return f"the server's name cannot be looked up ({error.strerror})"
    return str(error) or type(error).__name__


def _retry_after(headers: Message) -> float | None:
    """Seconds from `Retry-After`, which is a number or a date (RFC 9110 §10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
