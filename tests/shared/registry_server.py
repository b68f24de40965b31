"""Debian's docker-registry on a port of this machine, as a context; and a proxy that adds a delay, as a network does."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
import urllib.request

PROGRAM = shutil.which("docker-registry")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def registry(folder, *, more=""):
    """A registry that keeps its blobs in a folder; gives "127.0.0.1:PORT". `more`: lines of its configuration."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'blobs'}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{more}"
    )
    log = (folder / "log").open("w")
    server = subprocess.Popen([PROGRAM, "serve", str(config)], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1).close()
                break
            except urllib.error.HTTPError:
                break  # it answers, and wants a login
            except OSError:
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
        log.close()
