"""A small HTTP server that misbehaves on demand, and the files of a small model."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

Step = Callable[[BaseHTTPRequestHandler, "Server"], None]

DATES = {"2018": "Thu, 18 Oct 2018 00:00:00 GMT", "2020": "Thu, 20 Feb 2020 00:00:00 GMT"}


@dataclass
class Server:
    """Serves `content` at every path. Each request takes the next of `steps`; without one, it is answered honestly."""

    content: bytes = b""
    etag: str | None = '"v1"'
    last_modified: str | None = None
    steps: list[Step] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(dict(handler.headers))
        self.paths.append(handler.path)
        (self.steps.pop(0) if self.steps else honest)(handler, self)

    def ranges(self) -> list[str | None]:
        return [request.get("Range") for request in self.requests]


def head(handler, server, status, length, **more):
    handler.send_response(status)
    for name, value in {"ETag": server.etag, "Last-Modified": server.last_modified, "Content-Length": length}.items():
        if value is not None:
            handler.send_header(name, str(value))
    for name, value in more.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def asked_start(handler, server) -> int:
    wanted = handler.headers.get("Range")
    same = handler.headers.get("If-Range") in (server.etag, server.last_modified)
    return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and same else 0


def honest(handler, server, *, body: Callable[[bytes], bytes] = lambda rest: rest):
    start, size = asked_start(handler, server), len(server.content)
    if start:
        if start >= size:
            head(handler, server, 416, 0, Content_Range=f"bytes */{size}")
            return
        head(handler, server, 206, size - start, Content_Range=f"bytes {start}-{size - 1}/{size}")
    else:
        head(handler, server, 200, size)
    handler.wfile.write(body(server.content[start:]))


def cut_after(count: int) -> Step:
    def step(handler, server):
        honest(handler, server, body=lambda rest: rest[:count])

    return step


def stall_after(count: int) -> Step:
    def step(handler, server):
        honest(handler, server, body=lambda rest: rest[:count])
        handler.wfile.flush()
        server.closing.wait(10)

    return step


def ignoring_range(handler, server):
    head(handler, server, 200, len(server.content))
    handler.wfile.write(server.content)


def status(code: int, **headers: object) -> Step:
    def step(handler, server):
        head(handler, server, code, 0, **headers)

    return step


def replaced_by(content: bytes, etag: str, then: Step = honest) -> Step:
    def step(handler, server):
        server.content, server.etag = content, etag
        then(handler, server)

    return step


CHECKPOINT = {
    "bert_config.json": b'{"hidden_size": 2}',
    "bert_model.ckpt.data-00000-of-00001": bytes(range(256)) * 64,
    "bert_model.ckpt.index": b"index" * 20,
    "vocab.txt": b"[PAD]\n[UNK]\n",
}


def zip_of(files: dict[str, bytes], *, top: str = "") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return held.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
