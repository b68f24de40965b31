"""Debian's docker-registry on a port of this machine, as a context; and a way there that takes time."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

PROGRAM = shutil.which("docker-registry")

BCRYPT = "$2b$04$1u8FS9HbrT9T9z9ITVgLM.0ckRnN/yhv1Ks0HgNPnW70sT6DPbyjq"
"""Of the word s3cret, for tests alone; registries take passwords as bcrypt."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def registry(folder, *, more="", at="127.0.0.1"):
    """A registry that keeps its blobs in a folder; gives "ADDRESS:PORT". `more`: lines of its configuration."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'blobs'}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{at}:{port}'}}\n{more}"
    )
    log = (folder / "log").open("w")
    server = subprocess.Popen([PROGRAM, "serve", str(config)], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                urllib.request.urlopen(f"http://{at}:{port}/v2/", timeout=1).close()
                break
            except urllib.error.HTTPError:
                break  # it answers, and wants a login
            except OSError:
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)
        yield f"{at}:{port}"
    finally:
        server.kill()
        server.wait()
        log.close()


@contextlib.contextmanager
def delayed(host, seconds):
    """A way to a server on which each answer comes that much later, by a process; gives "127.0.0.1:PORT"."""
    port = free_port()
    started = subprocess.Popen([sys.executable, __file__, host, str(port), str(seconds)], stdout=subprocess.PIPE)
    try:
        assert started.stdout.readline()
        yield f"127.0.0.1:{port}"
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


async def _delay(host, port, seconds):
    async def pass_on(reader, writer, wait):
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(1 << 16):
                await asyncio.sleep(wait)
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def connected(reader, writer):
        where, _, theirs = host.partition(":")
        to_reader, to_writer = await asyncio.open_connection(where, int(theirs))
        await asyncio.gather(pass_on(reader, to_writer, 0), pass_on(to_reader, writer, seconds))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_delay(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
