"""The misbehaving server, a patience that never sleeps, and a small model to fetch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from catalogue_doubles import CHECKPOINT, Server, sha

from bertbuild.catalogue.download import Patience
from bertbuild.catalogue.models import ExpectedFile, Model
from bertbuild.catalogue.sources import GOOGLE


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    behaviour = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                behaviour.answer(self)

        def log_message(self, *_args):
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    behaviour.url = f"http://127.0.0.1:{running.server_port}"
    try:
        yield behaviour
    finally:
        behaviour.closing.set()
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses asked for, in seconds; nobody sleeps."""
    return []


@pytest.fixture
def patience(pauses) -> Patience:
    return Patience(attempts=4, timeout=0.5, sleep=pauses.append)


@pytest.fixture
def model() -> Model:
    """A checkpoint whose config and index are on record and whose weights are not, like the real miniatures."""
    known = {"bert_config.json", "bert_model.ckpt.index"}
    return Model(
        name="toy_L-1_H-2",
        title="Toy",
        kind="google-checkpoint",
        url=f"{GOOGLE}/2018_10_18/toy.zip",
        licence="Apache-2.0",
        lower_case=True,
        files=tuple(
            ExpectedFile(name=name, bytes=len(content), sha256=sha(content), source="us")
            if name in known
            else ExpectedFile(name=name)
            for name, content in CHECKPOINT.items()
        ),
    )


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A folder as a user has it who unpacked the zip by hand."""
    folder = tmp_path / "mine" / "toy"
    folder.mkdir(parents=True)
    for name, content in CHECKPOINT.items():
        (folder / name).write_bytes(content)
    return folder
